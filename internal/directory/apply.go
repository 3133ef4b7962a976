package directory

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// hurry is how long before its deadline a request leaves what has taken effect to others, to be answered in time.
const hurry = 3 * time.Second

func (d *Directory) hurried(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && deadline.Round(0).Sub(d.Now().Round(0)) < hurry
}

// finish applies a committed change by its writer, who knows the Change items. Whatever goes wrong now, the change is
// made: others finish it.
func (d *Directory) finish(ctx context.Context, l *redo) {
	var err error
	for some := range slices.Chunk(l.parts, max(1, d.Abreast)) {
		if d.hurried(ctx) {
			return
		}
		var calls []func() error
		for _, p := range some {
			calls = append(calls, func() error { return d.apply(ctx, l.rt, l.id, l.change, p) })
		}
		if err = d.together(calls...); err != nil {
			break
		}
	}
	if err == nil {
		err = d.clear(ctx, l.rt, l.id, l.change)
	}
	if errors.Is(err, errLost) {
		err = d.help(ctx, l.rt, l.id, l.change)
	}
	if err != nil {
		d.Log.WarnContext(ctx, "a change is left to be applied by others", "id", l.id, "change", l.change, "error", err)
	}
}

// errApplied says that another has applied a Change item.
var errApplied = errors.New("directory: applied")

// apply writes the memberships of one Change item, which goes with it: so nobody writes them twice. Members that are
// gone are left out, as if they had gone afterwards; so is what is so already, which a restored table can hold.
func (d *Directory) apply(ctx context.Context, rt *scim.ResourceType, id, change string, p part) error {
	out := map[string]bool{}
	err := d.retry(ctx, func() error {
		add, del := without(p.Add, out), without(p.Del, out)
		applied := func(table.Item) error { return errApplied }
		t := &transaction{}
		t.add(table.Update{
			Key: d.keys.head(rt, id),
			Add: table.Item{
				"left": table.N(-1),
				"n":    table.N(int64(len(add) - len(del))),
				"sum":  table.N(digests(add) - digests(del)),
			},
			If: []table.Condition{table.Equals("pending", table.S(change))},
		}, applied)
		t.add(table.Delete{Key: p.Key, If: []table.Condition{table.Exists()}}, applied)
		for _, m := range add {
			d.link(t, rt, id, m, leaveOut(m, out), leaveOut(m, out))
		}
		for _, m := range del {
			d.unlink(t, rt, id, m, leaveOut(m, out))
		}
		return d.write(ctx, t)
	})
	if errors.Is(err, errApplied) {
		return nil
	}
	return err
}

func leaveOut(m string, out map[string]bool) reason {
	return func(table.Item) error {
		out[m] = true
		return errLost
	}
}

// clear ends a change of which nothing is left to be applied.
func (d *Directory) clear(ctx context.Context, rt *scim.ResourceType, id, change string) error {
	t := &transaction{}
	t.add(table.Update{
		Key:    d.keys.head(rt, id),
		Remove: []string{"pending", "left"},
		If:     []table.Condition{table.Equals("pending", table.S(change)), table.Equals("left", table.N(0))},
	}, lost)
	t.add(table.Delete{Key: d.keys.marker(rt, id, change)}, lost)
	return d.write(ctx, t)
}

// help finishes the pending change of a group, whoever began it.
func (d *Directory) help(ctx context.Context, rt *scim.ResourceType, id, change string) error {
	return d.retry(ctx, func() error {
		items, err := d.Table.Get(ctx, nil, d.keys.head(rt, id))
		if err != nil || len(items) == 0 {
			return err
		}
		var h head
		if err := unmarshal(items[0], &h); err != nil || h.Pending != change {
			return err
		}
		if h.Left > 0 {
			if err := d.applyAll(ctx, rt, id, change); err != nil {
				return err
			}
			return errLost // look again
		}
		return d.clear(ctx, rt, id, change)
	})
}

// applyAll applies the Change items that can be seen, in random order, so that helpers seldom meet.
func (d *Directory) applyAll(ctx context.Context, rt *scim.ResourceType, id, change string) error {
	page, err := d.Table.Query(ctx, table.Range{PK: d.keys.resource(rt, id), Prefix: changePrefix + change + "#"})
	if err != nil {
		return err
	}
	seed, err := d.random(32)
	if err != nil {
		return err
	}
	for _, i := range rand.New(rand.NewChaCha8([32]byte(seed))).Perm(len(page.Items)) {
		var p part
		if err := unmarshal(page.Items[i], &p); err != nil {
			return err
		}
		if err := d.apply(ctx, rt, id, change, p); err != nil {
			return err
		}
	}
	return nil
}
