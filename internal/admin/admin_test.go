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

// office is commands on a table of its own, at a time of its own.
type office struct {
	*testing.T
	Admin
	now time.Time
	log bytes.Buffer
}

func newOffice(t *testing.T) *office {
	t.Helper()
	tab, err := bolt.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tab.Close() })
	o := &office{T: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	o.Admin = New(directory.Config{
		Table: tab, Types: scim.StandardTypes(), Now: func() time.Time { return o.now }, Random: rand.Reader,
		Log: slog.New(slog.NewJSONHandler(&o.log, nil)), Cursors: &directory.CursorKeyCache{},
	})
	return o
}

// do does a command, and gives its answer as JSON or its error.
func (o *office) do(event string) string {
	o.Helper()
	out, err := o.Execute(o.Context(), json.RawMessage(event))
	if err != nil {
		return "error: " + err.Error()
	}
	text, err := json.Marshal(out)
	if err != nil {
		o.Fatal(err)
	}
	return string(text)
}

// done does a command that must succeed.
func (o *office) done(event string) (out struct{ ID, Token string }) {
	o.Helper()
	text := o.do(event)
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		o.Fatalf("%s: %s", event, text)
	}
	return out
}

func (o *office) opens(secret string) bool {
	store := &token.Store{Table: o.Directory.Table, Now: o.Directory.Now} // which remembers nothing
	_, err := store.Authenticate(o.Context(), []string{"Bearer " + secret})
	return err == nil
}

func TestAConversation(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for _, step := range []struct{ event, want string }{
		{`{"command":"list-tenants"}`, `{"tenants":[]}`},
		{`{"command":"create-tenant","tenant":"acme"}`, `{"tenant":"acme","hash":"822b33ad87c1","created":"2026-01-02T03:04:05Z","settings":{}}`},
		{`{"command":"create-tenant","tenant":"acme"}`, `error: there is a tenant acme already; `},
		{`{"command":"set","tenant":"acme","settings":{"strictMembers":true,"rateLimit":0,"resourceTypes":["User"]}}`,
			`"settings":{"strictMembers":true,"resourceTypes":["User"],"rateLimit":0}}`},
		{`{"command":"set","tenant":"acme","settings":{"rateLimit":null,"resourceTypes":null,"deprovisioning":20}}`,
			`"settings":{"strictMembers":true,"deprovisioning":20}}`},
		{`{"command":"show-tenant","tenant":"acme"}`, `"settings":{"strictMembers":true,"deprovisioning":20},"counts":{"Group":0,"User":0}}`},
		{`{"command":"show-tenant","tenant":"none"}`, `error: there is no tenant none, or it is deleted; see list-tenants`},
		{`{"command":"list-tokens","tenant":"none"}`, `error: there is no tenant none`},
		{`{"command":"create-token","tenant":"none","label":"okta"}`, `error: there is no tenant none`},
		{`{"command":"list-tokens","tenant":"acme"}`, `{"tokens":[]}`},
		{`{"command":"create-token","tenant":"acme","label":"okta","days":10}`, `"label":"okta","created":"2026-01-02T03:04:05Z","expires":"2026-01-12T03:04:05Z"}`},
		{`{"command":"create-token","tenant":"acme","label":"okta"}`, `error: tenant acme has a valid token labelled "okta": rotate-token`},
		{`{"command":"create-token","tenant":"acme","label":"entra"}`, `"expires":"2027-01-02T03:04:05Z"}`},
		{`{"command":"revoke-token","tenant":"acme","token":"0123456789abcdef"}`, `error: tenant acme has no token "0123456789abcdef"; see list-tokens`},
		{`{"command":"rotate-token","tenant":"acme","token":"0123456789abcdef"}`, `error: tenant acme has no token "0123456789abcdef"; see list-tokens`},
		{`{"command":"disable-tenant","tenant":"acme"}`, `"disabled":"2026-01-02T03:04:05Z"`},
		{`{"command":"delete-tenant","tenant":"acme"}`, `"deleted":"2026-01-02T03:04:05Z","purged":"2026-02-01T03:04:05Z"`},
		{`{"command":"create-token","tenant":"acme","label":"late"}`, `error: there is no tenant acme, or it is deleted`},
		{`{"command":"enable-tenant","tenant":"acme"}`, `{"tenant":"acme","hash":"822b33ad87c1","created":"2026-01-02T03:04:05Z","settings"`},
		{`{"command":"release-tenant","tenant":"acme"}`, `{"tenant":"acme",`},
	} {
		if got := o.do(step.event); !strings.Contains(got, step.want) {
			t.Errorf("%s: got %s, want %s", step.event, got, step.want)
		}
	}
}

