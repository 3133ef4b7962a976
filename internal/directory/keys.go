package directory

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// keys builds the keys of one tenant's items. It is the one way to a key, and the table that a directory is bound to
// (table.Within) refuses any other: so none can be another tenant's.
type keys struct{ tenant string }

// tenantKeys escapes the tenant's name so that different names never give the same key.
func tenantKeys(tenant string) keys {
	return keys{table.Escape(tenant)}
}

const (
	headKey      = "@"
	memberPrefix = "Member#"
	changePrefix = "Change#"
	Unfinished   = "unfinished" // the partition of the markers of all tenants
)

// resources is the partition of the name items of a resource type, in the order of names.
func (k keys) resources(rt *scim.ResourceType) string { return k.tenant + "#" + rt.Name }

// resource is the partition of one resource.
func (k keys) resource(rt *scim.ResourceType, id string) string { return k.resources(rt) + "#" + id }

func (k keys) head(rt *scim.ResourceType, id string) table.Key {
	return table.Key{PK: k.resource(rt, id), SK: headKey}
}

func (k keys) edge(group *scim.ResourceType, id, member string) table.Key {
	return table.Key{PK: k.resource(group, id), SK: memberPrefix + member}
}

// change is the n-th item of a large change of a group.
func (k keys) change(group *scim.ResourceType, id, change string, n int) table.Key {
	return table.Key{PK: k.resource(group, id), SK: fmt.Sprintf("%s%s#%04d", changePrefix, change, n)}
}

// marker is the key of what says that a change of a group, or without one a delete, is unfinished.
func (k keys) marker(rt *scim.ResourceType, id, change string) table.Key {
	sk := k.resource(rt, id)
	if change != "" {
		sk += "#" + change
	}
	return table.Key{PK: Unfinished, SK: sk}
}

// secret is the key of what the tenant's cursors are sealed by.
func (k keys) secret() table.Key { return table.Key{PK: k.tenant + "#cursor", SK: headKey} }

// bookmark is the key of the page of a walk that begins with an index.
func (k keys) bookmark(walk string, index int) table.Key {
	return table.Key{PK: k.tenant + "#page#" + walk, SK: fmt.Sprintf("%010d", index)}
}

func (k keys) name(rt *scim.ResourceType, folded string) table.Key {
	return table.Key{PK: k.resources(rt), SK: namePrefix(rt) + folded}
}

func namePrefix(rt *scim.ResourceType) string { return rt.Storage.Name + "#" }

// lookup is the partition of the ids of the resources that have a value. A long value stands there as its hash, which
// may meet another value: whatever is found by a lookup is compared again.
func (k keys) lookup(rt *scim.ResourceType, attribute, value string) string {
	if len(value) > 512 {
		hash := sha256.Sum256([]byte(value))
		value = hex.EncodeToString(hash[:])
	}
	return k.resources(rt) + "#" + attribute + "#" + value
}

// all is where every resource of a type stands, in the order of ids: a lookup of what all have. It is how resources are
// listed, because an id never changes: who is renamed while a client pages through them is met exactly once. Ids are random
// (newID), so that DynamoDB can split the partition where it is written most.
func (k keys) all(rt *scim.ResourceType) string { return k.lookup(rt, "id", "") }

func (k keys) counts(rt *scim.ResourceType) string { return k.resources(rt) + "#count" }

func (k keys) count(rt *scim.ResourceType, shard byte) table.Key {
	return table.Key{PK: k.counts(rt), SK: strconv.Itoa(int(shard) % shards)}
}
