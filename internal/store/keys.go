package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// Keys builds the keys of one tenant's items. Every key of a tenant's resources comes from here, and the tenant's table
// (table.Scoped) rejects keys of other tenants.
type Keys struct{ tenant string }

// NewKeys escapes the name of the tenant, so that different names never lead to the same key.
func NewKeys(tenant string) Keys { return Keys{table.EscapeKeyPart(tenant)} }

// KeysForEscaped returns the keys of the tenant with this escaped name, which is the first part of a key.
func KeysForEscaped(escaped string) Keys { return Keys{escaped} }

// Tenant returns the escaped name of the tenant, with which the tenant's partition keys begin.
func (k Keys) Tenant() string { return k.tenant }

// Owns reports whether an item with this key belongs to the tenant.
func (k Keys) Owns(key table.Key) bool {
	prefix := k.tenant + "#"
	return strings.HasPrefix(key.PK, prefix) || key.PK == IntentPartition && strings.HasPrefix(key.SK, prefix)
}

// Fixed parts of keys.
const (
	HeadSortKey     = "@"
	EdgePrefix      = "Member#"    // of the sort key of an edge item
	ChangePrefix    = "Change#"    // of the sort key of a change item
	IntentPartition = "unfinished" // partition key of the intent markers of all tenants
)

// TypePartition returns the partition of a resource type's name items. Their sort keys are in the order of names.
func (k Keys) TypePartition(rt *scim.ResourceType) string { return k.tenant + "#" + rt.Name }

// ResourcePartition returns the partition of one resource: its head item and, for a group, edge and change items.
func (k Keys) ResourcePartition(rt *scim.ResourceType, id string) string {
	return k.TypePartition(rt) + "#" + id
}

// Head returns the key of a head item.
func (k Keys) Head(rt *scim.ResourceType, id string) table.Key {
	return table.Key{PK: k.ResourcePartition(rt, id), SK: HeadSortKey}
}

// Edge returns the key of the edge item of a membership.
func (k Keys) Edge(group *scim.ResourceType, id, member string) table.Key {
	return table.Key{PK: k.ResourcePartition(group, id), SK: EdgePrefix + member}
}

// MemberID returns the ID of the member that the key of an edge item names.
func MemberID(edge table.Key) string { return strings.TrimPrefix(edge.SK, EdgePrefix) }

// ChangeItem returns the key of change item n of a large change.
func (k Keys) ChangeItem(group *scim.ResourceType, id, changeID string, n int) table.Key {
	return table.Key{PK: k.ResourcePartition(group, id), SK: fmt.Sprintf("%s%s#%04d", ChangePrefix, changeID, n)}
}

// IntentMarker returns the key of the marker of a large change, or of a delete if changeID is empty.
func (k Keys) IntentMarker(rt *scim.ResourceType, id, changeID string) table.Key {
	sk := k.ResourcePartition(rt, id)
	if changeID != "" {
		sk += "#" + changeID
	}
	return table.Key{PK: IntentPartition, SK: sk}
}

// CursorKey returns the key of the item that holds the tenant's cursor key.
func (k Keys) CursorKey() table.Key { return table.Key{PK: k.tenant + "#cursor", SK: HeadSortKey} }

// Bookmark returns the key of the bookmark for a start index. The fingerprint identifies the query and the client.
func (k Keys) Bookmark(fingerprint string, startIndex int) table.Key {
	return table.Key{PK: k.tenant + "#page#" + fingerprint, SK: fmt.Sprintf("%010d", startIndex)}
}

// Name returns the key of a name item.
func (k Keys) Name(rt *scim.ResourceType, folded string) table.Key {
	return table.Key{PK: k.TypePartition(rt), SK: NamePrefix(rt) + folded}
}

// NamePrefix returns the prefix of the sort keys of name items.
func NamePrefix(rt *scim.ResourceType) string { return rt.Storage.NameAttribute + "#" }

// IndexPartition returns the partition of the index items of an attribute value. Their sort keys are resource IDs. A
// long value is replaced by its hash, which another value may share: a reader must compare the value itself.
func (k Keys) IndexPartition(rt *scim.ResourceType, attribute, folded string) string {
	if len(folded) > 512 {
		hash := sha256.Sum256([]byte(folded))
		folded = hex.EncodeToString(hash[:])
	}
	return k.TypePartition(rt) + "#" + attribute + "#" + folded
}

// AllPartition returns the partition with an index item for every resource of a type. Lists read this partition because an
// ID never changes: a list in the order of IDs returns a resource exactly once, even if it is renamed. IDs are random
// (NewID), so DynamoDB can split the partition where writes are concentrated.
func (k Keys) AllPartition(rt *scim.ResourceType) string { return k.IndexPartition(rt, "id", "") }

// CounterShards is the number of counter items of one resource type. Concurrent creates seldom write the same one.
const CounterShards = 32

// CounterPartition returns the partition of a resource type's counter items.
func (k Keys) CounterPartition(rt *scim.ResourceType) string { return k.TypePartition(rt) + "#count" }

// indexState returns the key of the item that records which indexes of a type are complete.
func (k Keys) indexState(rt *scim.ResourceType) table.Key {
	return table.Key{PK: k.TypePartition(rt) + "#index", SK: HeadSortKey}
}

// backfillMarker returns the key of the intent marker of a type's backfill.
func (k Keys) backfillMarker(rt *scim.ResourceType) table.Key {
	return table.Key{PK: IntentPartition, SK: k.TypePartition(rt) + "#index"}
}

// Counter returns the key of one counter item. Any byte selects a shard.
func (k Keys) Counter(rt *scim.ResourceType, shard byte) table.Key {
	return table.Key{PK: k.CounterPartition(rt), SK: strconv.Itoa(int(shard) % CounterShards)}
}
