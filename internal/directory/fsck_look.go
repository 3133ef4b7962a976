package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"serverless-scim/internal/table"
)

// check tells by a look at the items that it asks for whether the item with its key is right.
type check struct {
	key      table.Key
	evaluate func(*itemView) finding
}

// finding is what a check found.
type finding struct {
	problem        string        // "": nothing
	repair         []table.Write // which depends on all that the look showed
	whyNotRepaired string        // why there is none
}

func newFinding(what string, repair ...table.Write) finding {
	return finding{problem: what, repair: repair}
}

func corruptFinding(what string, err error) finding {
	return finding{problem: "damaged " + what + ": " + err.Error(), whyNotRepaired: "what it held is not known"}
}

const (
	maxConfirmAttempts = 20   // at a finding that changes meanwhile
	maxReadItems       = 1000 // items, for the checks of a page at once
	checkBatch         = 100  // items of a page at once; each refers to one head or two, and these can be large
)

// runChecks makes checks by plain reads, many at a time, and what these find wrong once more, each alone.
func (i *checkRun) runChecks(ctx context.Context, checks []check, l *itemView) error {
	for len(checks) > 0 {
		n, asked := l.collectKeys(checks)
		items, err := i.Table.Get(ctx, nil, asked...)
		if err != nil {
			return err
		}
		l.load(asked, items)
		suspects := slices.DeleteFunc(slices.Clone(checks[:n]), func(c check) bool { return l.passes(c) })
		l.unload(asked)
		for _, c := range suspects {
			if err := i.confirm(ctx, c); err != nil {
				return err
			}
		}
		checks = checks[n:]
	}
	return nil
}

// confirm makes a check as of one instant, and repairs what is wrong or reports it.
func (i *checkRun) confirm(ctx context.Context, c check) error {
	keys, v := []table.Key{c.key}, finding{}
	for n := range maxConfirmAttempts {
		l, err := i.snapshot(ctx, keys...)
		if err != nil {
			return err
		}
		v = l.evaluate(c)
		if len(l.unread) > 0 { // it was not yet known on which items it depends
			keys, v = append(keys, l.unread...), finding{}
		} else if done, err := i.repairOrReport(ctx, c.key, v); done || err != nil {
			return err
		} else if err := i.Backoff.Wait(ctx, n); err != nil {
			return err
		}
	}
	if v.problem != "" {
		i.report(c.key, v.problem, "not repaired: it changes all the time")
	}
	return nil
}

// snapshot is a look at items as of one instant.
func (i *checkRun) snapshot(ctx context.Context, keys ...table.Key) (*itemView, error) {
	l := newItemView(nil)
	items, err := i.Table.Snapshot(ctx, keys...)
	l.load(keys, items)
	return l, err
}

// repairOrReport ends with a verdict, unless its repair is refused because something has changed.
func (i *checkRun) repairOrReport(ctx context.Context, k table.Key, v finding) (done bool, err error) {
	switch {
	case v.problem == "":
		return true, nil
	case !i.Repair:
		i.report(k, v.problem)
		return true, nil
	case v.repair == nil:
		i.report(k, v.problem, "not repaired: "+v.whyNotRepaired)
		return true, nil
	}
	err = i.Table.Write(ctx, v.repair...)
	refused, tooLarge, invalid := (*table.ConditionError)(nil), (*table.TooLargeError)(nil), (*table.InvalidError)(nil)
	switch {
	case err == nil:
		i.report(k, v.problem, "repaired")
	case errors.As(err, &refused):
		return false, nil
	case errors.As(err, &tooLarge), errors.As(err, &invalid):
		i.report(k, v.problem, "not repaired: "+err.Error())
	default:
		return false, err
	}
	return true, nil
}

func (i *checkRun) report(k table.Key, what ...string) {
	i.findings++
	i.Report(fmt.Sprintf("%q %q: %s", k.PK, k.SK, strings.Join(what, ": ")))
}

