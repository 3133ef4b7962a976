package feed

import (
	"slices"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
)

// A pageBuilder collects the changes of log entries, each resource once.
type pageBuilder struct {
	types    []*scim.ResourceType
	count    int      // maximum number of resources
	position position // behind what was added
	changes  []ResourceChange
	byID     map[string]int // index in changes
	read     int            // number of log entries of which something was added
	full     bool           // the next change does not fit
}

// add adds the changes of the next log entry, and reports whether the page may hold more. It splits an entry only if the
// page would be empty without it, so that the next page does not read the entry again.
func (b *pageBuilder) add(e logEntry) bool {
	changes := e.changes[min(b.position.Skip, len(e.changes)):]
	if len(b.changes) > 0 && len(b.changes)+b.countNew(changes) > b.count {
		b.full = true
		return false
	}
	b.read++
	for i, c := range changes {
		if !b.addChange(c) {
			b.full = true
			b.position.Skip += i
			return false
		}
	}
	b.position.Next, b.position.Skip = e.number+1, 0
	return true
}

// countNew returns the number of resources among changes that the page does not have yet.
func (b *pageBuilder) countNew(changes []Change) int {
	added := map[string]bool{}
	for _, c := range changes {
		if _, known := b.byID[c.ResourceID]; !known && b.typeOf(c) != nil {
			added[c.ResourceID] = true
		}
	}
	return len(added)
}

// addChange returns false if the page is full.
func (b *pageBuilder) addChange(c Change) bool {
	rt := b.typeOf(c)
	if rt == nil {
		return true
	}
	if i, known := b.byID[c.ResourceID]; known {
		b.changes[i].merge(c)
		return true
	}
	if len(b.changes) == b.count {
		return false
	}
	b.byID[c.ResourceID] = len(b.changes)
	b.changes = append(b.changes, ResourceChange{Change: c, State: store.ResourceState{Type: rt, ID: c.ResourceID}})
	return true
}

// typeOf returns the type of the resource of a change, or nil if the reader does not read it.
func (b *pageBuilder) typeOf(c Change) *scim.ResourceType {
	i := slices.IndexFunc(b.types, func(rt *scim.ResourceType) bool { return rt.Name == c.ResourceType })
	if i < 0 || !b.types[i].IsID(c.ResourceID) {
		return nil
	}
	return b.types[i]
}

// setReadAhead sets how many entries to read for the next page: as many as this page took, or twice as many if they have
// left it less than half full and more may exist.
func (b *pageBuilder) setReadAhead(read int, more bool) {
	switch {
	case b.full, more && len(b.changes) > b.count/2:
		b.position.Entries = max(1, b.read)
	case more:
		b.position.Entries = min(2*max(1, read), maxReadEntries)
	default:
		b.position.Entries = 0
	}
}

// AsDeleted returns the change as that of a deleted resource.
func (c ResourceChange) AsDeleted() ResourceChange {
	c.State.Head, c.Kinds, c.Attributes, c.Joined, c.Left, c.Replaced = nil, []Kind{Deleted}, nil, nil, nil, false
	return c
}
