package feed

import (
	"errors"
	"slices"
	"strings"
	"time"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// IsWatched reports whether the stream must deliver the records of the item with a key. It selects all head items, and
// may select some others.
func IsWatched(k table.Key) bool { return k.SK == store.HeadSortKey && strings.Count(k.PK, "#") == 2 }

// A ResourceChange is a change with the state of its resource.
type ResourceChange struct {
	Change
	State store.ResourceState // Head is nil if the resource is deleted
}

// A decodedRecord is the change of one stream record, and the tenant of its resource.
type decodedRecord struct {
	ResourceChange
	tenant string // escaped
}

// Decode returns the change that a record of the table's stream describes. ok is false if the record describes no change
// of a resource: if the item is no head item, if neither version has moved, or if a deleted resource is removed from the
// table. It returns an error if the item is a head item but cannot be decoded.
func Decode(types *scim.Types, r table.Record) (c ResourceChange, ok bool, err error) {
	d, ok, err := decode(types, r)
	return d.ResourceChange, ok, err
}

func decode(types *scim.Types, r table.Record) (d decodedRecord, ok bool, err error) {
	parts := strings.Split(r.Key.PK, "#")
	switch {
	case r.Err != nil:
		return d, false, r.Err
	case r.Expired || r.Key.SK != store.HeadSortKey || len(parts) != 3:
		return d, false, nil
	}
	rt := types.ByName(parts[1])
	if rt == nil || !rt.IsID(parts[2]) {
		if r.New["doc"] == nil && r.Old["doc"] == nil {
			return d, false, nil
		}
		return d, false, errors.New("feed: a head item of an unknown resource type")
	}
	old, err := headOf(r.Old)
	if err != nil {
		return d, false, err
	}
	updated, err := headOf(r.New)
	if err != nil {
		return d, false, err
	}
	d.tenant, d.State = parts[0], store.ResourceState{Type: rt, ID: parts[2]}
	d.Change = Change{ResourceType: rt.Name, ResourceID: parts[2], At: r.CommittedAt.UTC().Truncate(time.Millisecond)}
	ok, err = d.compare(old, updated)
	return d, ok, err
}

// headOf returns the head item of an image, or nil if there is none.
func headOf(image table.Item) (*store.HeadItem, error) {
	if image == nil {
		return nil, nil
	}
	h := &store.HeadItem{}
	return h, store.UnmarshalItem(image, h)
}

// compare completes the change with what differs between two images of a head item. It reports whether they make a change.
func (c *ResourceChange) compare(old, updated *store.HeadItem) (changed bool, err error) {
	switch {
	case old == nil && updated == nil, old != nil && old.Deleting:
		return false, nil
	case updated == nil:
		c.Kinds, c.Version, c.GroupsVersion = []Kind{Deleted}, old.Version, old.GroupsVersion
		return true, nil
	}
	c.Version, c.GroupsVersion = updated.Version, updated.GroupsVersion
	c.Request, c.Token = updated.Origin.Request, updated.Origin.Token
	switch {
	case updated.Deleting:
		c.Kinds = []Kind{Deleted}
		return true, nil
	case old == nil:
		c.Kinds = []Kind{Created}
		_, err = store.DecodeDocument(updated.Document)
	case old.Version == updated.Version && old.GroupsVersion == updated.GroupsVersion:
		return false, nil
	default:
		err = c.compareStates(old, updated)
	}
	c.State.Head = updated
	return err == nil, err
}

// compareStates completes the change with the differences between two versions of an existing resource.
func (c *ResourceChange) compareStates(old, updated *store.HeadItem) error {
	if old.Document != updated.Document {
		if err := c.compareDocuments(old, updated); err != nil {
			return err
		}
	}
	c.Joined, c.Left = without(updated.Groups, old.Groups), without(old.Groups, updated.Groups)
	if len(c.Joined)+len(c.Left) > 0 {
		c.Kinds, c.Attributes = append(c.Kinds, GroupsChanged), append(c.Attributes, "groups")
	}
	if old.MemberCount != updated.MemberCount || old.MemberDigest != updated.MemberDigest ||
		updated.PendingChange != "" && old.PendingChange != updated.PendingChange {
		c.Kinds, c.Attributes = append(c.Kinds, MembersChanged), append(c.Attributes, "members")
	}
	if len(c.Kinds) == 0 {
		c.Kinds = []Kind{Updated}
	}
	c.Replaced = old.Version != updated.Version && updated.Operation == store.OperationPut
	slices.Sort(c.Attributes)
	return nil
}

func (c *ResourceChange) compareDocuments(old, updated *store.HeadItem) error {
	from, _ := store.DecodeDocument(old.Document) // nil if it is corrupt: then every attribute counts as changed
	to, err := store.DecodeDocument(updated.Document)
	if err != nil {
		return err
	}
	switch wasInactive, isInactive := from["active"] == false, to["active"] == false; {
	case isInactive && !wasInactive:
		c.Kinds = append(c.Kinds, Deactivated)
	case wasInactive && !isInactive:
		c.Kinds = append(c.Kinds, Activated)
	}
	c.Kinds, c.Attributes = append(c.Kinds, Updated), scim.ChangedPaths(from, to)
	return nil
}
