package store

import (
	"context"
	"slices"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// AppendMeta appends the value of a sub-attribute of meta (RFC 7643 §3.1), or nothing if it has none. The schema says which
// sub-attributes there are. The version is HeadItem.EntityTag, without a digest of display names, also in filters.
func (r ResourceState) AppendMeta(b []byte, sub, baseURL string) []byte {
	switch sub {
	case "resourceType":
		return append(b, r.Type.Name...)
	case "created":
		return append(b, r.Head.Created...)
	case "lastModified":
		return append(b, r.Head.LastModified...)
	case "version":
		return r.Head.appendEntityTag(b, r.Type)
	case "location":
		return r.Type.AppendLocation(b, baseURL, r.ID)
	}
	return b
}

// BuildObject returns the resource as a tree of attributes: the document and the attributes that the server computes.
// Filters see this tree. It has the attribute meta, which few filters test, only if withMeta is set.
func (s *Store) BuildObject(baseURL string, r ResourceState, names DisplayNames, withMeta bool) (scim.Object, error) {
	o, err := DecodeDocument(r.Head.Document)
	if err != nil {
		return nil, err
	}
	o["schemas"], o["id"] = r.Type.SchemaURNs(o), r.ID
	if a := r.Type.Attribute("meta"); a != nil && withMeta {
		meta := make(scim.Object, len(a.SubAttributes))
		for _, sub := range a.SubAttributes {
			meta[sub.Name] = string(r.AppendMeta(nil, sub.Name, baseURL))
		}
		o["meta"] = meta
	}
	if IsGroup(r.Type) {
		s.SetReferences(o, r.Type.Attribute("members"), baseURL, r.Members, names)
	}
	if a := r.Type.Attribute("groups"); a != nil {
		s.SetReferences(o, a, baseURL, r.Head.Groups, names)
	}
	return o, nil
}

// SetReferences sets members or groups to the resources with these IDs. It leaves out missing resources, and leaves the
// attribute unassigned if none remain.
func (s *Store) SetReferences(o scim.Object, a *scim.Attribute, baseURL string, ids []string, names DisplayNames) {
	var list []any
	for _, id := range ids {
		if names.Missing[id] {
			continue
		}
		ref := scim.Reference{Type: s.Types.ByID(id), ID: id, Display: names.ByID[id], Direct: a.Name == "groups"}
		e := make(scim.Object, len(a.SubAttributes))
		for _, sub := range a.SubAttributes {
			if value := ref.AppendValue(nil, sub.Name, baseURL); len(value) > 0 {
				e[sub.Name] = string(value)
			}
		}
		list = append(list, e)
	}
	if list != nil {
		o[a.Name] = list
	}
}

// DisplayNames holds display names of resources that members and groups refer to. The zero value holds none.
type DisplayNames struct {
	ByID    map[string]string
	Missing map[string]bool // IDs without a visible resource; responses leave them out
}

// ReadDisplayNames reads the display names of resources. Malformed IDs are skipped.
func (s *Store) ReadDisplayNames(ctx context.Context, ids []string) (DisplayNames, error) {
	var keys []table.Key
	for _, id := range ids {
		if rt := s.Types.ByID(id); rt != nil {
			keys = append(keys, s.Keys.Head(rt, id))
		}
	}
	if len(keys) == 0 {
		return DisplayNames{}, nil
	}
	names := DisplayNames{make(map[string]string, len(keys)), map[string]bool{}}
	items, err := s.Table.Get(ctx, []string{"PK", "display", "deleting"}, keys...)
	for _, it := range items {
		if it["deleting"] == nil {
			names.ByID[idFromPartition(table.StringValue(it["PK"]))] = table.StringValue(it["display"])
		}
	}
	for _, k := range keys {
		if _, found := names.ByID[idFromPartition(k.PK)]; !found {
			names.Missing[idFromPartition(k.PK)] = true
		}
	}
	return names, err
}

// ReadDisplayNamesFor reads the display names of the members and groups of resources, at most limit of them. It skips the
// members of a group that has more than limit.
func (s *Store) ReadDisplayNamesFor(ctx context.Context, limit int, states ...ResourceState) (DisplayNames, error) {
	var ids []string
	for _, r := range states {
		if len(r.Members) <= limit {
			ids = append(ids, r.Members...)
		}
		if r.Type.Attribute("groups") != nil {
			ids = append(ids, r.Head.Groups...)
		}
	}
	seen := make(map[string]bool, len(ids))
	ids = slices.DeleteFunc(ids, func(id string) bool {
		repeated := seen[id]
		seen[id] = true
		return repeated
	})
	return s.ReadDisplayNames(ctx, ids[:min(limit, len(ids))])
}
