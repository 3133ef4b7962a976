package directory

import (
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"serverless-scim/internal/table"
)

// attributeReader reads the attributes of an item: of heads and names, of which lists are made, in a fifth of the time that
// attributevalue takes. What is absent is zero, and what has another type is damage.
type attributeReader struct {
	table.Item
	err error
}

func (f *attributeReader) head(h *HeadItem) {
	*h = HeadItem{Key: f.Key(), Tenant: f.stringValue("tenant"), Document: f.stringValue("doc"), DisplayName: f.stringValue("display"),
		Created: f.stringValue("created"), LastModified: f.stringValue("modified"), Version: f.intValue("ver"), GroupsVersion: f.intValue("gver"),
		Groups: f.stringSet("groups"), MemberCount: f.intValue("n"), MemberDigest: f.intValue("sum"), PendingChange: f.stringValue("pending"), PendingItems: f.intValue("left"),
		Deleting: f.boolValue("deleting")}
}

func (f *attributeReader) fail(name string) {
	if f.err == nil {
		f.err = fmt.Errorf("the attribute %s is a %T", name, f.Item[name])
	}
}

func (f *attributeReader) stringValue(name string) string {
	switch v := f.Item[name].(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case nil:
	default:
		f.fail(name)
	}
	return ""
}

func (f *attributeReader) intValue(name string) int64 {
	switch v := f.Item[name].(type) {
	case *types.AttributeValueMemberN:
		if n, err := strconv.ParseInt(v.Value, 10, 64); err == nil {
			return n
		}
		f.fail(name)
	case nil:
	default:
		f.fail(name)
	}
	return 0
}

func (f *attributeReader) stringSet(name string) []string {
	switch v := f.Item[name].(type) {
	case *types.AttributeValueMemberSS:
		return v.Value
	case nil:
	default:
		f.fail(name)
	}
	return nil
}

func (f *attributeReader) boolValue(name string) bool {
	switch v := f.Item[name].(type) {
	case *types.AttributeValueMemberBOOL:
		return v.Value
	case nil:
	default:
		f.fail(name)
	}
	return false
}
