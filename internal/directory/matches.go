package directory

import (
	"context"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// matches collects what a filter means: how much that is, and the page that was asked for.
type matches struct {
	*Directory
	rt        *scim.ResourceType
	query     Query
	predicate scim.Predicate
	needs     parts

	total  int
	window []state
}

// keyed tests what was found by keys. A name or a lookup item may be seen before or after what it points to, so what
// is found is tested like anything else.
func (m *matches) keyed(ctx context.Context, a access) error {
	ids, err := a(ctx)
	if err != nil {
		return err
	}
	return m.test(ctx, ids)
}

// walk tests every resource, in the order of names.
func (m *matches) walk(ctx context.Context) error {
	r := table.Range{PK: m.keys.resources(m.rt), Prefix: namePrefix(m.rt), Limit: batch}
	for {
		ids, next, err := m.directory(ctx, r)
		if err != nil {
			return err
		}
		if err := m.test(ctx, ids); err != nil || next == "" {
			return err
		}
		r.After = next
	}
}

// test counts the resources that match, and keeps those of the page.
func (m *matches) test(ctx context.Context, ids []string) error {
	states, err := m.heads(ctx, m.rt, ids)
	if err != nil {
		return err
	}
	if states, err = m.withMembers(ctx, m.rt, states, m.needs); err != nil {
		return err
	}
	resources, err := m.show(ctx, m.rt, states, m.needs.displays)
	if err != nil {
		return err
	}
	for i, r := range resources {
		if !m.predicate(r.Object) {
			continue
		}
		if m.total++; m.total >= m.query.StartIndex && len(m.window) < m.query.Count {
			m.window = append(m.window, state{id: states[i].id, head: states[i].head})
		}
	}
	return nil
}
