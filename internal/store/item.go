package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// A HeadItem is the item of a resource itself. The document is one string, because a document of nested attribute maps
// takes three times as long to decode. The other attributes are those that conditions of writes need, and those that are
// read without the document.
type HeadItem struct {
	table.Key
	Tenant        string   `dynamodbav:"tenant"`            // escaped name, as in the key; fsck compares both
	Document      string   `dynamodbav:"doc"`               // canonical JSON, without id, meta, members and groups
	DisplayName   string   `dynamodbav:"display,omitempty"` // shown in the members and groups of other resources
	Created       string   `dynamodbav:"created"`
	LastModified  string   `dynamodbav:"modified"`
	Version       int64    `dynamodbav:"ver"`  // incremented when a change of the document or the members takes effect
	GroupsVersion int64    `dynamodbav:"gver"` // incremented with each change of Groups
	Groups        []string `dynamodbav:"groups,stringset,omitempty"`
	MemberCount   int64    `dynamodbav:"n"`                  // number of edge items; a large change moves it item by item
	MemberDigest  int64    `dynamodbav:"sum"`                // sum of the members' hashes
	PendingChange string   `dynamodbav:"pending,omitempty"`  // ID of the committed change that is not yet applied
	PendingItems  int64    `dynamodbav:"left,omitempty"`     // number of its change items that are not yet applied
	Deleting      bool     `dynamodbav:"deleting,omitempty"` // the resource no longer exists for readers, but has memberships to remove
	Origin
}

// An EdgeItem is the item of one membership, in the partition of the group. The Groups set of the member's head item names
// the group in return.
type EdgeItem struct {
	table.Key
	Type string `dynamodbav:"type"` // resource type of the member
}

// A ChangeItem is one entry of a redo log: memberships that a large change adds and removes. A large change is one that does
// not fit a single transaction. Change items have no TTL, because a committed change without them would be lost.
type ChangeItem struct {
	table.Key
	Add    []string `dynamodbav:"add,stringset,omitempty"`
	Remove []string `dynamodbav:"del,stringset,omitempty"`
	Origin          // of the change
}

// An IntentMarker records an unfinished large change or delete, so that the sweep can find it. It is also a fence: the
// commit requires the state prepared, so the original writer can no longer commit after an abort. The marker is deleted
// when the change or delete is finished.
type IntentMarker struct {
	table.Key
	State       string   `dynamodbav:"state,omitempty"`             // of a change; empty for a delete
	ChangeItems int64    `dynamodbav:"k,omitempty"`                 // number of change items of the change
	StartedAt   int64    `dynamodbav:"at"`                          // Unix time in seconds
	ExpiresAt   int64    `dynamodbav:"expires,omitempty"`           // of a tombstone: Unix time in seconds
	Creates     []string `dynamodbav:"creates,stringset,omitempty"` // IDs of a directory.CreateSet
}

// States of a change: prepared → committed, or prepared → aborted → swept.
const (
	StatePrepared  = "prepared"  // some change items are written; the change has no effect
	StateCommitted = "committed" // the change has taken effect; its change items are being applied
	StateAborted   = "aborted"   // the change can no longer commit; its change items are being deleted
	StateSwept     = "swept"     // a tombstone: the change items are deleted, and late writes of the change fail
)

// A NameItem makes the name of a resource unique, and leads from the name to the resource.
type NameItem struct {
	table.Key
	ResourceID string `dynamodbav:"id"`
}

// MemberHash returns the first 40 bits of the SHA-256 of a member's ID. The sum of millions of hashes is exact in an
// int64. A wrong list with the right number of members has the same sum with a probability of 2^-40.
func MemberHash(member string) int64 {
	hash := sha256.Sum256([]byte(member))
	return int64(binary.BigEndian.Uint64(hash[:8]) >> 24)
}

// SumHashes returns the member digest of a list of members.
func SumHashes(members []string) (sum int64) {
	for _, m := range members {
		sum += MemberHash(m)
	}
	return sum
}

// EncodeDocument returns the document of a resource. Equal resources have equal documents.
func EncodeDocument(o scim.Object) (string, error) {
	doc, err := scim.EncodeJSON(o)
	if err != nil {
		return "", fmt.Errorf("store: document: %w", err)
	}
	if len(doc) > maxDocumentBytes {
		return "", &scim.Error{Status: 413, Detail: fmt.Sprintf("The resource has %d bytes, more than the maximum of %d. "+
			"Leave attributes out.", len(doc), maxDocumentBytes)}
	}
	return string(doc), nil
}

// DecodeDocument returns the resource of a document.
func DecodeDocument(doc string) (scim.Object, error) {
	o, err := scim.ParseObject(doc)
	if err != nil {
		return nil, fmt.Errorf("store: corrupt document: %w", err)
	}
	return o, nil
}

// SetDocument sets the document of the head item, and the display name that other resources show: its displayName, or "".
func (h *HeadItem) SetDocument(doc string, o scim.Object) {
	h.Document = doc
	h.DisplayName, _ = o["displayName"].(string)
}

// EntityTag returns the entity tag of the resource (RFC 7644 §3.14): W/"ver", or W/"ver.gver" for a type that shows the
// groups of a resource. Package directory adds a digest of the display names that a response shows.
func (h *HeadItem) EntityTag(rt *scim.ResourceType) string {
	return string(h.appendEntityTag(make([]byte, 0, 64), rt))
}

func (h *HeadItem) appendEntityTag(b []byte, rt *scim.ResourceType) []byte {
	b = strconv.AppendInt(append(b, `W/"`...), h.Version, 10)
	if rt.Attribute("groups") != nil {
		b = strconv.AppendInt(append(b, '.'), h.GroupsVersion, 10)
	}
	return append(b, '"')
}

// ResourceID returns the ID of the resource, which is the end of the partition key.
func (h *HeadItem) ResourceID() string { return idFromPartition(h.PK) }

func idFromPartition(pk string) string { return pk[strings.LastIndexByte(pk, '#')+1:] }

// VersionConditions returns conditions that fail if the resource or its Groups set has changed since h was read.
// Equal sets are not enough: a group may have been left and joined again, so the groups version is compared.
func (h *HeadItem) VersionConditions() []table.Condition {
	return []table.Condition{table.Equals("ver", table.N(h.Version)), table.Equals("gver", table.N(h.GroupsVersion))}
}

// DigestMatches reports whether members is the complete member list for this version of the head item.
func (h *HeadItem) DigestMatches(members []string) bool {
	return h.PendingChange == "" && h.MemberCount == int64(len(members)) && h.MemberDigest == SumHashes(members)
}

// MaxMemberCount returns an upper bound for the number of members after the pending change: as if each of its change items
// added as many members as it can hold.
func (h *HeadItem) MaxMemberCount() int64 { return h.MemberCount + h.PendingItems*maxChangeItemMembers }

// A CursorKeyItem holds the key that encrypts a tenant's cursors (RFC 9865).
type CursorKeyItem struct {
	table.Key
	EncodedKey string `dynamodbav:"secret"` // base64
}

// NewAEAD returns the cipher of the key, or an error if the item holds no valid key.
func (c CursorKeyItem) NewAEAD() (cipher.AEAD, error) {
	key, err := base64.StdEncoding.DecodeString(c.EncodedKey)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
