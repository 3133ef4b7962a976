package directory

import (
	"context"
	"slices"

	"serverless-scim/internal/scim"
)

// state is a resource as read: its head and, of a group, its members if they were read.
type state struct {
	rt      *scim.ResourceType
	id      string
	head    *head
	members []string
}

// parts says what of a resource must be read for an answer beside its head.
type parts struct{ members, displays bool }

// wanted is the parts that a projection shows.
func wanted(rt *scim.ResourceType, p scim.Projection) parts {
	if a := rt.Attribute("members"); a != nil && p.Wants(a) {
		return parts{members: true, displays: true}
	}
	a := rt.Attribute("groups")
	return parts{displays: a != nil && p.Wants(a)}
}

// large tells whether a group has so many members that an answer shows no more than who they are.
func (s state) large() bool { return len(s.members) > maxShown }

// names is the display names of other resources, as far as they were read.
type names struct {
	display map[string]string
	gone    map[string]bool // those that cannot be seen; answers leave them out
}

// object is the tree of a resource.
func (d *Directory) object(s state, n names) (scim.Object, error) {
	rt := s.rt
	o, err := decode(s.head.Doc)
	if err != nil {
		return nil, err
	}
	o["schemas"], o["id"] = rt.Schemas(o), s.id
	o["meta"] = scim.Object{
		"resourceType": rt.Name,
		"created":      s.head.Created,
		"lastModified": s.head.Modified,
		"version":      s.head.version(rt),
		"location":     d.Location(rt, s.id),
	}
	if isGroup(rt) {
		d.list(o, "members", s.members, n)
	}
	if rt.Attribute("groups") != nil {
		d.list(o, "groups", s.head.Groups, n)
	}
	return o, nil
}

// Location is the address of a resource.
func (d *Directory) Location(rt *scim.ResourceType, id string) string {
	return d.base + rt.Endpoint + "/" + id
}

// list sets the canonical value of members or groups.
func (d *Directory) list(o scim.Object, attribute string, ids []string, n names) {
	var list []any
	for _, id := range ids {
		if n.gone[id] {
			continue
		}
		rt := d.Types.ByID(id)
		e := scim.Object{"value": id, "$ref": d.Location(rt, id), "type": rt.Name}
		if attribute == "groups" {
			e["type"] = "direct"
		}
		if display := n.display[id]; display != "" {
			e["display"] = display
		}
		list = append(list, e)
	}
	if list != nil {
		o[attribute] = list
	}
}

// show makes the resources of states, with the display names that an answer resolves.
func (d *Directory) show(ctx context.Context, states []state, displays bool) ([]*Resource, error) {
	var n names
	if displays {
		var err error
		if n, err = d.names(ctx, maxShown, states...); err != nil {
			return nil, err
		}
	}
	all := make([]*Resource, 0, len(states))
	for _, s := range states {
		all = append(all, d.resource(s, n))
	}
	return all, nil
}

// names reads the first display names, most of them at most, that an answer shows. Groups of more members go without.
func (d *Directory) names(ctx context.Context, most int, states ...state) (names, error) {
	var wanted []string
	for _, s := range states {
		if len(s.members) <= most {
			wanted = append(wanted, s.members...)
		}
		if s.rt.Attribute("groups") != nil {
			wanted = append(wanted, s.head.Groups...)
		}
	}
	seen := make(map[string]bool, len(wanted))
	wanted = slices.DeleteFunc(wanted, func(id string) bool {
		twice := seen[id]
		seen[id] = true
		return twice
	})
	return d.displays(ctx, wanted[:min(most, len(wanted))])
}
