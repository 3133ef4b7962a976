package console

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/table"
)

// The feed tells what happened, the newest first, with links to the request while its exchange is kept.
func TestChanges(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme")
	ada, bob := s.user("acme", "ada"), s.user("acme", "bob")
	s.scim("acme", "PATCH", "/Users/"+ada, map[string]any{"Operations": []any{map[string]any{"op": "replace", "path": "active", "value": false}}})
	s.publish()
	body := s.page("/console/changes", 200)
	if first, second := strings.Index(body, "user.deactivated"), strings.Index(body, "user.created"); first < 0 || second < first {
		t.Errorf("deactivated at %d, created at %d: %s", first, second, body)
	}
	if exchange := s.page("/console/traffic/3", 200); !strings.Contains(body, `href="/console/traffic/3"`) || !strings.Contains(exchange, "PATCH") {
		t.Error(body)
	}
	if body = s.page("/console/directory/resource?type=User&id="+bob, 200); !strings.Contains(body, "user.created") || strings.Contains(body, "user.deactivated") {
		t.Errorf("a history has the changes of one resource: %s", body)
	}
	s.scim("acme", "DELETE", "/Users/"+ada, nil)
	s.publish()
	if body = s.page("/console/directory/resource?type=User&id="+ada, 404); !strings.Contains(body, "user.deleted") || !strings.Contains(body, "does not exist any more") {
		t.Errorf("a deleted resource has its history: %s", body)
	}
	s.console.Traffic.Clear()
	if body = s.page("/console/changes", 200); strings.Contains(body, "/console/traffic/") {
		t.Error("a change links to an exchange that is not kept")
	}
}

// The pages of the change log have every change once.
func TestChangesHavePages(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme")
	for i := range 120 {
		if s.user("acme", fmt.Sprintf("user%03d", i)); i%7 == 0 {
			s.publish()
		}
	}
	s.publish()
	seen, path := map[string]bool{}, "/console/changes"
	for n := 0; path != ""; n++ {
		body := s.page(path, 200)
		list := links(body, "user")
		for _, l := range list {
			seen[l] = true
		}
		if len(list) == 0 || len(list) > 60 || n > 5 {
			t.Fatalf("page %d has %d changes", n, len(list))
		}
		path = strings.Join(links(body, "Older"), "")
	}
	if len(seen) != 120 {
		t.Errorf("%d changes, want 120", len(seen))
	}
}

// A search of the log for one resource reads a bounded part of it, and the next page continues.
func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme")
	ada := s.user("acme", "ada")
	s.publish()
	last, err := s.table.Query(t.Context(), table.Range{PK: "acme#changes", From: firstEntry, To: lastEntry, Backward: true, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	number, _ := strconv.ParseInt(last.Items[0].Key().SK, 10, 64)
	for i := range int64(maxEntries) {
		it := table.Item{"PK": table.S("acme#changes"), "SK": table.S(fmt.Sprintf("%016d", number+1+i)), "changes": table.S("[]")}
		if err := s.table.Write(t.Context(), table.Put{Item: it}); err != nil {
			t.Fatal(err)
		}
	}
	body := s.page("/console/directory/resource?type=User&id="+ada, 200)
	if strings.Contains(body, "user.created") {
		t.Error("the page reads the whole log")
	}
	if body = s.page(s.link(body, "Older"), 200); !strings.Contains(body, "user.created") || len(links(body, "Older")) > 0 {
		t.Error(body)
	}
}

// A browser that listens receives each new change once, also after it has lost the connection.
func TestNewChangesAppear(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme", "other")
	s.user("acme", "old")
	s.publish()
	after := regexp.MustCompile(`after=(\d{16})`).FindStringSubmatch(s.page("/console/changes", 200))[1]
	l := httptest.NewServer(s.handler)
	defer l.Close()
	s.console.Hosts = []string{strings.TrimPrefix(l.URL, "http://")}
	s.user("acme", "new")
	s.user("other", "stranger")
	s.publish()
	id := listenFor(s, l.URL+"/console/changes/live?after="+after, "", "new")
	s.user("acme", "newest")
	s.publish()
	listenFor(s, l.URL+"/console/changes/live?after="+after, id, "newest")
}

// listenFor listens until a user appears, who must be the first, and returns the ID of the event.
func listenFor(s *site, address, last, name string) (id string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), time.Minute)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", address, nil)
	r.AddCookie(&http.Cookie{Name: cookie, Value: key})
	r.Header.Set("Last-Event-ID", last)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if after, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			id = after
		}
		if got := links(lines.Text(), ""); len(got) > 0 {
			if !strings.Contains(lines.Text(), ">"+name+"</a> was created") {
				s.Errorf("%s, want %s", lines.Text(), name)
			}
			return id
		}
	}
	s.Errorf("no event for %s", name)
	return id
}

// The page of an exchange shows the changes that the exchange led to, and no others.
func TestExchangeShowsWhatTheFeedTells(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme")
	s.user("acme", "ada")
	s.publish()
	s.user("acme", "grace")
	if page := s.page("/console/traffic/2", 200); !strings.Contains(page, "or not yet") || strings.Contains(page, "user.created") {
		t.Errorf("before the change is in the log: %s", page)
	}
	s.publish()
	for exchange, names := range map[string][2]string{"1": {"ada", "grace"}, "2": {"grace", "ada"}} {
		page := s.page("/console/traffic/"+exchange, 200)
		if !strings.Contains(page, "user.created") || !strings.Contains(page, ">"+names[0]+"</a>") || strings.Contains(page, ">"+names[1]+"</a>") {
			t.Errorf("exchange %s: %s", exchange, page)
		}
	}
	s.page("/console/traffic/3", 404)
}

// A deletion leads to the exchange that deleted the resource. If the exchange is not kept, the page says why none is known.
func TestDeletionsLeadToTheirExchange(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme", "other")
	ada, grace := s.user("acme", "ada"), s.user("acme", "grace")
	s.publish()
	bulk := map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:BulkRequest"}, "Operations": []any{map[string]any{"method": "DELETE", "path": "/Users/" + grace}}}
	s.scim("acme", "DELETE", "/Users/"+ada, nil)
	s.scim("acme", "POST", "/Bulk", bulk)
	s.user("acme", "linus")
	s.publish()
	for exchange, id := range map[string]string{"/console/traffic/3": ada, "/console/traffic/4": grace} {
		history := s.page("/console/directory/resource?type=User&id="+id, 404)
		if row, _, _ := strings.Cut(history, "was created"); !slices.Contains(links(row, "exchange"), exchange) || strings.Contains(row, "not known") {
			t.Errorf("no link to %s: %s", exchange, history)
		}
		if page := s.page(exchange, 200); strings.Count(page, "user.deleted") != 1 || !strings.Contains(page, "id="+id) {
			t.Errorf("%s does not show the change: %s", exchange, page)
		}
	}
	if page := s.page("/console/traffic/1", 200); strings.Contains(page, "user.deleted") || !strings.Contains(page, "user.created") {
		t.Errorf("the exchange that created the user deletes it: %s", page)
	}
	s.console.Traffic.Clear()
	if body := s.page("/console/changes", 200); strings.Count(body, "a deletion does not name its request") != 2 {
		t.Error(body)
	}
}
