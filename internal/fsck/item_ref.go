package fsck

import (
	"slices"
	"strings"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// An itemRef says where an item belongs: to which tenant, resource type, and resource.
type itemRef struct {
	store      *store.Store // of the tenant
	rt         *scim.ResourceType
	key        table.Key
	keyParts   []string // escaped tenant, resource type, and the remaining parts of the key
	incomplete []string // attributes of the type whose index items a backfill still writes
	id         string   // third part: resource ID or the name of an attribute; "" if there is none
}

// isHead reports whether the item is a head item.
func (ref itemRef) isHead() bool {
	return len(ref.keyParts) == 3 && ref.rt.IsID(ref.id) && ref.key.SK == store.HeadSortKey
}

// inGroupPartition reports whether the item is in the partition of a group and its sort key has the prefix.
func (ref itemRef) inGroupPartition(prefix string) bool {
	return len(ref.keyParts) == 3 && store.IsGroup(ref.rt) && ref.rt.IsID(ref.id) && strings.HasPrefix(ref.key.SK, prefix)
}

// isIndexItem reports whether the item is in an index partition.
func (ref itemRef) isIndexItem() bool {
	return len(ref.keyParts) == 4 &&
		(ref.key.PK == ref.store.Keys.AllPartition(ref.rt) || slices.Contains(ref.rt.Storage.IndexedAttributes, ref.id))
}

// changeID returns the change ID in the key of an intent marker. It reports false for the marker of a delete.
func (ref itemRef) changeID() (id string, isChange bool) {
	if len(ref.keyParts) < 4 {
		return "", false
	}
	return ref.keyParts[3], true
}
