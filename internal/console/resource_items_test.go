package console

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/table"
)

// owned returns the keys that a page lists as items of the resource, and how many of them it calls missing.
func owned(s *site, body string) (keys []string, missing int) {
	s.Helper()
	_, section, _ := strings.Cut(body, `id="owned"`)
	section, _, _ = strings.Cut(section, "</tbody>")
	for _, address := range links(section, "") {
		keys = append(keys, address)
		s.page(address, 200)
	}
	slices.Sort(keys)
	return keys, strings.Count(section, ">missing<")
}

// belonging returns the addresses of the items in the table that name a resource, except entries of the change log.
func belonging(s *site, id string) (keys []string) {
	for _, it := range s.dump() {
		k := it.Key()
		if strings.HasSuffix(k.PK, "#changes") || !strings.Contains(k.PK+k.SK+table.StringValue(it["id"]), id) {
			continue
		}
		keys = append(keys, "/console/items?"+url.Values{"pk": {k.PK}, "prefix": {k.SK}}.Encode())
	}
	slices.Sort(keys)
	return keys
}

// The page of a resource lists every item that belongs to it, in all partitions, and no other.
func TestResourceListsItsItems(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme", "other")
	ada := s.user("acme", "ÄDA <b>#@Example.com")
	s.user("other", "ÄDA <b>#@Example.com")
	long := s.scim("acme", "POST", "/Users", map[string]any{"userName": "long", "emails": []any{map[string]any{"value": strings.Repeat("x", 600)}}})
	outer, inner := s.group("acme", "outer", ada), s.group("acme", "inner", ada, long)
	s.scim("acme", "PUT", "/Groups/"+outer, map[string]any{"displayName": "outer", "members": []any{map[string]any{"value": inner}, map[string]any{"value": ada}}})
	s.publish()
	unfinished := []table.Key{{PK: "acme#Group#" + inner, SK: "Change#c1#0000"}, {PK: intentPartition, SK: "acme#Group#" + inner + "#c1"}}
	for _, k := range unfinished {
		if err := s.table.Write(t.Context(), table.Put{Item: table.Item{"PK": table.S(k.PK), "SK": table.S(k.SK)}}); err != nil {
			t.Fatal(err)
		}
	}
	for id, typ := range map[string]string{ada: "User", long: "User", outer: "Group", inner: "Group"} {
		got, missing := owned(s, s.page("/console/directory/resource?tenant=acme&type="+typ+"&id="+id, 200))
		if want := belonging(s, id); !slices.Equal(got, want) || missing > 0 || len(want) < 5 {
			t.Errorf("%s %s has the items\n%s\nwant\n%s\nmissing: %d", typ, id, strings.Join(got, "\n"), strings.Join(want, "\n"), missing)
		}
	}
	lost := []table.Write{table.Delete{Key: table.Key{PK: "acme#User#externalId#ÄDA <b>#@Example.com", SK: ada}}, table.Delete{Key: table.Key{PK: "acme#Group#" + outer, SK: edgePrefix + ada}}}
	if err := s.table.Write(t.Context(), lost...); err != nil {
		t.Fatal(err)
	}
	if _, missing := owned(s, s.page("/console/directory/resource?tenant=acme&type=User&id="+ada, 200)); missing != len(lost) {
		t.Errorf("%d items are missing, want %d", missing, len(lost))
	}
}

// The page of a resource lists a bounded number of edges, says how many there are, and leads to all of them.
func TestListOfItemsIsBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme")
	var members []string
	for i := range maxListedEdges + 5 {
		members = append(members, s.user("acme", fmt.Sprint("user", i)))
	}
	group := ""
	for i := range maxListedEdges + 3 {
		group = s.group("acme", fmt.Sprint("group", i), members...)
	}
	body := s.page("/console/directory/resource?tenant=acme&type=Group&id="+group, 200)
	all := s.page(s.link(body, "Edges of all members"), 200)
	if got, _ := owned(s, body); len(got) != 3+maxListedEdges || !strings.Contains(body, "Members: 25.") || strings.Count(all, `nowrap">edge<`) != 25 {
		t.Errorf("%d items: %s", len(got), body)
	}
	body = s.page("/console/directory/resource?tenant=acme&type=User&id="+members[0], 200)
	if got, missing := owned(s, body); len(got) != 5+maxListedEdges || missing > 0 || !strings.Contains(body, "Edges in 3 more groups") {
		t.Errorf("%d items, %d missing: %s", len(got), missing, body)
	}
}
