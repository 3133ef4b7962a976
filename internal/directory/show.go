package directory

import (
	"context"
	"slices"

	"serverless-scim/internal/scim"
)

// ResourceState is a resource as read: its head and, of a group, its members if they were read.
type ResourceState struct {
	rt      *scim.ResourceType
	id      string
	head    *HeadItem
	members []string
}

// responseReads says what of a resource must be read for an answer beside its head.
type responseReads struct{ members, displayNames bool }

// readsForResponse is the parts that a projection shows.
func readsForResponse(rt *scim.ResourceType, p scim.Projection) responseReads {
	if a := rt.Attribute("members"); a != nil && p.Includes(a) {
		return responseReads{members: true, displayNames: true}
	}
	a := rt.Attribute("groups")
	return responseReads{displayNames: a != nil && p.Includes(a)}
}

// isLargeGroup tells whether a group has so many members that an answer shows no more than who they are.
func (s ResourceState) isLargeGroup() bool { return len(s.members) > maxDisplayNames }

// DisplayNames is the display names of other resources, as far as they were read.
type DisplayNames struct {
	byID    map[string]string
	missing map[string]bool // those that cannot be seen; answers leave them out
}

// BuildObject is the tree of a resource.
func (d *Store) BuildObject(s ResourceState, n DisplayNames) (scim.Object, error) {
	rt := s.rt
	o, err := DecodeDocument(s.head.Document)
	if err != nil {
		return nil, err
	}
	o["schemas"], o["id"] = rt.SchemaURNs(o), s.id
	o["meta"] = scim.Object{
		"resourceType": rt.Name,
		"created":      s.head.Created,
		"lastModified": s.head.LastModified,
		"version":      s.head.EntityTag(rt),
		"location":     d.Location(rt, s.id),
	}
	if isGroup(rt) {
		d.setReferences(o, "members", s.members, n)
	}
	if rt.Attribute("groups") != nil {
		d.setReferences(o, "groups", s.head.Groups, n)
	}
	return o, nil
}

// Location is the address of a resource.
func (d *Store) Location(rt *scim.ResourceType, id string) string {
	return d.baseURL + rt.Endpoint + "/" + id
}

// setReferences sets the canonical value of members or groups.
func (d *Store) setReferences(o scim.Object, attribute string, ids []string, n DisplayNames) {
	var list []any
	for _, id := range ids {
		if n.missing[id] {
			continue
		}
		rt := d.Types.ByID(id)
		e := scim.Object{"value": id, "$ref": d.Location(rt, id), "type": rt.Name}
		if attribute == "groups" {
			e["type"] = "direct"
		}
		if display := n.byID[id]; display != "" {
			e["display"] = display
		}
		list = append(list, e)
	}
	if list != nil {
		o[attribute] = list
	}
}

// newResources makes the resources of states, with the display names that an answer resolves.
func (d *Store) newResources(ctx context.Context, states []ResourceState, displays bool) ([]*Resource, error) {
	var n DisplayNames
	if displays {
		var err error
		if n, err = d.ReadDisplayNamesFor(ctx, maxDisplayNames, states...); err != nil {
			return nil, err
		}
	}
	all := make([]*Resource, 0, len(states))
	for _, s := range states {
		all = append(all, d.newResource(s, n))
	}
	return all, nil
}

// ReadDisplayNamesFor reads the first display names, most of them at most, that an answer shows. Groups of more members go without.
func (d *Store) ReadDisplayNamesFor(ctx context.Context, most int, states ...ResourceState) (DisplayNames, error) {
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
	return d.ReadDisplayNames(ctx, wanted[:min(most, len(wanted))])
}
