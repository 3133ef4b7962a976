package directory

import (
	"context"
	"errors"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// errAlreadyCreated says that a create which was thought lost has happened.
var errAlreadyCreated = errors.New("directory: the resource is there")

// Create makes a resource of what the client sent, in canonical form (RFC 7644 §3.3). Members that do not exist are
// left out, unless Config.StrictMembers. The answer has what the projection wants.
func (d *Store) Create(ctx context.Context, rt *scim.ResourceType, o scim.Object, p scim.Projection) (*Resource, error) {
	id, err := d.newID(rt)
	if err != nil {
		return nil, err
	}
	wish, o := splitMembers(rt, o)
	c := NewAttemptState()
	members := d.CheckMemberIDs(wish, id, c)
	h, err := d.newHead(rt, id, o)
	if err != nil {
		return nil, err
	}
	var n DisplayNames
	err = d.Backoff.RetryConflicts(ctx, func() error {
		members = Exclude(members, c.missing)
		if err := d.CheckStrictMembers(ctx, wish, id, members, c); err != nil {
			return err
		}
		e, err := d.createMutation(rt, id, h, o)
		if err != nil {
			return err
		}
		e.add, e.AttemptState = members, c
		return d.executeAndReadNames(ctx, e, ResourceState{rt, id, h, members}, readsForResponse(rt, p), &n)
	})
	if err != nil && !errors.Is(err, errAlreadyCreated) {
		return nil, err
	}
	d.logSkippedMembers(ctx, rt, id, len(c.missing))
	r := d.newResource(ResourceState{rt, id, h, members}, n)
	r.Summary = summarize(rt, nil, h, nil, o, len(members) > 0)
	return r, nil
}

func (d *Store) newHead(rt *scim.ResourceType, id string, o scim.Object) (*HeadItem, error) {
	doc, err := EncodeDocument(o)
	now := d.Timestamp()
	return &HeadItem{
		Key: d.keys.Head(rt, id), Tenant: d.keys.tenant, Document: doc, DisplayName: displayName(o), Created: now, LastModified: now, Version: 1,
	}, err
}

// createMutation is how a resource takes effect.
func (d *Store) createMutation(rt *scim.ResourceType, id string, h *HeadItem, o scim.Object) (*Mutation, error) {
	found, err := d.NewIndexEntries(rt, id, o)
	if err != nil {
		return nil, err
	}
	e := &Mutation{rt: rt, id: id, OnHeadFailure: func(table.Item) error { return errAlreadyCreated }}
	e.HeadWrite = table.Put{Item: MarshalItem(h), If: []table.Condition{table.NotExists()}}
	d.WriteIndex(&e.IndexWrites, rt, id, nil, &found)
	return e, d.AddToCounter(&e.IndexWrites, rt, 1)
}

// AddToCounter adds to a transaction what moves the number of resources, in one of several items so that writers seldom meet.
func (d *Store) AddToCounter(t *Transaction, rt *scim.ResourceType, by int64) error {
	shard, err := d.RandomBytes(1)
	if err == nil {
		t.add(table.Update{Key: d.keys.Counter(rt, shard[0]), Add: table.Item{"n": table.N(by)}}, ConflictHandler)
	}
	return err
}

// splitMembers takes the ids of the members out of a resource that a client sent.
func splitMembers(rt *scim.ResourceType, o scim.Object) (members []string, rest scim.Object) {
	if !isGroup(rt) {
		return nil, o
	}
	rest = make(scim.Object, len(o))
	for name, v := range o {
		if name != "members" {
			rest[name] = v
			continue
		}
		for _, e := range v.([]any) {
			members = append(members, e.(scim.Object)["value"].(string))
		}
	}
	return members, rest
}

func Exclude(ids []string, gone map[string]bool) (left []string) {
	for _, id := range ids {
		if !gone[id] {
			left = append(left, id)
		}
	}
	return left
}

// executeAndReadNames makes an effect happen and meanwhile reads the names that the answer will show.
func (d *Store) executeAndReadNames(ctx context.Context, e *Mutation, s ResourceState, w responseReads, n *DisplayNames) error {
	var failed, unnamed error
	calls := []func() error{func() error { failed = d.Execute(ctx, e); return nil }}
	if w.displayNames && len(s.members)+len(s.head.Groups) > 0 {
		calls = append(calls, func() error { *n, unnamed = d.ReadDisplayNamesFor(ctx, maxDisplayNames, s); return nil })
	}
	d.RunConcurrently(calls...) // which keep their errors to themselves
	if unnamed != nil {         // what is written is written; the names are a courtesy
		d.Log.WarnContext(ctx, "display names left out", "error", unnamed)
		*n = DisplayNames{}
	}
	return failed
}

// logSkippedMembers tells the operator what the client learns from the result: that some members do not exist.
func (d *Store) logSkippedMembers(ctx context.Context, rt *scim.ResourceType, id string, unknown int) {
	if unknown > 0 {
		d.Log.WarnContext(ctx, "unknown members left out", "resourceType", rt.Name, "id", id, "members", unknown)
	}
}
