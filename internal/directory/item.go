package directory

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// HeadItem is the item of a resource itself. The document is one string, because decoding a deep attribute map costs
// three times as much; beside it stands what the table must see.
type HeadItem struct {
	table.Key
	Tenant        string   `dynamodbav:"tenant"`            // as in the key, from which fsck tells a stray item
	Document      string   `dynamodbav:"doc"`               // canonical JSON, without what only the server writes
	DisplayName   string   `dynamodbav:"display,omitempty"` // the name shown in other resources
	Created       string   `dynamodbav:"created"`
	LastModified  string   `dynamodbav:"modified"`
	Version       int64    `dynamodbav:"ver"`  // moves with the document and the members
	GroupsVersion int64    `dynamodbav:"gver"` // moves with Groups
	Groups        []string `dynamodbav:"groups,stringset,omitempty"`
	MemberCount   int64    `dynamodbav:"n"`                  // number of membership edges
	MemberDigest  int64    `dynamodbav:"sum"`                // their digest
	PendingChange string   `dynamodbav:"pending,omitempty"`  // the large change that has taken effect and is being applied
	PendingItems  int64    `dynamodbav:"left,omitempty"`     // its Change items
	Deleting      bool     `dynamodbav:"deleting,omitempty"` // latched: it is gone for every reader
}

// EdgeItem is a membership, under the group. Its reverse is the member's Groups.
type EdgeItem struct {
	table.Key
	Type string `dynamodbav:"type"`
}

// ChangeItem is a Change item: memberships that a large change adds and removes. It never expires.
type ChangeItem struct {
	table.Key
	Add    []string `dynamodbav:"add,stringset,omitempty"`
	Remove []string `dynamodbav:"del,stringset,omitempty"`
}

// IntentMarker says that a change or a delete is unfinished. It is what the sweeper looks at, and the fence between a writer
// that woke up late and a sweeper that has given it up.
type IntentMarker struct {
	table.Key
	State       string `dynamodbav:"state,omitempty"` // of a change
	ChangeItems int64  `dynamodbav:"k,omitempty"`     // number of its Change items
	StartedAt   int64  `dynamodbav:"at"`              // when it began, in seconds of Unix time
	ExpiresAt   int64  `dynamodbav:"expires,omitempty"`
}

// The states of a change: prepared becomes committed, or aborted and then swept.
const (
	StatePrepared  = "prepared"  // some of its Change items are there, and it has no effect
	StateCommitted = "committed" // it has taken effect, and is being applied
	StateAborted   = "aborted"   // it can no longer take effect; its Change items are being deleted
	StateSwept     = "swept"     // they are gone; this stays for days, so that a late request brings none back
)

// NameItem is the item that makes a name unique.
type NameItem struct {
	table.Key
	ResourceID string `dynamodbav:"id"`
}

// MarshalItem makes an item of one of the structs above or of a key, none of which can fail: of those of which one request
// writes many, in a tenth of the time that attributevalue takes.
func MarshalItem(v any) table.Item {
	switch v := v.(type) {
	case table.Key:
		return table.Item{"PK": table.S(v.PK), "SK": table.S(v.SK)}
	case EdgeItem:
		return table.Item{"PK": table.S(v.PK), "SK": table.S(v.SK), "type": table.S(v.Type)}
	case NameItem:
		return table.Item{"PK": table.S(v.PK), "SK": table.S(v.SK), "id": table.S(v.ResourceID)}
	}
	it, err := attributevalue.MarshalMap(v)
	if err != nil {
		panic(err)
	}
	return it
}

func UnmarshalItem(it table.Item, v any) error {
	f, err := attributeReader{Item: it}, error(nil)
	switch v := v.(type) {
	case *HeadItem:
		f.head(v)
		err = f.err
	case *NameItem:
		*v = NameItem{Key: f.Key(), ResourceID: f.stringValue("id")}
		err = f.err
	default:
		err = attributevalue.UnmarshalMap(it, v)
	}
	if err != nil {
		return fmt.Errorf("directory: damaged item: %w", err)
	}
	return nil
}

// MemberHash is the part of Sum that one member makes: the first 40 bits of its id's SHA-256, so that the sum of millions
// is exact, and a list that misses one and has another in its place passes once in 2^40.
func MemberHash(member string) int64 {
	hash := sha256.Sum256([]byte(member))
	return int64(binary.BigEndian.Uint64(hash[:8]) >> 24)
}

func SumHashes(members []string) (sum int64) {
	for _, m := range members {
		sum += MemberHash(m)
	}
	return sum
}

// EncodeDocument is the document of a resource. Equal resources have equal documents.
func EncodeDocument(o scim.Object) (string, error) {
	doc, err := scim.EncodeJSON(o)
	if err != nil {
		return "", fmt.Errorf("directory: document: %w", err)
	}
	if len(doc) > maxDocumentBytes {
		return "", &scim.Error{Status: 413, Detail: fmt.Sprintf("The resource has %d bytes, more than the %d that one can have. "+
			"Leave attributes out.", len(doc), maxDocumentBytes)}
	}
	return string(doc), nil
}

func DecodeDocument(doc string) (scim.Object, error) {
	o, err := scim.ParseObject([]byte(doc))
	if err != nil {
		return nil, fmt.Errorf("directory: damaged document: %w", err)
	}
	return o, nil
}

// displayName is the name of a resource in the members and groups of others: its displayName, and nothing where it has none.
func displayName(o scim.Object) string {
	s, _ := o["displayName"].(string)
	return s
}

// EntityTag is the entity tag: of resources that show their groups, it moves with these, too.
func (h *HeadItem) EntityTag(rt *scim.ResourceType) string {
	tag := strconv.FormatInt(h.Version, 10)
	if rt.Attribute("groups") != nil {
		tag += "." + strconv.FormatInt(h.GroupsVersion, 10)
	}
	return `W/"` + tag + `"`
}

// ResourceID is the id of the resource, which its key ends with.
func (h *HeadItem) ResourceID() string { return idFromPartition(h.PK) }

func idFromPartition(pk string) string { return pk[strings.LastIndexByte(pk, '#')+1:] }
