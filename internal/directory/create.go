package directory

import (
	"context"
	"errors"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// errAlreadyCreated reports that an earlier attempt, whose response was lost, has created the resource.
var errAlreadyCreated = errors.New("directory: the resource is already created")

// Create stores a resource in canonical form (RFC 7644 §3.3). Members that do not exist are left out, or rejected if
// StrictMembers is set. The projection selects what the response reads.
func (d *Directory) Create(ctx context.Context, rt *scim.ResourceType, o scim.Object, p scim.Projection) (*Resource, error) {
	id, err := d.newID(rt)
	if err != nil {
		return nil, err
	}
	requested, o := splitMembers(rt, o)
	a := store.NewAttemptState()
	members := d.checkMemberIDs(requested, id, a)
	h, err := d.newHead(rt, id, o)
	if err != nil {
		return nil, err
	}
	var names store.DisplayNames
	err = d.store.Backoff.RetryConflicts(ctx, func() error {
		members = store.Exclude(members, a.Missing)
		if err := d.checkStrictMembers(ctx, requested, id, members, a); err != nil {
			return err
		}
		m, err := d.createMutation(rt, id, h, o)
		if err != nil {
			return err
		}
		m.Add, m.AttemptState = members, a
		r := store.ResourceState{Type: rt, ID: id, Head: h, Members: members}
		names, err = d.executeAndReadNames(ctx, m, r, readsForResponse(rt, p).displayNames)
		return err
	})
	if err != nil && !errors.Is(err, errAlreadyCreated) {
		return nil, err
	}
	d.logSkippedMembers(ctx, rt, id, len(a.Missing))
	r := d.newResource(store.ResourceState{Type: rt, ID: id, Head: h, Members: members}, names)
	r.Summary = summarize(rt, nil, h, nil, o, len(members) > 0)
	return r, nil
}

func (d *Directory) newID(rt *scim.ResourceType) (string, error) {
	if d.reserved != nil {
		return d.reserved.id, nil
	}
	return d.store.NewID(rt)
}

func (d *Directory) newHead(rt *scim.ResourceType, id string, o scim.Object) (*store.HeadItem, error) {
	doc, err := store.EncodeDocument(o)
	now := d.store.Timestamp()
	h := &store.HeadItem{Key: d.store.Keys.Head(rt, id), Tenant: d.store.Keys.Tenant(), Created: now, LastModified: now, Version: 1,
		Origin: d.store.Origin}
	h.SetDocument(doc, o)
	return h, err
}

// createMutation returns the writes that create a resource, without its members.
func (d *Directory) createMutation(rt *scim.ResourceType, id string, h *store.HeadItem, o scim.Object) (*store.Mutation, error) {
	entries, err := d.store.NewIndexEntries(rt, id, o)
	if err == nil {
		err = store.CheckIndexLimits(rt, nil, o)
	}
	if err != nil {
		return nil, err
	}
	m := &store.Mutation{Type: rt, ID: id, OnHeadFailure: func(table.Item) error { return errAlreadyCreated }}
	m.HeadWrite = table.Put{Item: store.MarshalItem(h), If: []table.Condition{table.NotExists()}}
	d.store.WriteIndex(&m.IndexWrites, rt, id, nil, &entries)
	if d.reserved != nil {
		m.IndexWrites.Add(d.reserved.condition(), func(table.Item) error { return errUndone })
	}
	return m, d.store.AddToCounter(&m.IndexWrites, rt, 1)
}

// executeAndReadNames writes a mutation and, at the same time, reads the display names that the response shows. A failure
// to read the names is logged and does not fail the request, because the write may have taken effect.
func (d *Directory) executeAndReadNames(ctx context.Context, m *store.Mutation, r store.ResourceState, readNames bool) (names store.DisplayNames, err error) {
	var executeErr, namesErr error
	calls := []func() error{func() error { executeErr = d.store.Execute(ctx, m); return nil }}
	if readNames && len(r.Members)+len(r.Head.Groups) > 0 {
		calls = append(calls, func() error {
			names, namesErr = d.store.ReadDisplayNamesFor(ctx, maxDisplayNames, r)
			return nil
		})
	}
	d.store.RunConcurrently(calls...) // each call stores its error in executeErr or namesErr
	if namesErr != nil {
		d.store.Log.WarnContext(ctx, "display names left out", "error", namesErr)
		names = store.DisplayNames{}
	}
	return names, executeErr
}
