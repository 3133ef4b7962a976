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
	key   table.Key
	judge func(*look) verdict
}

// verdict is what a check found.
type verdict struct {
	wrong  string        // "": nothing
	repair []table.Write // which depends on all that the look showed
	open   string        // why there is none
}

func wrong(what string, repair ...table.Write) verdict { return verdict{wrong: what, repair: repair} }

func damaged(what string, err error) verdict {
	return verdict{wrong: "damaged " + what + ": " + err.Error(), open: "what it held is not known"}
}

const (
	looks   = 20   // at a finding that changes meanwhile
	maxRead = 1000 // items, for the checks of a page at once
	checked = 100  // items of a page at once; each refers to one head or two, and these can be large
)

// inspect makes checks by plain reads, many at a time, and what these find wrong once more, each alone.
func (i *inspection) inspect(ctx context.Context, checks []check, l *look) error {
	for len(checks) > 0 {
		n, asked := l.ask(checks)
		items, err := i.Table.Get(ctx, nil, asked...)
		if err != nil {
			return err
		}
		l.read(asked, items)
		suspects := slices.DeleteFunc(slices.Clone(checks[:n]), func(c check) bool { return l.passes(c) })
		l.forget(asked)
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
func (i *inspection) confirm(ctx context.Context, c check) error {
	keys, v := []table.Key{c.key}, verdict{}
	for n := range looks {
		l, err := i.snapshot(ctx, keys...)
		if err != nil {
			return err
		}
		v = l.verdict(c)
		if len(l.wants) > 0 { // it was not yet known on which items it depends
			keys, v = append(keys, l.wants...), verdict{}
		} else if done, err := i.settle(ctx, c.key, v); done || err != nil {
			return err
		} else if err := i.Backoff.Wait(ctx, n); err != nil {
			return err
		}
	}
	if v.wrong != "" {
		i.report(c.key, v.wrong, "not repaired: it changes all the time")
	}
	return nil
}

// snapshot is a look at items as of one instant.
func (i *inspection) snapshot(ctx context.Context, keys ...table.Key) (*look, error) {
	l := newLook(nil)
	items, err := i.Table.Snapshot(ctx, keys...)
	l.read(keys, items)
	return l, err
}

// settle ends with a verdict, unless its repair is refused because something has changed.
func (i *inspection) settle(ctx context.Context, k table.Key, v verdict) (done bool, err error) {
	switch {
	case v.wrong == "":
		return true, nil
	case !i.Repair:
		i.report(k, v.wrong)
		return true, nil
	case v.repair == nil:
		i.report(k, v.wrong, "not repaired: "+v.open)
		return true, nil
	}
	err = i.Table.Write(ctx, v.repair...)
	refused, tooLarge, invalid := (*table.Refused)(nil), (*table.TooLarge)(nil), (*table.Invalid)(nil)
	switch {
	case err == nil:
		i.report(k, v.wrong, "repaired")
	case errors.As(err, &refused):
		return false, nil
	case errors.As(err, &tooLarge), errors.As(err, &invalid):
		i.report(k, v.wrong, "not repaired: "+err.Error())
	default:
		return false, err
	}
	return true, nil
}

func (i *inspection) report(k table.Key, what ...string) {
	i.findings++
	i.Report(fmt.Sprintf("%q %q: %s", k.PK, k.SK, strings.Join(what, ": ")))
}

// look is items as they were read. A check asks it for the items that it depends on; what was not read is then in wants,
// and the answer is void.
type look struct {
	items     map[table.Key]table.Item // nil: absent
	wants     []table.Key
	resources map[table.Key]*sighting
}

func newLook(items []table.Item) *look {
	l := &look{items: map[table.Key]table.Item{}, resources: map[table.Key]*sighting{}}
	for _, it := range items {
		l.items[it.Key()] = it
	}
	return l
}

// ask finds which items the first of some checks depend on: as many of these as can be read at once.
func (l *look) ask(checks []check) (n int, asked []table.Key) {
	for ; n < len(checks) && len(l.wants) < maxRead; n++ {
		l.verdict(checks[n])
	}
	asked, l.wants = l.wants, nil
	return n, asked
}

func (l *look) read(asked []table.Key, items []table.Item) {
	l.forget(asked)
	for _, k := range asked {
		l.items[k] = nil
	}
	for _, it := range items {
		l.items[it.Key()] = it
	}
}

func (l *look) forget(asked []table.Key) {
	for _, k := range asked {
		delete(l.items, k)
	}
	clear(l.resources)
}

// verdict is that of a check, nothing if its item is gone.
func (l *look) verdict(c check) verdict {
	if l.item(c.key) == nil {
		return verdict{}
	}
	return c.judge(l)
}

// passes tells whether a check finds nothing, and depends on nothing that was not read.
func (l *look) passes(c check) bool {
	v := l.verdict(c)
	if len(l.wants) == 0 {
		return v.wrong == ""
	}
	for _, k := range l.wants {
		delete(l.items, k)
		delete(l.resources, k)
	}
	l.wants = nil
	return false
}

// item is an item, nil if there is none.
func (l *look) item(k table.Key) table.Item {
	it, read := l.items[k]
	if !read {
		l.items[k], l.wants = nil, append(l.wants, k)
	}
	return it
}

// sighting is a head as it was read; a zero one where there is none.
type sighting struct {
	head
	bearing
	there  bool
	damage error // why it is no head, or none of a resource
}

func (s *sighting) live() bool { return s.there && s.damage == nil && !s.Deleting }

func (l *look) resource(p position, id string) *sighting {
	k := p.keys.head(p.rt, id)
	s := l.resources[k]
	if it := l.item(k); s == nil {
		s = p.sighting(id, it)
		l.resources[k] = s
	}
	return s
}

func (p position) sighting(id string, it table.Item) *sighting {
	s := &sighting{there: it != nil}
	if !s.there {
		return s
	}
	if s.damage = unmarshal(it, &s.head); s.damage != nil {
		return &sighting{there: true, damage: s.damage}
	}
	o, err := decode(s.Doc)
	if s.damage = err; err == nil {
		s.bearing, s.damage = p.bearing(p.rt, id, o)
	}
	return s
}

// unchanged is the conditions that an item is as it was read, by some of its attributes.
func unchanged(it table.Item, attributes ...string) []table.Condition {
	if it == nil {
		return []table.Condition{table.Absent()}
	}
	conditions := []table.Condition{table.Exists()}
	for _, name := range attributes {
		if v, ok := it[name]; ok {
			conditions = append(conditions, table.Equals(name, v))
		} else {
			conditions = append(conditions, table.Without(name))
		}
	}
	return conditions
}

// same is the check that an item is as it was read.
func (l *look) same(k table.Key, attributes ...string) table.Check {
	return table.Check{Key: k, If: unchanged(l.item(k), attributes...)}
}
