package store

import (
	"fmt"
	"maps"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"serverless-scim/internal/table"
)

// MarshalItem returns the item for v, which is a table.Key or one of the structs of the item layout. It panics if v is
// anything that cannot be marshaled. Items that one request writes many of are built here, in a tenth of the time that
// attributevalue takes.
func MarshalItem(v any) table.Item {
	switch v := v.(type) {
	case table.Key:
		return table.Item{"PK": table.S(v.PK), "SK": table.S(v.SK)}
	case EdgeItem:
		return table.Item{"PK": table.S(v.PK), "SK": table.S(v.SK), "type": table.S(v.Type)}
	case NameItem:
		return table.Item{"PK": table.S(v.PK), "SK": table.S(v.SK), "id": table.S(v.ResourceID)}
	case *HeadItem:
		return v.marshal()
	}
	it, err := attributevalue.MarshalMap(v)
	if err != nil {
		panic(err)
	}
	return it
}

func (h *HeadItem) marshal() table.Item {
	it := make(table.Item, 16)
	for _, a := range [...]struct{ name, value string }{
		{"display", h.DisplayName}, {"pending", h.PendingChange}, {"txn", h.Request}, {"by", h.Token}, {"op", h.Operation},
	} {
		if a.value != "" {
			it[a.name] = table.S(a.value)
		}
	}
	if len(h.Groups) > 0 {
		it["groups"] = &types.AttributeValueMemberSS{Value: h.Groups}
	}
	if h.PendingItems != 0 {
		it["left"] = table.N(h.PendingItems)
	}
	if h.Deleting {
		it["deleting"] = table.BOOL(true)
	}
	maps.Copy(it, table.Item{
		"PK": table.S(h.PK), "SK": table.S(h.SK), "tenant": table.S(h.Tenant), "doc": table.S(h.Document),
		"created": table.S(h.Created), "modified": table.S(h.LastModified), "ver": table.N(h.Version),
		"gver": table.N(h.GroupsVersion), "n": table.N(h.MemberCount), "sum": table.N(h.MemberDigest),
	})
	return it
}

// UnmarshalItem decodes an item into v, a pointer to one of the structs of the item layout. It returns an error if an
// attribute has another type than its field.
func UnmarshalItem(it table.Item, v any) error {
	r, err := attributeReader{Item: it}, error(nil)
	switch v := v.(type) {
	case *HeadItem:
		r.head(v)
		err = r.err
	case *NameItem:
		*v = NameItem{Key: r.Key(), ResourceID: r.stringValue("id")}
		err = r.err
	default:
		err = attributevalue.UnmarshalMap(it, v)
	}
	if err != nil {
		return fmt.Errorf("store: corrupt item: %w", err)
	}
	return nil
}

// An attributeReader reads attributes of an item: of head and name items, of which lists are made, in a fifth of the time
// that attributevalue takes. A missing attribute reads as zero. An attribute of another type sets err.
type attributeReader struct {
	table.Item
	err error
}

func (r *attributeReader) head(h *HeadItem) {
	*h = HeadItem{
		Key: r.Key(), Tenant: r.stringValue("tenant"), Document: r.stringValue("doc"), DisplayName: r.stringValue("display"),
		Created: r.stringValue("created"), LastModified: r.stringValue("modified"),
		Version: r.intValue("ver"), GroupsVersion: r.intValue("gver"), Groups: r.stringSet("groups"),
		MemberCount: r.intValue("n"), MemberDigest: r.intValue("sum"),
		PendingChange: r.stringValue("pending"), PendingItems: r.intValue("left"), Deleting: r.boolValue("deleting"),
		Origin: Origin{r.stringValue("txn"), r.stringValue("by"), r.stringValue("op")},
	}
}

// value returns an attribute of type T, and reports whether it exists.
func value[T types.AttributeValue](r *attributeReader, name string) (v T, exists bool) {
	a, exists := r.Item[name]
	if v, ok := a.(T); ok {
		return v, true
	}
	if exists && r.err == nil {
		r.err = fmt.Errorf("the attribute %s is a %T", name, a)
	}
	return v, false
}

func (r *attributeReader) stringValue(name string) string {
	if v, ok := value[*types.AttributeValueMemberS](r, name); ok {
		return v.Value
	}
	return ""
}

func (r *attributeReader) intValue(name string) int64 {
	v, ok := value[*types.AttributeValueMemberN](r, name)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(v.Value, 10, 64)
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("the attribute %s is not an integer", name)
	}
	return n
}

func (r *attributeReader) stringSet(name string) []string {
	if v, ok := value[*types.AttributeValueMemberSS](r, name); ok {
		return v.Value
	}
	return nil
}

func (r *attributeReader) boolValue(name string) bool {
	v, ok := value[*types.AttributeValueMemberBOOL](r, name)
	return ok && v.Value
}
