package directory

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// Keys builds the keys of one tenant's items. It is the one way to a key, and the table that a directory is bound to
// (table.Within) refuses any other: so none can be another tenant's.
type Keys struct{ tenant string }

// NewKeys escapes the tenant's name so that different names never give the same key.
func NewKeys(tenant string) Keys {
	return Keys{table.EscapeKeyPart(tenant)}
}

const (
	HeadSortKey     = "@"
	EdgePrefix      = "Member#"
	ChangePrefix    = "Change#"
	IntentPartition = "unfinished" // the partition of the markers of all tenants
)

// TypePartition is the partition of the name items of a resource type, in the order of names.
func (k Keys) TypePartition(rt *scim.ResourceType) string { return k.tenant + "#" + rt.Name }

// ResourcePartition is the partition of one resource.
func (k Keys) ResourcePartition(rt *scim.ResourceType, id string) string {
	return k.TypePartition(rt) + "#" + id
}

func (k Keys) Head(rt *scim.ResourceType, id string) table.Key {
	return table.Key{PK: k.ResourcePartition(rt, id), SK: HeadSortKey}
}

func (k Keys) Edge(group *scim.ResourceType, id, member string) table.Key {
	return table.Key{PK: k.ResourcePartition(group, id), SK: EdgePrefix + member}
}

// ChangeItem is the n-th item of a large change of a group.
func (k Keys) ChangeItem(group *scim.ResourceType, id, change string, n int) table.Key {
	return table.Key{PK: k.ResourcePartition(group, id), SK: fmt.Sprintf("%s%s#%04d", ChangePrefix, change, n)}
}

// IntentMarker is the key of what says that a change of a group, or without one a delete, is unfinished.
func (k Keys) IntentMarker(rt *scim.ResourceType, id, change string) table.Key {
	sk := k.ResourcePartition(rt, id)
	if change != "" {
		sk += "#" + change
	}
	return table.Key{PK: IntentPartition, SK: sk}
}

// CursorKey is the key of what the tenant's cursors are sealed by.
func (k Keys) CursorKey() table.Key { return table.Key{PK: k.tenant + "#cursor", SK: HeadSortKey} }

// Bookmark is the key of the page of a walk that begins with an index.
func (k Keys) Bookmark(walk string, index int) table.Key {
	return table.Key{PK: k.tenant + "#page#" + walk, SK: fmt.Sprintf("%010d", index)}
}

func (k Keys) Name(rt *scim.ResourceType, folded string) table.Key {
	return table.Key{PK: k.TypePartition(rt), SK: NamePrefix(rt) + folded}
}

func NamePrefix(rt *scim.ResourceType) string { return rt.Storage.NameAttribute + "#" }

// IndexPartition is the partition of the ids of the resources that have a value. A long value stands there as its hash, which
// may meet another value: whatever is found by a lookup is compared again.
func (k Keys) IndexPartition(rt *scim.ResourceType, attribute, value string) string {
	if len(value) > 512 {
		hash := sha256.Sum256([]byte(value))
		value = hex.EncodeToString(hash[:])
	}
	return k.TypePartition(rt) + "#" + attribute + "#" + value
}

// AllPartition is where every resource of a type stands, in the order of ids: a lookup of what all have. It is how resources are
// listed, because an id never changes: who is renamed while a client pages through them is met exactly once. Ids are random
// (newID), so that DynamoDB can split the partition where it is written most.
func (k Keys) AllPartition(rt *scim.ResourceType) string { return k.IndexPartition(rt, "id", "") }

func (k Keys) CounterPartition(rt *scim.ResourceType) string { return k.TypePartition(rt) + "#count" }

func (k Keys) Counter(rt *scim.ResourceType, shard byte) table.Key {
	return table.Key{PK: k.CounterPartition(rt), SK: strconv.Itoa(int(shard) % CounterShards)}
}
