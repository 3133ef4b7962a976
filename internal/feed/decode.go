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

// An Entry is a change with the state of its resource.
type Entry struct {
	Change
	State store.ResourceState // Head is nil if the resource is deleted
}

// A decodedRecord is the change of one stream record, and the tenant of its resource.
type decodedRecord struct {
	Entry
	tenant string // escaped
}

// Decode returns the change that a record of the table's stream describes. ok is false if the record describes no change
// of a resource: if the item is no head item, if neither version has moved, or if a deleted resource is removed from the
// table. It returns an error if the item is a head item but cannot be decoded.
func Decode(types *scim.Types, r table.Record) (e Entry, ok bool, err error) {
	d, ok, err := decode(types, r)
	return d.Entry, ok, err
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

// compare completes the entry with what differs between two images of a head item. It reports whether they make a change.
func (e *Entry) compare(old, updated *store.HeadItem) (changed bool, err error) {
	switch {
	case old == nil && updated == nil, old != nil && old.Deleting:
		return false, nil
	case updated == nil:
		e.Kinds, e.Version, e.GroupsVersion = []Kind{Deleted}, old.Version, old.GroupsVersion
		return true, nil
	}
	e.Version, e.GroupsVersion = updated.Version, updated.GroupsVersion
	e.Request, e.Token = updated.Origin.Request, updated.Origin.Token
	switch {
	case updated.Deleting:
		e.Kinds = []Kind{Deleted}
		return true, nil
	case old == nil:
		e.Kinds = []Kind{Created}
		_, err = store.DecodeDocument(updated.Document)
	case old.Version == updated.Version && old.GroupsVersion == updated.GroupsVersion:
		return false, nil
	default:
		err = e.compareStates(old, updated)
	}
	e.State.Head = updated
	return err == nil, err
}

// compareStates completes the entry with the differences between two versions of an existing resource.
func (e *Entry) compareStates(old, updated *store.HeadItem) error {
	if old.Document != updated.Document {
		if err := e.compareDocuments(old, updated); err != nil {
			return err
		}
	}
	e.Joined, e.Left = without(updated.Groups, old.Groups), without(old.Groups, updated.Groups)
	if len(e.Joined)+len(e.Left) > 0 {
		e.Kinds, e.Attributes = append(e.Kinds, GroupsChanged), append(e.Attributes, "groups")
	}
	if old.MemberCount != updated.MemberCount || old.MemberDigest != updated.MemberDigest ||
		updated.PendingChange != "" && old.PendingChange != updated.PendingChange {
		e.Kinds, e.Attributes = append(e.Kinds, MembersChanged), append(e.Attributes, "members")
	}
	if len(e.Kinds) == 0 {
		e.Kinds = []Kind{Updated}
	}
	e.Replaced = old.Version != updated.Version && updated.Operation == store.OperationPut
	slices.Sort(e.Attributes)
	return nil
}

func (e *Entry) compareDocuments(old, updated *store.HeadItem) error {
	from, _ := store.DecodeDocument(old.Document) // nil if it is corrupt: then every attribute counts as changed
	to, err := store.DecodeDocument(updated.Document)
	if err != nil {
		return err
	}
	switch wasInactive, isInactive := from["active"] == false, to["active"] == false; {
	case isInactive && !wasInactive:
		e.Kinds = append(e.Kinds, Deactivated)
	case wasInactive && !isInactive:
		e.Kinds = append(e.Kinds, Activated)
	}
	e.Kinds, e.Attributes = append(e.Kinds, Updated), scim.ChangedPaths(from, to)
	return nil
}
