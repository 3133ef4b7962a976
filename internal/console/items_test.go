package console

import (
	"cmp"
	"html"
	"net/url"
	"strings"
	"testing"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// No page contains the hash of a token, or the key of the cursors.
func TestStoredSecretsAreMasked(t *testing.T) {
	t.Parallel()
	s := newFullSite(t, "acme", "ada")
	var secrets, keys []string
	for _, it := range s.dump() {
		k := it.Key()
		if hash, isToken := strings.CutPrefix(k.PK, "token#"); isToken {
			secrets, keys = append(secrets, hash), append(keys, "/console/items?pk="+url.QueryEscape(k.PK))
		}
		if secret := cmp.Or(table.StringValue(it["secret"]), table.StringValue(it["secrets"])); secret != "" {
			secrets = append(secrets, secret)
		}
	}
	pages := s.crawl(none, append(keys, Root, "/console/items")...)
	for path, body := range pages {
		for _, secret := range secrets {
			if strings.Contains(html.UnescapeString(body), secret) {
				t.Errorf("%s shows the secret %s", path, secret)
			}
		}
	}
	access := s.page(s.link(s.page("/console/items?pk=another%23access", 200), "token"), 200)
	if !strings.Contains(access, "token#•••") || !strings.Contains(access, "client: client_another_") {
		t.Errorf("the page of an access token is %s", access)
	}
	body := s.page(s.link(s.page("/console/items?pk=acme%23token", 200), "token"), 200)
	if len(secrets) != 5 || !strings.Contains(body, "token#•••") || !strings.Contains(body, "label: test") {
		t.Errorf("%d secrets; %s", len(secrets), body)
	}
}

// The console recognizes the keys that the packages format, store, token and feed write.
func TestEveryKeyIsRecognized(t *testing.T) {
	t.Parallel()
	k, user, group := store.NewKeys("a#b"), scim.StandardTypes().ByName("User"), scim.StandardTypes().ByName("Group")
	for want, key := range map[string]table.Key{
		"head": k.Head(user, "u1"), "edge": k.Edge(group, "g1", "u1"), "change": k.ChangeItem(group, "g1", "c1", 2), "name": k.Name(user, "ada#x"),
		"intent marker": k.IntentMarker(group, "g1", "c1"), "cursor key": k.CursorKey(), "bookmark": k.Bookmark("f", 51), "counter": k.Counter(user, 7),
		"all": {PK: k.AllPartition(user), SK: "u1"}, "index": {PK: k.IndexPartition(user, "emails", "a#b@c"), SK: "u1"}, "format": {PK: "format", SK: "@"}, "unknown": {PK: "x", SK: "x"},
	} {
		it := table.Item{"PK": table.S(key.PK), "SK": table.S(key.SK), "id": table.S("u1"), "type": table.S("User")}
		got := describeItem(it)
		leads := map[string]string{"edge": "a%23b#User#u1", "name": "a%23b#User#u1", "all": "a%23b#User#u1", "index": "a%23b#User#u1", "intent marker": "a%23b#Group#g1"}[want]
		if got.Kind != want || strings.Join(got.Partitions, " ") != leads {
			t.Errorf("%v is %+v, want %s %s", key, got, want, leads)
		}
	}
	s := newFullSite(t, "acme", "ada")
	kinds := map[string]bool{}
	for _, it := range s.dump() {
		kinds[describeItem(it).Kind] = true
	}
	for _, kind := range []string{"tenant", "token", "token list entry", "client", "access token", "access entry", "used assertion", "log entry", "log state", "head", "edge", "name", "index", "all", "counter", "cursor key"} {
		if !kinds[kind] {
			t.Errorf("no item is a %s: %v", kind, kinds)
		}
	}
	if kinds["unknown"] {
		t.Error("an item is unknown")
	}
}
