package admin

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestCommandsReturnTheirResultOrAnExplanation(t *testing.T) {
	t.Parallel()
	at := newAdminTest(t)
	for _, step := range []struct{ event, want string }{
		{`{"command":"list-tenants"}`, `{"tenants":[]}`},
		{`{"command":"create-tenant","tenant":"acme"}`, `{"tenant":"acme","created":"2026-01-02T03:04:05Z","settings":{}}`},
		{`{"command":"create-tenant","tenant":"acme"}`, `error: tenant acme exists already; `},
		{`{"command":"set","tenant":"acme","settings":{"strictMembers":true,"rateLimit":0,"resourceTypes":["User"]}}`,
			`"settings":{"strictMembers":true,"resourceTypes":["User"],"rateLimit":0}}`},
		{`{"command":"set","tenant":"acme","settings":{"rateLimit":null,"resourceTypes":null,"deprovisioning":20}}`,
			`"settings":{"strictMembers":true,"deprovisioning":20}}`},
		{`{"command":"show-tenant","tenant":"acme"}`, `"settings":{"strictMembers":true,"deprovisioning":20},"counts":{"Group":0,"User":0}}`},
		{`{"command":"set","tenant":"acme","settings":{"profile":"interop"}}`, `"settings":{"strictMembers":true,"deprovisioning":20,"profile":"interop"}}`},
		{`{"command":"show-tenant","tenant":"acme"}`, `"deprovisioning":20,"profile":"interop"},"counts"`},
		{`{"command":"set","tenant":"acme","settings":{"profile":"lenient"}}`, `"settings":{"strictMembers":true,"deprovisioning":20}}`},
		{`{"command":"show-tenant","tenant":"none"}`, `error: tenant none does not exist or is deleted; see list-tenants`},
		{`{"command":"list-tokens","tenant":"none"}`, `error: tenant none does not exist`},
		{`{"command":"create-token","tenant":"none","label":"okta"}`, `error: tenant none does not exist`},
		{`{"command":"list-tokens","tenant":"acme"}`, `{"tokens":[]}`},
		{`{"command":"create-token","tenant":"acme","label":"okta","days":10}`, `"label":"okta","scope":"scim","created":"2026-01-02T03:04:05Z","expires":"2026-01-12T03:04:05Z"}`},
		{`{"command":"create-token","tenant":"acme","label":"app","scope":"scim.read"}`, `"label":"app","scope":"scim.read","created"`},
		{`{"command":"create-token","tenant":"acme","label":"all","scope":"scim"}`, `"label":"all","scope":"scim","created"`},
		{`{"command":"create-token","tenant":"acme","label":"null","scope":null}`, `"label":"null","scope":"scim","created"`},
		{`{"command":"list-tokens","tenant":"acme"}`, `"label":"app","scope":"scim.read","created"`},
		{`{"command":"create-token","tenant":"acme","label":"okta"}`, `error: tenant acme has a valid token with the label "okta"; replace it with rotate-token`},
		{`{"command":"create-token","tenant":"acme","label":"entra"}`, `"expires":"2027-01-02T03:04:05Z"}`},
		{`{"command":"revoke-token","tenant":"acme","token":"0123456789abcdef"}`, `error: tenant acme has no token "0123456789abcdef"; see list-tokens`},
		{`{"command":"rotate-token","tenant":"acme","token":"0123456789abcdef"}`, `error: tenant acme has no token "0123456789abcdef"; see list-tokens`},
		{`{"command":"reset-feed"}`, `{"reset":["acme"]}`},
		{`{"command":"reset-feed","tenant":"acme"}`, `{"reset":["acme"]}`},
		{`{"command":"reset-feed","tenant":"none"}`, `error: tenant none does not exist`},
		{`{"command":"disable-tenant","tenant":"acme"}`, `"disabled":"2026-01-02T03:04:05Z"`},
		{`{"command":"delete-tenant","tenant":"acme"}`, `"deleted":"2026-01-02T03:04:05Z","purged":"2026-02-01T03:04:05Z"`},
		{`{"command":"create-token","tenant":"acme","label":"late"}`, `error: tenant acme does not exist or is deleted`},
		{`{"command":"enable-tenant","tenant":"acme"}`, `{"tenant":"acme","created":"2026-01-02T03:04:05Z","settings"`},
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
		`{}`:                 `there is no command ""; the commands are create-client, create-tenant, `,
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
		`{"command":"create-token","tenant":"acme","label":"a","days":106752}`:             `days is 106752; it must be from 1 to 730`, // overflows a Duration
		`{"command":"create-token","tenant":"acme","label":"a","scope":"read"}`:            `scope "read" is not valid; it must be scim, to read and write, or scim.read, to read only`,
		`{"command":"create-token","tenant":"acme","label":"a","scope":""}`:                `scope "" is not valid; it must be scim`,
		`{"command":"create-token","tenant":"acme","label":"a","scope":7}`:                 `scope has the wrong type; it must be a string`,
		`{"command":"list-tokens","tenant":"acme","scope":"scim"}`:                         `list-tokens does not accept scope`,
		`{"command":"rotate-token","tenant":"acme","token":"0123456789abcdef","hours":-1}`: `hours is -1; it must be from 0 to 720`,
		`{"command":"revoke-token","tenant":"acme","token":"scim_acme_x"}`:                 `token is not a token ID`,
		`{"command":"set","tenant":"acme","settings":{"strict":true}}`:                     `unknown field "strict"; the settings are strictMembers`,
		`{"command":"set","tenant":"acme","settings":[]}`:                                  `settings must be a JSON object`,
		`{"command":"set","tenant":"acme","settings":{"resourceTypes":["Users"]}}`:         `there is no resource type "Users"; the resource types are User, Group`,
		`{"command":"set","tenant":"acme","settings":{"rateLimit":-1}}`:                    `rateLimit is -1; it must be`,
		`{"command":"set","tenant":"acme","settings":{"deprovisioning":101}}`:              `deprovisioning is 101; it must be`,
		`{"command":"create-tenant","tenant":"b","settings":{"noContent":7}}`:              `cannot read the settings`,
		`{"command":"create-tenant","tenant":"b","settings":{"noContent":"true"}}`:         `noContent is "true"; it must be true or false, or null`,
		`{"command":"set","tenant":"acme","settings":{"resourceTypes":"User"}}`:            `resourceTypes is "User"; it must be a list of names such as ["User"]`,
		`{"command":"set","tenant":"acme","settings":{"resourceTypes":[7]}}`:               `resourceTypes is [7]; it must be a list of names`,
		`{"command":"set","tenant":"acme","settings":{"deprovisioning":12.5}}`:             `deprovisioning is 12.5; it must be a whole number of percent`,
		`{"command":"set","tenant":"acme","settings":{"profile":"strict"}}`:                `profile is "strict"; it must be "lenient" or "interop"`,
		`{"command":"set","tenant":"acme","settings":{"profile":true}}`:                    `profile is true; it must be "lenient" or "interop", or null`,
		`{"command":"set","tenant":"acme","settings":{"rateLimit":"20"}}`:                  `rateLimit is "20"; it must be a whole number of requests per second`,
		`{"command":"set","tenant":"acme","settings":{"rateLimit":1e30}}`:                  `rateLimit is 1e30; it must be`,
		`{"command":"set","tenant":"acme","settings":{"strict":null}}`:                     `unknown field "strict"; the settings are strictMembers`,
		`{"command":"set","tenant":"acme","settings":{"StrictMembers":true}}`:              `unknown field "StrictMembers"; the settings are strictMembers`,
		`{"command":"set","tenant":"acme","settings":null}`:                                `settings is missing; set requires`,
		`{"command":"set","tenant":"acme","settings":"null"}`:                              `settings must be a JSON object`,
		`{"command":"create-tenant","tenant":"b","settings":null}`:                         `settings must be a JSON object`,
		`{"command":"create-token","tenant":"acme","label":"a","days":"7"}`:                `days has the wrong type; it must be a whole number, not in quotes`,
		`{"command":"revoke-token","tenant":"acme","token":["scim_acme_x"]}`:               `token has the wrong type; it must be a string`,
	} {
		got := at.execute(event)
		if !strings.HasPrefix(got, "error: ") || !strings.Contains(got, want) || strings.Contains(got, "Go ") {
			t.Errorf("%s: got %s, want %s", event, got, want)
		}
	}
	want := `{"tenants":[{"tenant":"acme","created":"2026-01-02T03:04:05Z","settings":{}}]}`
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

func TestARotatedTokenKeepsItsScopeAndTheAuditLogShowsIt(t *testing.T) {
	t.Parallel()
	at := newAdminTest(t)
	at.mustExecute(`{"command":"create-tenant","tenant":"acme"}`)
	old := at.mustExecute(`{"command":"create-token","tenant":"acme","label":"app","scope":"scim.read"}`)
	if got := at.execute(fmt.Sprintf(`{"command":"rotate-token","tenant":"acme","token":%q}`, old.ID)); !strings.Contains(got, `"scope":"scim.read"`) {
		t.Errorf("the result has no scope: %s", got)
	}
	if n := strings.Count(at.log.String(), `"label":"app","scope":"scim.read"`); n != 2 {
		t.Errorf("%d audit lines have the scope, want 2:\n%s", n, at.log.String())
	}
}

func TestATokenThatIsBeingRotatedIsShownAndCannotBeRotatedAgain(t *testing.T) {
	t.Parallel()
	at := newAdminTest(t)
	at.mustExecute(`{"command":"create-tenant","tenant":"acme"}`)
	old := at.mustExecute(`{"command":"create-token","tenant":"acme","label":"okta"}`)
	rotate := fmt.Sprintf(`{"command":"rotate-token","tenant":"acme","token":%q}`, old.ID)
	at.mustExecute(rotate)
	want := "error: token " + old.ID + " of tenant acme is being rotated already; use the token that replaced it"
	if got := at.execute(rotate); !strings.HasPrefix(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := at.execute(`{"command":"list-tokens","tenant":"acme"}`); strings.Count(got, `"rotated":"2026-01-02T03:04:05Z"`) != 1 {
		t.Errorf("the list must show one rotated token: %s", got)
	}
}

func TestUsageDescribesAllCommands(t *testing.T) {
	t.Parallel()
	usage := Usage()
	for name, c := range commands() {
		if !strings.Contains(usage, "  "+name+" ") || c.effect == "" {
			t.Errorf("%s is not described:\n%s", name, usage)
		}
	}
	if want := "  create-token          tenant, label [days] [scope]  "; !strings.Contains(usage, want) {
		t.Errorf("want %q in\n%s", want, usage)
	}
	columns := map[int]bool{}
	for line := range strings.Lines(usage) {
		columns[strings.LastIndex(line, "  ")] = true
	}
	if len(columns) != 1 {
		t.Errorf("the effects are not aligned:\n%s", usage)
	}
}
