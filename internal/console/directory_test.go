package console

import (
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/scim"
)

// A word searches names. A filter is sent unchanged.
func TestSearch(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme")
	s.user("acme", "ada@example.com")
	s.user("acme", `bob "le" grand`)
	s.group("acme", "Engineers")
	for search, want := range map[string][]string{
		"type=User": {"ada@example.com", `bob "le" grand`}, "q=ADA": {"ada@example.com"}, "q=example.com&type=User": {"ada@example.com"},
		"q=" + url.QueryEscape(`"le"`): {`bob "le" grand`}, "q=nobody": {}, "type=Group&q=gineer": {"Engineers"},
		"q=" + url.QueryEscape(`emails.value eq "ADA@example.com"`): {"ada@example.com"}, "q=" + url.QueryEscape("(active pr)"): {},
		"sort=name&order=descending": {`bob "le" grand`, "ada@example.com"},
	} {
		body, got := s.page("/console/directory?"+search, 200), []string{}
		for _, m := range regexp.MustCompile(`id=[ug][0-9a-v]{26}">([^<]*)</a>`).FindAllStringSubmatch(body, -1) {
			got = append(got, html.UnescapeString(m[1]))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", search, got, want)
		}
	}
}

// A rejected filter shows the detail of the server, and stays in the form.
func TestRejectedFilterShowsTheDetail(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme")
	body := s.page("/console/directory?q=userName+eq+(", 400)
	if !strings.Contains(body, "The filter is not valid") || !strings.Contains(body, `value="userName eq ("`) {
		t.Error(body)
	}
}

// The links to the next page lead to every resource once, and back.
func TestPages(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme")
	var ids []string
	for i := range 120 {
		ids = append(ids, s.user("acme", fmt.Sprintf("user%03d", i)))
	}
	group := s.group("acme", "all", ids...)
	for _, first := range []string{"/console/directory?q=user", "/console/directory/resource?type=Group&id=" + group} {
		seen, path, previous := map[string]bool{}, first, ""
		for n := range 3 {
			body := s.page(path, 200)
			for _, l := range links(body, "user") {
				if id := l[len(l)-27:]; seen[id] {
					t.Errorf("%s lists %s again", path, id)
				} else {
					seen[id] = true
				}
			}
			if next := links(body, "Next"); n < 2 {
				previous, path = path, s.link(body, "Next")
			} else if len(next) > 0 {
				t.Errorf("the last page has a next page %s", next)
			} else if body = s.page(s.link(body, "Previous"), 200); !strings.Contains(body, "51 to 100 of 120") {
				t.Errorf("before %s: %s", previous, body)
			}
		}
		if len(seen) != 120 {
			t.Errorf("%s: %d resources", first, len(seen))
		}
	}
}

// Links lead from a user to a group, to its items, and along an edge back to the user.
func TestLinksFollowMemberships(t *testing.T) {
	t.Parallel()
	s := newSite(t, "a#b")
	ada := s.user("a#b", "ada")
	s.group("a#b", "Engineers", ada)
	s.publish()
	body := s.page("/console/directory", 200)
	body = s.page(s.link(body, "ada"), 200)
	body = s.page(s.link(body, "Engineers"), 200)
	body = s.page(s.link(body, "items"), 200)
	if !strings.Contains(body, "Member#"+ada) {
		t.Fatal(body)
	}
	body = s.page(s.link(body, "a%23b#User#"+ada), 200)
	if !strings.Contains(body, ">head</td>") {
		t.Error(body)
	}
	if group := s.page(s.link(body, "a%23b#Group#"), 200); !strings.Contains(group, "display: Engineers") {
		t.Error(group)
	}
	body = s.page(s.link(body, "User "), 200)
	for _, part := range []string{"was created", "joined 1 group", `type=Group`, ">Engineers</a>", ada} {
		if !strings.Contains(body, part) {
			t.Errorf("the page has no %s: %s", part, body)
		}
	}
}

// The page of a group of 100,000 members, and that of its items, are small.
func TestLargeGroupHasSmallPages(t *testing.T) {
	t.Parallel()
	s, n := newSite(t, "acme"), 100_000
	if testing.Short() || directorytest.RaceEnabled() {
		n = 10_000
	}
	seeder := directorytest.NewSeeder(s.table, "acme")
	ids, err := seeder.Users(t.Context(), n, func(i int) scim.Object { return scim.Object{"userName": fmt.Sprintf("user%06d", i)} })
	if err != nil {
		t.Fatal(err)
	}
	group, err := seeder.GroupOf(t.Context(), "all", ids...)
	if err != nil {
		t.Fatal(err)
	}
	body := s.page("/console/directory/resource?type=Group&id="+group, 200)
	if !strings.Contains(body, fmt.Sprintf("1 to 50 of %d.", n)) || len(body) > 50_000 {
		t.Errorf("%d bytes: %.9000s", len(body), body)
	}
	body = s.page("/console/items?pk=acme%23Group%23"+group, 200)
	if next := s.page(s.link(body, "Next"), 200); len(body) > 100_000 || !strings.Contains(next, "Items on this page: 100,") || next == body {
		t.Errorf("%d bytes: %.9000s", len(body), body)
	}
}

// What does not exist is not found, and what is not valid is rejected.
func TestUnknownIsNotFound(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme")
	ada := s.user("acme", "ada")
	for path, status := range map[string]int{
		"directory?tenant=other": 404, "directory?type=Robot": 404, "directory?start=x": 400, "changes?tenant=other": 404, "changes?before=1": 400,
		"directory/resource": 404, "directory/resource?type=User&id=u06h2hgpok3o36g416qbb4t05fg": 404, "directory/resource?id=" + ada: 200,
		"directory/resource?type=Group&id=" + ada: 404, "directory/resource?id=..%2FUsers%2F" + ada: 404, "directory/resource?id=%00%ff%22": 404,
		"items?tenant=other": 404, "items?pk=none": 200, "items?token=none&list=acme%23token": 404, "items?pk=" + strings.Repeat("x", 3000): 400,
		"items?pk=%ff": 400, "changes/live?tenant=other": 400, "changes/live?after=x": 400, "nothing": 404,
	} {
		s.page(Root+path, status)
	}
}