func TestWhatIsNotUnderstoodIsNotDone(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.done(`{"command":"create-tenant","tenant":"acme"}`)
	for event, want := range map[string]string{
		``:                   `no JSON object`,
		`[]`:                 `no JSON object`,
		`{}`:                 `there is no command ""; there are create-tenant, create-token, `,
		`{"command":"drop"}`: `there is no command "drop"`,
		`{"command":7}`:      `cannot read the event`,
		`{"command":"list-tenants","tenant":"acme"}`:                                       `list-tenants takes no tenant, only its name`,
		`{"command":"show-tenant"}`:                                                        `show-tenant needs tenant`,
		`{"command":"show-tenant","tenant":""}`:                                            `show-tenant needs tenant`,
		`{"command":"show-tenant","tenant":"acme","tenants":"x"}`:                          `unknown field "tenants"`,
		`{"command":"create-tenant","tenant":"Acme"}`:                                      `a tenant's name has`,
		`{"command":"create-tenant","tenant":"a#b"}`:                                       `a tenant's name has`,
		`{"command":"create-tenant","tenant":"-a"}`:                                        `a tenant's name has`,
		`{"command":"create-token","tenant":"acme","label":"a\nb"}`:                        `a label has`,
		`{"command":"create-token","tenant":"acme","label":"a","days":0}`:                  `days must be from 1 to 730`,
		`{"command":"create-token","tenant":"acme","label":"a","days":731}`:                `days must be from 1 to 730`,
		`{"command":"rotate-token","tenant":"acme","token":"0123456789abcdef","hours":-1}`: `hours must be from 0 to 720`,
		`{"command":"revoke-token","tenant":"acme","token":"scim_acme_x"}`:                 `token must be the id of one`,
		`{"command":"set","tenant":"acme","settings":{"strict":true}}`:                     `unknown field "strict"; there are strictMembers`,
		`{"command":"set","tenant":"acme","settings":[]}`:                                  `settings must be a JSON object`,
		`{"command":"set","tenant":"acme","settings":{"resourceTypes":["Users"]}}`:         `there is no resource type "Users"; there are User, Group`,
		`{"command":"set","tenant":"acme","settings":{"rateLimit":-1}}`:                    `rateLimit must be`,
		`{"command":"set","tenant":"acme","settings":{"deprovisioning":101}}`:              `deprovisioning must be`,
		`{"command":"create-tenant","tenant":"b","settings":{"noContent":7}}`:              `cannot read the settings`,
	} {
		if got := o.do(event); !strings.HasPrefix(got, "error: ") || !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s", event, got, want)
		}
	}
	if got, want := o.do(`{"command":"list-tenants"}`), `{"tenants":[{"tenant":"acme","hash":"822b33ad87c1","created":"2026-01-02T03:04:05Z","settings":{}}]}`; got != want {
		t.Errorf("something was done: %s", got)
	}
}

func TestASecretIsToldOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.done(`{"command":"create-tenant","tenant":"acme"}`)
	first := o.done(`{"command":"create-token","tenant":"acme","label":"okta"}`)
	if !o.opens(first.Token) {
		t.Fatal("a token is valid at once")
	}
	second := o.done(fmt.Sprintf(`{"command":"rotate-token","tenant":"acme","token":%q,"hours":1}`, first.ID))
	if o.now = o.now.Add(time.Hour); o.opens(first.Token) || !o.opens(second.Token) {
		t.Error("the old token ends with the overlap, the new one does not")
	}
	list := o.do(`{"command":"list-tokens","tenant":"acme"}`)
	for _, want := range []string{first.ID, second.ID, `"expired":true`, `"used":"2026-01-02T03:04:05Z"`} {
		if !strings.Contains(list, want) {
			t.Errorf("the list has no %s: %s", want, list)
		}
	}
	o.do(fmt.Sprintf(`{"command":"revoke-token","tenant":"acme","token":%q}`, second.ID))
	if o.opens(second.Token) {
		t.Error("a revoked token opens something")
	}
	for _, secret := range []string{first.Token, second.Token} {
		if strings.Contains(list, secret) || strings.Contains(o.log.String(), secret) {
			t.Errorf("%s is told again", secret)
		}
	}
	for _, want := range []string{`"command":"create-tenant","tenant":"acme"`, `"command":"create-token"`, `"command":"rotate-token"`,
		`"command":"revoke-token"`, `"token":"` + first.ID, `"label":"okta"`, `"outcome":"done"`} {
		if !strings.Contains(o.log.String(), want) {
			t.Errorf("the audit log has no %s:\n%s", want, o.log.String())
		}
	}
}

