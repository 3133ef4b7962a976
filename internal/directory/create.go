package directory

import (
	"context"
	"errors"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// errArrived says that a create which was thought lost has happened.
var errArrived = errors.New("directory: the resource is there")

// Create makes a resource of what the client sent, in canonical form (RFC 7644 §3.3). Members that do not exist are
// left out, unless Config.StrictMembers. The answer has what the projection wants.
func (d *Directory) Create(ctx context.Context, rt *scim.ResourceType, o scim.Object, p scim.Projection) (*Resource, error) {
	id, err := d.newID(rt)
	if err != nil {
		return nil, err
	}
	wish, o := split(rt, o)
	c := newCandidates()
	members := d.possible(wish, id, c)
	h, err := d.newHead(rt, id, o)
	if err != nil {
		return nil, err
	}
	var n names
	err = d.retry(ctx, func() error {
		members = without(members, c.gone)
		if err := d.strict(ctx, wish, id, members, c); err != nil {
			return err
		}
		e, err := d.creation(rt, id, h, o)
		if err != nil {
			return err
		}
		e.add, e.candidates = members, c
		return d.takeAndName(ctx, e, state{rt, id, h, members}, wanted(rt, p), &n)
	})
	if err != nil && !errors.Is(err, errArrived) {
		return nil, err
	}
	d.logUnknown(ctx, rt, id, len(c.gone))
	r := d.resource(state{rt, id, h, members}, n)
	r.Change = changed(rt, nil, h, nil, o, len(members) > 0)
	return r, nil
}

func (d *Directory) newHead(rt *scim.ResourceType, id string, o scim.Object) (*head, error) {
	doc, err := encode(o)
	now := d.now()
	return &head{
		Key: d.keys.head(rt, id), Tenant: d.keys.tenant, Doc: doc, Display: display(o), Created: now, Modified: now, Ver: 1,
	}, err
}

// creation is how a resource takes effect.
func (d *Directory) creation(rt *scim.ResourceType, id string, h *head, o scim.Object) (*effect, error) {
	found, err := d.bearing(rt, id, o)
	if err != nil {
		return nil, err
	}
	e := &effect{rt: rt, id: id, refused: func(table.Item) error { return errArrived }}
	e.head = table.Put{Item: marshal(h), If: []table.Condition{table.Absent()}}
	d.bear(&e.rest, rt, id, nil, &found)
	return e, d.count(&e.rest, rt, 1)
}

// count adds to a transaction what moves the number of resources, in one of several items so that writers seldom meet.
func (d *Directory) count(t *transaction, rt *scim.ResourceType, by int64) error {
	shard, err := d.random(1)
	if err == nil {
		t.add(table.Update{Key: d.keys.count(rt, shard[0]), Add: table.Item{"n": table.N(by)}}, lost)
	}
	return err
}

// split takes the ids of the members out of a resource that a client sent.
func split(rt *scim.ResourceType, o scim.Object) (members []string, rest scim.Object) {
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

func without(ids []string, gone map[string]bool) (left []string) {
	for _, id := range ids {
		if !gone[id] {
			left = append(left, id)
		}
	}
	return left
}

// takeAndName makes an effect happen and meanwhile reads the names that the answer will show.
func (d *Directory) takeAndName(ctx context.Context, e *effect, s state, w parts, n *names) error {
	var failed, unnamed error
	calls := []func() error{func() error { failed = d.take(ctx, e); return nil }}
	if w.displays && len(s.members)+len(s.head.Groups) > 0 {
		calls = append(calls, func() error { *n, unnamed = d.names(ctx, maxShown, s); return nil })
	}
	d.together(calls...) // which keep their errors to themselves
	if unnamed != nil {  // what is written is written; the names are a courtesy
		d.Log.WarnContext(ctx, "display names left out", "error", unnamed)
		*n = names{}
	}
	return failed
}

// logUnknown tells the operator what the client learns from the result: that some members do not exist.
func (d *Directory) logUnknown(ctx context.Context, rt *scim.ResourceType, id string, unknown int) {
	if unknown > 0 {
		d.Log.WarnContext(ctx, "unknown members left out", "resourceType", rt.Name, "id", id, "members", unknown)
	}
}
