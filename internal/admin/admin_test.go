package admin

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/token"
)

// An adminTest runs commands on a table of its own, with a clock that the test sets.
type adminTest struct {
	*testing.T
	Admin
	now time.Time
	log bytes.Buffer
}

func newAdminTest(t *testing.T) *adminTest {
	t.Helper()
	tab, err := bolt.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tab.Close() })
	at := &adminTest{T: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	at.Admin = New(directory.Config{
		Table: tab, Types: scim.StandardTypes(), Now: func() time.Time { return at.now }, Random: rand.Reader,
		Log: slog.New(slog.NewJSONHandler(&at.log, nil)), Cursors: &directory.CursorKeyCache{},
	})
	return at
}

// execute runs a command. It returns the result as JSON, or "error: " and the error.
func (at *adminTest) execute(event string) string {
	at.Helper()
	out, err := at.Execute(at.Context(), json.RawMessage(event))
	if err != nil {
		return "error: " + err.Error()
	}
	text, err := json.Marshal(out)
	if err != nil {
		at.Fatal(err)
	}
	return string(text)
}

// mustExecute runs a command that must succeed. It returns the ID and the token of the result, if any.
func (at *adminTest) mustExecute(event string) (out struct{ ID, Token string }) {
	at.Helper()
	text := at.execute(event)
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		at.Fatalf("%s: %s", event, text)
	}
	return out
}

// accepts reports whether a token is valid. It uses a Store without cached tokens.
func (at *adminTest) accepts(secret string) bool {
	store := &token.Store{Table: at.Directory.Table, Now: at.Directory.Now}
	_, err := store.Authenticate(at.Context(), []string{"Bearer " + secret})
	return err == nil
}

func TestCommandsReturnTheirResultOrAnExplanation(t *testing.T) {
	t.Parallel()
	at := newAdminTest(t)
	for _, step := range []struct{ event, want string }{
		{`{"command":"list-tenants"}`, `{"tenants":[]}`},
		{`{"command":"create-tenant","tenant":"acme"}`, `{"tenant":"acme","hash":"822b33ad87c1","created":"2026-01-02T03:04:05Z","settings":{}}`},
		{`{"command":"create-tenant","tenant":"acme"}`, `error: tenant acme exists already; `},
		{`{"command":"set","tenant":"acme","settings":{"strictMembers":true,"rateLimit":0,"resourceTypes":["User"]}}`,
			`"settings":{"strictMembers":true,"resourceTypes":["User"],"rateLimit":0}}`},
		{`{"command":"set","tenant":"acme","settings":{"rateLimit":null,"resourceTypes":null,"deprovisioning":20}}`,
			`"settings":{"strictMembers":true,"deprovisioning":20}}`},
		{`{"command":"show-tenant","tenant":"acme"}`, `"settings":{"strictMembers":true,"deprovisioning":20},"counts":{"Group":0,"User":0}}`},
		{`{"command":"show-tenant","tenant":"none"}`, `error: tenant none does not exist or is deleted; see list-tenants`},
		{`{"command":"list-tokens","tenant":"none"}`, `error: tenant none does not exist`},
		{`{"command":"create-token","tenant":"none","label":"okta"}`, `error: tenant none does not exist`},
		{`{"command":"list-tokens","tenant":"acme"}`, `{"tokens":[]}`},
		{`{"command":"create-token","tenant":"acme","label":"okta","days":10}`, `"label":"okta","created":"2026-01-02T03:04:05Z","expires":"2026-01-12T03:04:05Z"}`},
		{`{"command":"create-token","tenant":"acme","label":"okta"}`, `error: tenant acme has a valid token with the label "okta"; replace it with rotate-token`},
		{`{"command":"create-token","tenant":"acme","label":"entra"}`, `"expires":"2027-01-02T03:04:05Z"}`},
		{`{"command":"revoke-token","tenant":"acme","token":"0123456789abcdef"}`, `error: tenant acme has no token "0123456789abcdef"; see list-tokens`},
		{`{"command":"rotate-token","tenant":"acme","token":"0123456789abcdef"}`, `error: tenant acme has no token "0123456789abcdef"; see list-tokens`},
		{`{"command":"disable-tenant","tenant":"acme"}`, `"disabled":"2026-01-02T03:04:05Z"`},
		{`{"command":"delete-tenant","tenant":"acme"}`, `"deleted":"2026-01-02T03:04:05Z","purged":"2026-02-01T03:04:05Z"`},
		{`{"command":"create-token","tenant":"acme","label":"late"}`, `error: tenant acme does not exist or is deleted`},
		{`{"command":"enable-tenant","tenant":"acme"}`, `{"tenant":"acme","hash":"822b33ad87c1","created":"2026-01-02T03:04:05Z","settings"`},
		{`{"command":"release-tenant","tenant":"acme"}`, `{"tenant":"acme",`},
	} {
		if got := at.execute(step.event); !strings.Contains(got, step.want) {
			t.Errorf("%s: got %s, want %s", step.event, got, step.want)
		}
	}
}