// itemView is items as they were read. A check asks it for the items that it depends on; what was not read is then in wants,
// and the answer is void.
type itemView struct {
	items     map[table.Key]table.Item // nil: absent
	unread    []table.Key
	resources map[table.Key]*resourceView
}

func newItemView(items []table.Item) *itemView {
	l := &itemView{items: map[table.Key]table.Item{}, resources: map[table.Key]*resourceView{}}
	for _, it := range items {
		l.items[it.Key()] = it
	}
	return l
}

// collectKeys finds which items the first of some checks depend on: as many of these as can be read at once.
func (l *itemView) collectKeys(checks []check) (n int, asked []table.Key) {
	for ; n < len(checks) && len(l.unread) < maxReadItems; n++ {
		l.evaluate(checks[n])
	}
	asked, l.unread = l.unread, nil
	return n, asked
}

func (l *itemView) load(asked []table.Key, items []table.Item) {
	l.unload(asked)
	for _, k := range asked {
		l.items[k] = nil
	}
	for _, it := range items {
		l.items[it.Key()] = it
	}
}

func (l *itemView) unload(asked []table.Key) {
	for _, k := range asked {
		delete(l.items, k)
	}
	clear(l.resources)
}

// evaluate is that of a check, nothing if its item is gone.
func (l *itemView) evaluate(c check) finding {
	if l.item(c.key) == nil {
		return finding{}
	}
	return c.evaluate(l)
}

// passes tells whether a check finds nothing, and depends on nothing that was not read.
func (l *itemView) passes(c check) bool {
	v := l.evaluate(c)
	if len(l.unread) == 0 {
		return v.problem == ""
	}
	for _, k := range l.unread {
		delete(l.items, k)
		delete(l.resources, k)
	}
	l.unread = nil
	return false
}

// item is an item, nil if there is none.
func (l *itemView) item(k table.Key) table.Item {
	it, read := l.items[k]
	if !read {
		l.items[k], l.unread = nil, append(l.unread, k)
	}
	return it
}

// resourceView is a head as it was read; a zero one where there is none.
type resourceView struct {
	HeadItem
	IndexEntries
	exists bool
	err    error // why it is no head, or none of a resource
}

func (s *resourceView) live() bool { return s.exists && s.err == nil && !s.Deleting }

func (l *itemView) resource(p itemRef, id string) *resourceView {
	k := p.keys.Head(p.rt, id)
	s := l.resources[k]
	if it := l.item(k); s == nil {
		s = p.newResourceView(id, it)
		l.resources[k] = s
	}
	return s
}

func (p itemRef) newResourceView(id string, it table.Item) *resourceView {
	s := &resourceView{exists: it != nil}
	if !s.exists {
		return s
	}
	if s.err = UnmarshalItem(it, &s.HeadItem); s.err != nil {
		return &resourceView{exists: true, err: s.err}
	}
	o, err := DecodeDocument(s.Document)
	if s.err = err; err == nil {
		s.IndexEntries, s.err = p.NewIndexEntries(p.rt, id, o)
	}
	return s
}

// unchangedConditions is the conditions that an item is as it was read, by some of its attributes.
func unchangedConditions(it table.Item, attributes ...string) []table.Condition {
	if it == nil {
		return []table.Condition{table.NotExists()}
	}
	conditions := []table.Condition{table.Exists()}
	for _, name := range attributes {
		if v, ok := it[name]; ok {
			conditions = append(conditions, table.Equals(name, v))
		} else {
			conditions = append(conditions, table.AttributeNotExists(name))
		}
	}
	return conditions
}

// unchangedCheck is the check that an item is as it was read.
func (l *itemView) unchangedCheck(k table.Key, attributes ...string) table.ConditionCheck {
	return table.ConditionCheck{Key: k, If: unchangedConditions(l.item(k), attributes...)}
}
