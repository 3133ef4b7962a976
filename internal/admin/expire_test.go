package admin

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/token"
)

func TestExpireWarnsAboutTokensThatEndSoon(t *testing.T) {
	t.Parallel()
	at := newAdminTest(t)
	for _, name := range []string{"acme", "closed"} {
		at.mustExecute(fmt.Sprintf(`{"command":"create-tenant","tenant":%q}`, name))
		at.mustExecute(fmt.Sprintf(`{"command":"create-token","tenant":%q,"label":"soon","days":40}`, name))
	}
	at.mustExecute(`{"command":"disable-tenant","tenant":"closed"}`)
	rotated := at.mustExecute(`{"command":"create-token","tenant":"acme","label":"rotated","days":100}`)
	at.mustExecute(fmt.Sprintf(`{"command":"rotate-token","tenant":"acme","token":%q,"hours":480}`, rotated.ID))
	for day, want := range map[int]int{0: 0, 9: 0, 10: 1, 39: 1, 41: 0, 71: 1} {
		at.now = time.Date(2026, 1, 2+day, 3, 4, 5, 0, time.UTC)
		if result, err := at.Expire(t.Context()); err != nil || result.ExpiringTokens != want {
			t.Errorf("on day %d: %+v, %v, want %d", day, result, err, want)
		}
	}
	if !strings.Contains(at.log.String(), `"msg":"a token ends soon","tenant":"acme"`) {
		t.Error(at.log.String())
	}
}

// listItems returns one line per item of the table: its keys and its tenant attribute.
func (at *adminTest) listItems() string {
	at.Helper()
	var b strings.Builder
	for from, first := (table.Key{}), true; first || from != (table.Key{}); first = false {
		p, err := at.Directory.Store.Table.Scan(at.Context(), from)
		if err != nil {
			at.Fatal(err)
		}
		for _, it := range p.Items {
			fmt.Fprintf(&b, "%s|%s|%s\n", it.Key().PK, it.Key().SK, table.StringValue(it["tenant"]))
		}
		from = p.LastEvaluatedKey
	}
	return b.String()
}

// countItems counts the lines of items that belong to a tenant, without its counter items, whose number is random.
func countItems(tenant, items string) (n int) {
	for line := range strings.Lines(items) {
		if strings.HasPrefix(line, tenant+"#") && !strings.Contains(line, "#count|") {
			n++
		}
	}
	return n
}

// fillTenant stores items of every kind for a tenant, except an intent marker.
func (at *adminTest) fillTenant(tenant string) {
	d, types := at.directoryFor(tenant), at.Directory.Store.Types.ResourceTypes
	group, user := types[1], types[0]
	if user.Name != "User" {
		group, user = user, group
	}
	for i := range 30 {
		attributes := scim.Object{"userName": fmt.Sprint("u", i), "externalId": fmt.Sprint(i)}
		u, err := d.Create(at.Context(), user, attributes, scim.Projection{})
		if err != nil {
			at.Fatal(err)
		}
		g := scim.Object{"displayName": fmt.Sprint("g", i), "members": []any{scim.Object{"value": u.ID()}}}
		if _, err := d.Create(at.Context(), group, g, scim.Projection{}); err != nil {
			at.Fatal(err)
		}
	}
	for _, q := range []directory.ListParams{{StartIndex: 1}, {}} { // these store a bookmark and the cursor key
		q.Types, q.Count = types, 10
		if _, err := d.List(at.Context(), q); err != nil {
			at.Fatal(err)
		}
	}
	at.mustExecute(fmt.Sprintf(`{"command":"create-token","tenant":%q,"label":"okta","days":400}`, tenant))
	c := at.client(fmt.Sprintf(`{"command":"create-client","tenant":%q,"label":"entra"}`, tenant))
	client, _, err := at.Tokens.Client(at.Context(), c.ID)
	if err == nil {
		used := &token.UsedAssertion{Issuer: c.ID, ID: "1", ExpiresAt: at.now.Add(time.Hour)}
		_, err = at.Tokens.IssueAccessToken(at.Context(), client, token.New(tenant), token.ScopeAll, used)
	}
	if err != nil {
		at.Fatal(err)
	}
	if _, err := at.Tokens.AddDeprovisioned(at.Context(), tenant, 1); err != nil {
		at.Fatal(err)
	}
}

func TestADeletedTenantIsPurgedAfterItsRetention(t *testing.T) {
	t.Parallel()
	at := newAdminTest(t)
	at.mustExecute(`{"command":"create-tenant","tenant":"acme"}`)
	at.fillTenant("acme")
	before := at.listItems()
	if len(before) < 2000 || !strings.Contains(before, "acme#page#") || !strings.Contains(before, "acme#cursor") ||
		!strings.Contains(before, "acme#client|") || strings.Count(before, "acme#access|") != 2 {
		t.Fatalf("the tenant lacks items to purge: %s", before)
	}
	for _, name := range []string{"acme-2", "ac"} {
		at.mustExecute(fmt.Sprintf(`{"command":"create-tenant","tenant":%q}`, name))
	}
	at.fillTenant("acme-2")
	if err := at.Directory.Store.Table.Write(t.Context(), table.Put{Item: table.Item{
		"PK": table.S("unfinished"), "SK": table.S("acme#User#u1"), "at": table.N(1)}}); err != nil {
		t.Fatal(err)
	}
	at.mustExecute(`{"command":"delete-tenant","tenant":"acme"}`)
	for _, wait := range []time.Duration{0, DeletedRetention - time.Second} {
		at.now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(wait)
		if result, err := at.Expire(t.Context()); err != nil || result.PurgedTenants != 0 {
			t.Fatalf("after %v: %+v, %v, want no purge", wait, result, err)
		}
	}
	at.now = at.now.Add(time.Second)
	if got := at.execute(`{"command":"enable-tenant","tenant":"acme"}`); !strings.Contains(got, "is being purged") {
		t.Error(got)
	}
	if result, err := at.Expire(t.Context()); err != nil || result.PurgedTenants != 1 {
		t.Fatalf("after 30 days: %+v, %v, want a purge", result, err)
	}
	after := at.listItems()
	for line := range strings.Lines(after) {
		if strings.HasPrefix(line, "acme#") || strings.Contains(line, "|acme") && !strings.Contains(line, "|acme-2") {
			t.Errorf("not purged: %s", line)
		}
	}
	if n, m := countItems("acme-2", after), countItems("acme", before); n != m {
		t.Errorf("another tenant has %d items after the purge, want %d", n, m)
	}
	if got := at.execute(`{"command":"create-tenant","tenant":"acme"}`); strings.HasPrefix(got, "error") {
		t.Errorf("the name of a purged tenant is not free: %s", got)
	}
}

// Expire writes the format item once. The purge of a tenant leaves it, also if the tenant is named like its partition.
func TestExpireMarksTheFormatOfTheTable(t *testing.T) {
	t.Parallel()
	at := newAdminTest(t)
	const marked = "format|@|\n"
	at.mustExecute(`{"command":"create-tenant","tenant":"format"}`)
	at.mustExecute(`{"command":"delete-tenant","tenant":"format"}`)
	for purged := range 2 {
		at.now = at.now.Add(time.Duration(purged) * DeletedRetention)
		result, err := at.Expire(t.Context())
		if items := at.listItems(); err != nil || result.PurgedTenants != purged || !strings.Contains(items, marked) {
			t.Errorf("%+v, %v: the items are %s, want %s", result, err, items, marked)
		}
	}
}