func TestInvalidEventsAreRejectedAndChangeNothing(t *testing.T) {
	t.Parallel()
	at := newAdminTest(t)
	at.mustExecute(`{"command":"create-tenant","tenant":"acme"}`)
	for event, want := range map[string]string{
		``:                   `not a JSON object; `,
		`[]`:                 `not a JSON object; `,
		`{}`:                 `there is no command ""; the commands are create-tenant, create-token, `,
		`{"command":"drop"}`: `there is no command "drop"`,
		`{"command":7}`:      `cannot read the event`,
		`{"command":"list-tenants","tenant":"acme"}`:                                       `list-tenants does not accept tenant; it accepts only command`,
		`{"command":"show-tenant"}`:                                                        `tenant is missing; show-tenant requires tenant`,
		`{"command":"show-tenant","tenant":""}`:                                            `tenant is missing; show-tenant requires tenant`,
		`{"command":"show-tenant","tenant":"acme","tenants":"x"}`:                          `unknown field "tenants"`,
		`{"command":"create-tenant","tenant":"Acme"}`:                                      `tenant "Acme" is not valid; a name has`,
		`{"command":"create-tenant","tenant":"a#b"}`:                                       `tenant "a#b" is not valid; a name has`,
		`{"command":"create-tenant","tenant":"-a"}`:                                        `tenant "-a" is not valid; a name has`,
		`{"command":"create-token","tenant":"acme","label":"a\nb"}`:                        `label "a\nb" is not valid; a label has`,
		`{"command":"create-token","tenant":"acme","label":"a","days":0}`:                  `days is 0; it must be from 1 to 730`,
		`{"command":"create-token","tenant":"acme","label":"a","days":731}`:                `days is 731; it must be from 1 to 730`,
		`{"command":"rotate-token","tenant":"acme","token":"0123456789abcdef","hours":-1}`: `hours is -1; it must be from 0 to 720`,
		`{"command":"revoke-token","tenant":"acme","token":"scim_acme_x"}`:                 `token is not a token ID`,
		`{"command":"set","tenant":"acme","settings":{"strict":true}}`:                     `unknown field "strict"; the settings are strictMembers`,
		`{"command":"set","tenant":"acme","settings":[]}`:                                  `settings must be a JSON object`,
		`{"command":"set","tenant":"acme","settings":{"resourceTypes":["Users"]}}`:         `there is no resource type "Users"; the resource types are User, Group`,
		`{"command":"set","tenant":"acme","settings":{"rateLimit":-1}}`:                    `rateLimit is -1; it must be`,
		`{"command":"set","tenant":"acme","settings":{"deprovisioning":101}}`:              `deprovisioning is 101; it must be`,
		`{"command":"create-tenant","tenant":"b","settings":{"noContent":7}}`:              `cannot read the settings`,
	} {
		if got := at.execute(event); !strings.HasPrefix(got, "error: ") || !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s", event, got, want)
		}
	}
	want := `{"tenants":[{"tenant":"acme","hash":"822b33ad87c1","created":"2026-01-02T03:04:05Z","settings":{}}]}`
	if got := at.execute(`{"command":"list-tenants"}`); got != want {
		t.Errorf("a rejected event changed something: %s", got)
	}
}

func TestATokenIsReturnedOnlyOnce(t *testing.T) {
	t.Parallel()
	at := newAdminTest(t)
	at.mustExecute(`{"command":"create-tenant","tenant":"acme"}`)
	first := at.mustExecute(`{"command":"create-token","tenant":"acme","label":"okta"}`)
	if !at.accepts(first.Token) {
		t.Fatal("a new token is not accepted at once")
	}
	second := at.mustExecute(fmt.Sprintf(`{"command":"rotate-token","tenant":"acme","token":%q,"hours":1}`, first.ID))
	if at.now = at.now.Add(time.Hour); at.accepts(first.Token) || !at.accepts(second.Token) {
		t.Error("after the overlap, only the old token must be rejected")
	}
	list := at.execute(`{"command":"list-tokens","tenant":"acme"}`)
	for _, want := range []string{first.ID, second.ID, `"expired":true`, `"used":"2026-01-02T03:04:05Z"`} {
		if !strings.Contains(list, want) {
			t.Errorf("the list has no %s: %s", want, list)
		}
	}
	at.execute(fmt.Sprintf(`{"command":"revoke-token","tenant":"acme","token":%q}`, second.ID))
	if at.accepts(second.Token) {
		t.Error("a revoked token is accepted")
	}
	for _, secret := range []string{first.Token, second.Token} {
		if strings.Contains(list, secret) || strings.Contains(at.log.String(), secret) {
			t.Errorf("%s is in the list or in the log", secret)
		}
	}
	for _, want := range []string{`"command":"create-tenant","tenant":"acme"`, `"command":"create-token"`,
		`"command":"rotate-token"`, `"command":"revoke-token"`, `"token":"` + first.ID, `"label":"okta"`, `"outcome":"done"`} {
		if !strings.Contains(at.log.String(), want) {
			t.Errorf("the audit log has no %s:\n%s", want, at.log.String())
		}
	}
}

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
		p, err := at.Directory.Table.Scan(at.Context(), from)
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
	d, types := at.directoryFor(tenant), at.Directory.Types.ResourceTypes
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
	for _, q := range []directory.Params{{StartIndex: 1}, {}} { // these store a bookmark and the cursor key
		q.Types, q.Count = types, 10
		if _, err := d.List(at.Context(), q); err != nil {
			at.Fatal(err)
		}
	}
	at.mustExecute(fmt.Sprintf(`{"command":"create-token","tenant":%q,"label":"okta","days":400}`, tenant))
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
	if len(before) < 2000 || !strings.Contains(before, "acme#page#") || !strings.Contains(before, "acme#cursor") {
		t.Fatalf("the tenant lacks items to purge: %s", before)
	}
	for _, name := range []string{"acme-2", "ac"} {
		at.mustExecute(fmt.Sprintf(`{"command":"create-tenant","tenant":%q}`, name))
	}
	at.fillTenant("acme-2")
	if err := at.Directory.Table.Write(t.Context(), table.Put{Item: table.Item{
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
