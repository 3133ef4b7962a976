package directory

import (
	"context"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// access finds the ids of all resources that a filter can mean, by keys; it may find others, too.
type access func(ctx context.Context) (ids []string, err error)

// access is the way by keys that a filter allows, nil if there is none.
func (d *Directory) access(rt *scim.ResourceType, f filter.Expr) access {
	switch f := f.(type) {
	case *filter.And:
		if a := d.access(rt, f.X); a != nil {
			return a
		}
		return d.access(rt, f.Y)
	case *filter.Compare:
		s, ok := f.Value.(string)
		r, known := rt.Resolve(f.Attr)
		if f.Op != filter.EQ || !ok || !known || r.Extension != "" {
			return nil
		}
		return d.accessBy(rt, r, s)
	}
	return nil
}

// accessBy is the way to what has a value in an attribute.
func (d *Directory) accessBy(rt *scim.ResourceType, r scim.Ref, value string) access {
	if r.Attr.Name == "id" {
		return func(context.Context) ([]string, error) {
			if !rt.IsID(value) {
				return nil, nil
			}
			return []string{value}, nil
		}
	}
	if r.Attr.Name == rt.Storage.Name {
		return func(ctx context.Context) ([]string, error) { return d.named(ctx, rt, scim.Fold(value)) }
	}
	for _, attribute := range rt.Storage.Lookups {
		l, _ := rt.Lookup(attribute)
		if r.Attr == l.Attr && (r.Sub == l.Sub || r.Sub == nil) {
			return func(ctx context.Context) ([]string, error) {
				return d.lookedUp(ctx, rt, attribute, l.Leaf().Fold(value))
			}
		}
	}
	return nil
}

// named is the id of the resource with a folded name.
func (d *Directory) named(ctx context.Context, rt *scim.ResourceType, folded string) ([]string, error) {
	if len(folded) > maxName {
		return nil, nil
	}
	items, err := d.Table.Get(ctx, d.keys.name(rt, folded))
	if err != nil || len(items) == 0 {
		return nil, err
	}
	n := name{}
	err = unmarshal(items[0], &n)
	return []string{n.ID}, err
}

// lookedUp is the ids of the resources with a folded value in an attribute.
func (d *Directory) lookedUp(ctx context.Context, rt *scim.ResourceType, attribute, value string) (ids []string, err error) {
	r := table.Range{PK: d.keys.lookup(rt, attribute, value), Attributes: []string{"PK", "SK"}}
	for {
		page, err := d.Table.Query(ctx, r)
		if err != nil {
			return nil, err
		}
		for _, it := range page.Items {
			ids = append(ids, it.Key().SK)
		}
		if r.After = page.Next.SK; r.After == "" {
			return ids, nil
		}
	}
}

// mentioned is the parts that a filter speaks of, and that must be read to test it.
func mentioned(rt *scim.ResourceType, f filter.Expr) (w parts) {
	of := func(a filter.Attr) parts {
		r, _ := rt.Resolve(a)
		if r.Attr == nil {
			return parts{}
		}
		members, groups := r.Attr.Name == "members", r.Attr.Name == "groups"
		display := r.Sub != nil && r.Sub.Name == "display"
		return parts{members: members, displays: display && (members || groups)}
	}
	switch f := f.(type) {
	case *filter.And:
		w = mentioned(rt, f.X).or(mentioned(rt, f.Y))
	case *filter.Or:
		w = mentioned(rt, f.X).or(mentioned(rt, f.Y))
	case *filter.Not:
		w = mentioned(rt, f.X)
	case *filter.Compare:
		w = of(f.Attr)
	case *filter.Present:
		w = of(f.Attr)
	case *filter.ValuePath: // its filter may speak of the display
		w = of(filter.Attr{URN: f.Attr.URN, Name: f.Attr.Name, Sub: "display"})
	}
	return w
}

func (w parts) or(v parts) parts {
	return parts{members: w.members || v.members, displays: w.displays || v.displays}
}
