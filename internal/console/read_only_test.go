package console

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// withoutTraffic returns a site of the same server, with a console that shows no traffic.
func (s *site) withoutTraffic(readOnly bool) *site {
	c := s.console.Config
	c.Traffic, c.ReadOnly = nil, readOnly
	other := *s
	other.console = New(c)
	other.handler = other.console.Pages()
	return &other
}

// A console without traffic begins with the directory, has no page of traffic, and links to none.
func TestConsoleWithoutTraffic(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme")
	s.group("acme", "Engineers", s.user("acme", "ada@example.com"))
	s.publish()
	s.page(Root+"traffic/1", http.StatusOK)
	other := s.withoutTraffic(true)
	if body := other.page(Root, http.StatusFound); !strings.Contains(body, Root+"directory") {
		t.Errorf("the start page is %s", body)
	}
	pages := other.crawl(none, Root)
	for path, body := range pages {
		for _, absent := range []string{"traffic", "faults", "record"} {
			if strings.Contains(body, `href="`+Root+absent) {
				t.Errorf("%s links to %s", path, absent)
			}
		}
	}
	if changes := pages[Root+"changes"]; !strings.Contains(changes, "Engineers") {
		t.Errorf("the page of changes is %s", changes)
	}
	for _, path := range []string{"traffic/1", "traffic/live", "faults", "record"} {
		other.page(Root+path, http.StatusNotFound)
	}
	for _, path := range []string{"traffic/1", "traffic/clear", "faults", "faults/remove", "record"} {
		if w := post(t, other.handler, Root+path, url.Values{}); w.Code != http.StatusNotFound {
			t.Errorf("POST %s: %d", path, w.Code)
		}
	}
}

// A read-only console lists tenants and tokens, and checks the table. It offers no command, and runs none that is posted.
func TestReadOnlyConsoleRunsNoCommand(t *testing.T) {
	t.Parallel()
	s := newSite(t, "acme").withoutTraffic(true)
	execute := s.console.Execute
	s.console.Execute = func(ctx context.Context, event json.RawMessage) (any, error) {
		if !strings.Contains(string(event), `"list-`) {
			t.Errorf("the command is run: %s", event)
		}
		return execute(ctx, event)
	}
	s.console.Fsck = func(_ context.Context, repair bool) ([]string, error) {
		if repair {
			t.Error("the table is repaired")
		}
		return []string{"a finding"}, nil
	}
	body := s.page(Root+"operate", http.StatusOK)
	forms := regexp.MustCompile(`<form[^>]*>(<[^>]*>)*`).FindAllString(body, -1)
	if len(forms) != 1 || !strings.Contains(forms[0], Root+"check") || !strings.Contains(body, "-write") || !strings.Contains(body, "Tokens of acme") {
		t.Errorf("the page has the forms %v: %s", forms, body)
	}
	for command := range commandFields() {
		form := url.Values{"command": {command}, "tenant": {"acme"}, "token": {"x"}, "label": {"x"}, "scope": {"scim"}}
		if w := post(t, s.handler, Root+"operate", form); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "-write") {
			t.Errorf("%s: %d", command, w.Code)
		}
	}
	if w := post(t, s.handler, Root+"check", url.Values{"repair": {"yes"}}); w.Code != http.StatusForbidden {
		t.Errorf("repair: %d", w.Code)
	}
	if w := post(t, s.handler, Root+"check", url.Values{}); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "a finding") {
		t.Errorf("check: %d %s", w.Code, w.Body)
	}
}