func TestTokensThatEndSoonAreWarnedOf(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for _, name := range []string{"acme", "closed"} {
		o.done(fmt.Sprintf(`{"command":"create-tenant","tenant":%q}`, name))
		o.done(fmt.Sprintf(`{"command":"create-token","tenant":%q,"label":"soon","days":40}`, name))
	}
	o.done(`{"command":"disable-tenant","tenant":"closed"}`)
	rotated := o.done(`{"command":"create-token","tenant":"acme","label":"rotated","days":100}`)
	o.done(fmt.Sprintf(`{"command":"rotate-token","tenant":"acme","token":%q,"hours":480}`, rotated.ID))
	for day, want := range map[int]int{0: 0, 9: 0, 10: 1, 39: 1, 41: 0, 71: 1} {
		o.now = time.Date(2026, 1, 2+day, 3, 4, 5, 0, time.UTC)
		if did, err := o.Expire(t.Context()); err != nil || did.ExpiringTokens != want {
			t.Errorf("on day %d: %+v, %v, want %d", day, did, err, want)
		}
	}
	if !strings.Contains(o.log.String(), `"msg":"a token ends soon","tenant":"acme"`) {
		t.Error(o.log.String())
	}
}

// everything is what stands in the table, by its keys.
func (o *office) everything() string {
	o.Helper()
	var b strings.Builder
	for from, first := (table.Key{}), true; first || from != (table.Key{}); first = false {
		p, err := o.Directory.Table.Scan(o.Context(), from)
		if err != nil {
			o.Fatal(err)
		}
		for _, it := range p.Items {
			fmt.Fprintf(&b, "%s|%s|%s\n", it.Key().PK, it.Key().SK, table.StringValue(it["tenant"]))
		}
		from = p.LastEvaluatedKey
	}
	return b.String()
}

// keysOf counts a tenant's keys, but for the count items, of which there are as many as chance has it.
func keysOf(tenant, all string) (n int) {
	for line := range strings.Lines(all) {
		if strings.HasPrefix(line, tenant+"#") && !strings.Contains(line, "#count|") {
			n++
		}
	}
	return n
}

func (o *office) fill(tenant string) {
	d, types := o.directoryFor(tenant), o.Directory.Types.ResourceTypes
	group, user := types[1], types[0]
	if user.Name != "User" {
		group, user = user, group
	}
	for i := range 30 {
		u, err := d.Create(o.Context(), user, scim.Object{"userName": fmt.Sprint("u", i), "externalId": fmt.Sprint(i)}, scim.Projection{})
		if err != nil {
			o.Fatal(err)
		}
		g := scim.Object{"displayName": fmt.Sprint("g", i), "members": []any{scim.Object{"value": u.ID()}}}
		if _, err := d.Create(o.Context(), group, g, scim.Projection{}); err != nil {
			o.Fatal(err)
		}
	}
	for _, q := range []directory.Params{{StartIndex: 1}, {}} { // which leave a bookmark, and a key of cursors
		q.Types, q.Count = types, 10
		if _, err := d.List(o.Context(), q); err != nil {
			o.Fatal(err)
		}
	}
	o.done(fmt.Sprintf(`{"command":"create-token","tenant":%q,"label":"okta","days":400}`, tenant))
	if _, err := o.Tokens.AddDeprovisioned(o.Context(), tenant, 1); err != nil {
		o.Fatal(err)
	}
}

func TestADeletedTenantIsGoneAfterAMonth(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.done(`{"command":"create-tenant","tenant":"acme"}`)
	o.fill("acme")
	before := o.everything()
	if len(before) < 2000 || !strings.Contains(before, "acme#page#") || !strings.Contains(before, "acme#cursor") {
		t.Fatalf("too little to be removed: %s", before)
	}
	for _, name := range []string{"acme-2", "ac"} {
		o.done(fmt.Sprintf(`{"command":"create-tenant","tenant":%q}`, name))
	}
	o.fill("acme-2")
	if err := o.Directory.Table.Write(t.Context(), table.Put{Item: table.Item{
		"PK": table.S("unfinished"), "SK": table.S("acme#User#u1"), "at": table.N(1)}}); err != nil {
		t.Fatal(err)
	}
	o.done(`{"command":"delete-tenant","tenant":"acme"}`)
	for _, wait := range []time.Duration{0, DeletedRetention - time.Second} {
		o.now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(wait)
		if did, err := o.Expire(t.Context()); err != nil || did.PurgedTenants != 0 {
			t.Fatalf("after %v: %+v, %v", wait, did, err)
		}
	}
	o.now = o.now.Add(time.Second)
	if got := o.do(`{"command":"enable-tenant","tenant":"acme"}`); !strings.Contains(got, "is being removed") {
		t.Error(got)
	}
	if did, err := o.Expire(t.Context()); err != nil || did.PurgedTenants != 1 {
		t.Fatalf("after 30 days: %+v, %v", did, err)
	}
	after := o.everything()
	for line := range strings.Lines(after) {
		if strings.HasPrefix(line, "acme#") || strings.Contains(line, "|acme") && !strings.Contains(line, "|acme-2") {
			t.Errorf("left: %s", line)
		}
	}
	if n, m := keysOf("acme-2", after), keysOf("acme", before); n != m {
		t.Errorf("of another tenant %d keys are left, of %d", n, m)
	}
	if got := o.do(`{"command":"create-tenant","tenant":"acme"}`); strings.HasPrefix(got, "error") {
		t.Errorf("the name is free again: %s", got)
	}
}
