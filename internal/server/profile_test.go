package server

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/gateway"
	"serverless-scim/internal/leniency"
	"serverless-scim/internal/replay"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/token"
)

// An outcome is the status of a response and the scimType of an error.
type outcome struct {
	status   int
	scimType string
}

var (
	succeeded     = outcome{200, ""}
	created       = outcome{201, ""}
	deleted       = outcome{204, ""}
	unauthorized  = outcome{401, ""}
	invalidSyntax = outcome{400, scim.InvalidSyntax}
	invalidPath   = outcome{400, scim.InvalidPath}
	invalidFilter = outcome{400, scim.InvalidFilter}
	noTarget      = outcome{400, scim.NoTarget}
)

// outcomeOf returns the outcome of a response or, for a bulk request, that of its first operation, and its detail.
func outcomeOf(resp clientResponse) (o outcome, detail string) {
	body := resp.body
	o.status = resp.status
	if list, _ := body["Operations"].([]any); len(list) > 0 {
		operation := list[0].(scim.Object)
		fmt.Sscan(operation["status"].(string), &o.status)
		body, _ = operation["response"].(scim.Object)
	}
	o.scimType, _ = body["scimType"].(string)
	detail, _ = body["detail"].(string)
	return o, detail
}

// profileCases has the outcome of each request that the profiles answer differently, and of some that they do not.
var profileCases = map[string]struct {
	message
	lenient, interop outcome
}{
	// Undefined attributes and schema URIs.
	"POST attribute":           {postTo("/Users", `U:"userName":"x","shoeSize":9}`), created, invalidSyntax},
	"POST null attribute":      {postTo("/Users", `U:"userName":"x","shoeSize":null}`), created, invalidSyntax},
	"POST sub-attribute":       {postTo("/Users", `U:"userName":"x","name":{"nick":"y"}}`), created, invalidSyntax},
	"POST element":             {postTo("/Users", `U:"userName":"x","emails":[{"value":"y","x":1}]}`), created, invalidSyntax},
	"POST member":              {postTo("/Groups", `G:"displayName":"x","members":[{"value":"{u}","x":1}]}`), created, invalidSyntax},
	"POST extension attribute": {postTo("/Users", `{"schemas":["`+userSchema+`",`+quotedEnterprise+`],"userName":"x",`+quotedEnterprise+`:{"x":"d"}}`), created, invalidSyntax},
	"POST extension":           {postTo("/Users", `U:"userName":"x","urn:example:2.0:User":{"x":"d"}}`), created, invalidSyntax},
	"POST schemas":             {postTo("/Users", `{"schemas":["`+userSchema+`","urn:example:2.0:User"],"userName":"x"}`), created, invalidSyntax},
	"POST draft schemas":       {postTo("/Users", `{"schemas":["urn:scim:schemas:core:1.0"],"userName":"x"}`), created, invalidSyntax},
	"POST draft extension": {postTo("/Users", `{"schemas":["`+userSchema+`",`+quotedEnterprise+`],"userName":"x","urn:scim:schemas:extension:enterprise:1.0":{"department":"d"}}`),
		created, invalidSyntax},
	"PUT attribute":         {message{"PUT /Users/{u}", `U:"userName":"x","shoeSize":9}`, nil}, succeeded, invalidSyntax},
	"PUT schemas":           {message{"PUT /Users/{u}", `{"schemas":["` + userSchema + `","urn:x:y"],"userName":"x"}`, nil}, succeeded, invalidSyntax},
	"PATCH path":            {patchUser(`{"op":"add","path":"shoeSize","value":9}`), invalidPath, invalidSyntax},
	"PATCH path URN":        {patchUser(`{"op":"add","path":"urn:example:2.0:User:x","value":9}`), invalidPath, invalidSyntax},
	"PATCH draft path":      {patchUser(`{"op":"add","path":"urn:scim:schemas:core:1.0:title","value":"t"}`), succeeded, invalidSyntax},
	"PATCH sub-attribute":   {patchUser(`{"op":"add","path":"name","value":{"nick":"x"}}`), succeeded, invalidSyntax},
	"PATCH element":         {patchUser(`{"op":"add","path":"emails","value":[{"value":"x","x":1}]}`), succeeded, invalidSyntax},
	"PATCH extension":       {patchUser(`{"op":"add","path":` + quotedEnterprise + `,"value":{"x":"y"}}`), succeeded, invalidSyntax},
	"PATCH path as name":    {patchUser(`{"op":"add","path":` + quotedEnterprise + `,"value":{"manager.value":"y"}}`), succeeded, invalidSyntax},
	"PATCH member":          {patchGroup(`{"op":"add","path":"members","value":[{"value":"{u}","x":1}]}`), succeeded, invalidSyntax},
	"PATCH schemas":         {message{"PATCH /Users/{u}", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp","urn:x"],"Operations":[{"op":"remove","path":"title"}]}`, nil}, succeeded, invalidSyntax},
	"PATCH operation name":  {patchUser(`{"op":"remove","path":"title","x":1}`), succeeded, invalidSyntax},
	"search name":           {searchFor(`"x":1`), succeeded, invalidSyntax},
	"bulk operation name":   {bulkOf(`{"method":"DELETE","path":"/Users/{u}","x":1}`), deleted, invalidSyntax},
	"bulk POST attribute":   {bulkOf(`{"method":"POST","path":"/Users","bulkId":"1","data":U:"userName":"x","shoeSize":9}}`), created, invalidSyntax},
	"bulk PUT attribute":    {bulkOf(`{"method":"PUT","path":"/Users/{u}","data":U:"userName":"x","shoeSize":9}}`), succeeded, invalidSyntax},
	"bulk PATCH no path":    {bulkOf(`{"method":"PATCH","path":"/Users/{u}","data":OPS{"op":"add","value":{"title":"x"}}]}}`), succeeded, invalidSyntax},
	"bulk PATCH array":      {bulkOf(`{"method":"PATCH","path":"/Users/{u}","data":[{"op":"add","value":{"title":"x"}}]}`), succeeded, invalidSyntax},
	"bulk PATCH path":       {bulkOf(`{"method":"PATCH","path":"/Users/{u}","data":OPS{"op":"add","path":"title","value":"x"}]}}`), succeeded, succeeded},
	"read-only POST":        {postTo("/Users", `U:"userName":"x","id":"x","meta":{},"groups":[]}`), created, created},
	"member as in response": {postTo("/Groups", `G:"displayName":"x","members":[{"value":"{u}","type":"User","display":"x","$ref":"y"}]}`), created, created},
	"other case":            {postTo("/Users", `U:"USERNAME":"x"}`), created, created},

	// A password is an undefined attribute (IPSIE).
	"POST password":       {postTo("/Users", `U:"userName":"x","password":"p"}`), created, invalidSyntax},
	"POST null password":  {postTo("/Users", `U:"userName":"x","password":null}`), created, invalidSyntax},
	"PUT password":        {message{"PUT /Users/{u}", `U:"userName":"x","password":"p"}`, nil}, succeeded, invalidSyntax},
	"PATCH password":      {patchUser(`{"op":"replace","path":"password","value":"p"}`), succeeded, invalidSyntax},
	"bulk POST password":  {bulkOf(`{"method":"POST","path":"/Users","bulkId":"1","data":U:"userName":"x","password":"p"}}`), created, invalidSyntax},
	"filter for password": {getPath(`/Users?filter=password pr`), invalidFilter, invalidFilter},

	// PATCH.
	"add without path":            {patchUser(`{"op":"add","value":{"title":"x"}}`), succeeded, invalidSyntax},
	"Okta's deactivation":         {patchUser(`{"op":"replace","value":{"active":false}}`), succeeded, invalidSyntax},
	"remove without path":         {patchUser(`{"op":"remove"}`), noTarget, invalidSyntax},
	"null path":                   {patchUser(`{"op":"add","path":null,"value":{"title":"x"}}`), succeeded, invalidSyntax},
	"empty path":                  {patchUser(`{"op":"add","path":"","value":{"title":"x"}}`), succeeded, invalidSyntax},
	"second without path":         {patchUser(`{"op":"add","path":"title","value":"x"},{"op":"add","value":{"title":"x"}}`), succeeded, invalidSyntax},
	"replace of a value":          {patchUser(`{"op":"replace","path":"emails[type eq \"work\"]","value":{"value":"x"}}`), succeeded, invalidPath},
	"remove of a value":           {patchUser(`{"op":"remove","path":"emails[type eq \"work\"]"}`), succeeded, invalidPath},
	"remove of a member":          {patchGroup(`{"op":"remove","path":"members[value eq \"{u}\"]"}`), succeeded, invalidPath},
	"remove of a member by value": {patchGroup(`{"op":"remove","path":"members","value":[{"value":"{u}"}]}`), succeeded, succeeded},
	"filtered sub-attribute":      {patchUser(`{"op":"replace","path":"emails[type eq \"work\"].value","value":"x"}`), succeeded, succeeded},
	"filter with two matches":     {patchUser(`{"op":"replace","path":"emails[value pr].display","value":"x"}`), succeeded, invalidFilter},
	"sub-attribute of all values": {patchUser(`{"op":"replace","path":"emails.display","value":"x"}`), succeeded, succeeded},
	"unknown attribute in a path": {patchUser(`{"op":"replace","path":"emails[x eq \"y\"].value","value":"x"}`), invalidFilter, invalidFilter},

	// Filters and authentication.
	"filter by an unknown attribute": {getPath(`/Users?filter=shoeSize eq 9`), invalidFilter, invalidFilter},
	"filter by a draft's URN":        {getPath(`/Users?filter=urn:scim:schemas:core:1.0:userName pr`), succeeded, invalidFilter},
	"sortBy a draft's URN":           {getPath(`/Users?sortBy=urn:scim:schemas:core:1.0:userName`), succeeded, invalidPath},
	"attributes of a draft's URN":    {getPath(`/Users?attributes=urn:scim:schemas:core:1.0:title`), succeeded, succeeded},
	"GET with a filter":              {getPath(`/Users?filter=emails[type eq "work" and value eq "u@x"]`), succeeded, succeeded},
	"POST with a filter":             {postTo(`/Users?filter=title pr`, `U:"userName":"x"}`), created, invalidFilter},
	"PUT with a filter":              {message{"PUT /Users/{u}?filter=title pr", `U:"userName":"x"}`, nil}, succeeded, invalidFilter},
	"PATCH with a filter":            {message{"PATCH /Users/{u}?filter=title pr", `OPS{"op":"remove","path":"title"}]}`, nil}, succeeded, invalidFilter},
	"DELETE with a filter":           {message{"DELETE /Users/{u}?filter=title pr", "", nil}, deleted, invalidFilter},
	"token as password":              {message{"GET /Users", "", []string{"Authorization", "Basic PASSWORD"}}, succeeded, unauthorized},
}

// Each request has the outcome of the tenant's profile. The detail of an error that only the profile interop causes says so.
func TestProfilesDecideTheOutcomeOfRequests(t *testing.T) {
	t.Parallel()
	ownWords := []string{"filter by a draft's URN", "sortBy a draft's URN", "token as password"} // those of an unknown name or token
	for name, test := range profileCases {
		for profile, want := range map[token.Profile]outcome{"": test.lenient, token.ProfileLenient: test.lenient, token.ProfileInterop: test.interop} {
			t.Run(name+"/"+string(profile), func(t *testing.T) {
				t.Parallel()
				c, ids := newLeniencyClient(t)
				c.expect(c.do("PATCH", ids.Replace("/Users/{u}"), ids.Replace(`OPS{"op":"add","path":"emails","value":[{"value":"v@x"}]}]}`)), 200)
				c.setSettings(token.Settings{Profile: profile})
				_, _, resp := test.exchange(c, ids)
				got, detail := outcomeOf(resp)
				if got != want {
					t.Errorf("%s %s: %v, want %v: %s", test.line, test.body, got, want, detail)
				}
				caused := test.lenient != test.interop && profile == token.ProfileInterop
				if strings.HasSuffix(detail, leniency.InteropReason) != (caused && !slices.Contains(ownWords, name)) {
					t.Errorf("%s %s: the detail is %q", test.line, test.body, detail)
				}
			})
		}
	}
}

var withoutPath = regexp.MustCompile(`"op":"\w+","(path":(""|null),"|value":[^,]*}|value":\[\{)`)

// The profile interop accepts every rule of leniency, except those in the table above. It accepts all that the RFCs allow,
// except operations without a path and filtered paths without a sub-attribute.
func TestProfileInteropRefusesNoOtherRule(t *testing.T) {
	t.Parallel()
	refused := []leniency.Rule{leniency.DraftURN, leniency.MessageNameUnknown, leniency.PasswordDropped, leniency.PathAsName, leniency.PathEmpty,
		leniency.SchemasUnknown, leniency.TokenAsPassword, leniency.UnknownAttribute}
	for i, test := range leniencyCases {
		t.Run(fmt.Sprint(test.rule.Name(), i), func(t *testing.T) {
			t.Parallel()
			for rule, m := range map[bool]message{true: test.lenient, false: test.strict} {
				ofElement := strings.Contains(m.body, "members[") && strings.Contains(m.body, `]"`)
				if rule && slices.Contains(refused, test.rule) || withoutPath.MatchString(m.body) || ofElement {
					continue
				}
				c, ids := newLeniencyClient(t)
				c.setSettings(token.Settings{Profile: token.ProfileInterop})
				status, names, resp := m.exchange(c, ids)
				if o, detail := outcomeOf(resp); status/100 != 2 || o.status/100 != 2 || strings.Contains(names, test.rule.Name()) != rule {
					t.Errorf("%s %s: %v with the rules %q: %s", m.line, m.body, o, names, detail)
				}
			}
		})
	}
}

// Only the profile interop announces itself. It defines no password, and values for each type of a multi-valued attribute.
func TestProfilesHaveTheirOwnDiscovery(t *testing.T) {
	t.Parallel()
	for _, profile := range []token.Profile{token.ProfileLenient, token.ProfileInterop} {
		interop := profile == token.ProfileInterop
		c := newClient(t)
		c.setSettings(token.Settings{Profile: profile})
		config := c.expect(c.do("GET", "/ServiceProviderConfig", ""), 200).body
		if conformant, announced := config["interopProfileConformant"]; announced != interop || interop && conformant != true {
			t.Errorf("%s: interopProfileConformant is %v", profile, conformant)
		}
		for _, path := range []string{"/Schemas", "/Schemas/" + userSchema} {
			text := c.expect(c.do("GET", path, ""), 200).text
			if strings.Contains(text, `"name":"password"`) == interop || !strings.Contains(text, `"name":"nickName"`) {
				t.Errorf("%s: %s: %s", profile, path, text)
			}
		}
		for _, s := range c.do("GET", "/Schemas", "").body["Resources"].([]any) {
			for _, a := range s.(scim.Object)["attributes"].([]any) {
				checkTypeValues(t, interop, a.(scim.Object))
			}
		}
		for _, rt := range c.do("GET", "/ResourceTypes", "").body["Resources"].([]any) {
			if o := rt.(scim.Object); o["id"] != o["name"] {
				t.Errorf("the resource type %v has the ID %v", o["name"], o["id"])
			}
		}
	}
}

// checkTypeValues checks that the type of a multi-valued attribute has canonical values in the profile interop. In the
// profile lenient, those of RFC 7643 §8.7.1 have.
func checkTypeValues(t *testing.T, interop bool, a scim.Object) {
	t.Helper()
	subs, _ := a["subAttributes"].([]any)
	for _, s := range subs {
		sub := s.(scim.Object)
		free := !interop && slices.Contains([]any{"entitlements", "roles", "x509Certificates"}, a["name"])
		if values, _ := sub["canonicalValues"].([]any); a["multiValued"] == true && sub["name"] == "type" && (len(values) == 0) != free {
			t.Errorf("interop %v: %v.type has the canonical values %v", interop, a["name"], values)
		}
	}
}

// A replace of a complex attribute keeps the other sub-attributes (RFC 7644 §3.5.2.3), except in the profile interop. An add
// keeps them in both.
func TestProfilesReplaceComplexAttributes(t *testing.T) {
	t.Parallel()
	for profile, want := range map[token.Profile]string{token.ProfileLenient: "map[familyName:b givenName:z]", token.ProfileInterop: "map[givenName:z]"} {
		c, ids := newLeniencyClient(t)
		c.setSettings(token.Settings{Profile: profile})
		for _, test := range []struct{ op, value, want string }{
			{"add", `{"givenName":"a","familyName":"b"}`, "map[familyName:b givenName:a]"},
			{"add", `{"givenName":"y"}`, "map[familyName:b givenName:y]"},
			{"replace", `{"givenName":"z"}`, want},
		} {
			_, _, resp := patchUser(`{"op":"`+test.op+`","path":"name","value":`+test.value+`}`).exchange(c, ids)
			if got := fmt.Sprint(resp.body["name"]); got != test.want {
				t.Errorf("%s: after %s %s, the name is %s, want %s", profile, test.op, test.value, got, test.want)
			}
		}
	}
}

// A refused operation of a bulk request does not affect the others, and resources can refer to each other in a cycle.
func TestProfileInteropServesBulkRequests(t *testing.T) {
	t.Parallel()
	c, ids := newLeniencyClient(t)
	c.setSettings(token.Settings{Profile: token.ProfileInterop})
	group := func(name, member string) string {
		return `{"method":"POST","path":"/Groups","bulkId":"` + name + `","data":G:"displayName":"` + name + `","members":[{"value":"bulkId:` + member + `"}]}}`
	}
	m := bulkOf(`{"method":"PATCH","path":"/Users/{u}","data":OPS{"op":"add","value":{"title":"x"}}]}},` +
		`{"method":"PATCH","path":"/Users/{u}","data":OPS{"op":"replace","path":"active","value":false}]}},` + group("a", "b") + "," + group("b", "a"))
	_, _, resp := m.exchange(c, ids)
	var statuses []any
	for _, operation := range resp.body["Operations"].([]any) {
		statuses = append(statuses, operation.(scim.Object)["status"])
	}
	if got := fmt.Sprint(statuses); got != "[400 200 201 201]" {
		t.Errorf("the statuses are %s: %s", got, resp.text)
	}
}

// The log line of a refused request names the rule and contains nothing that the client sent.
func TestRefusedRulesAreLogged(t *testing.T) {
	t.Parallel()
	c, ids := newLeniencyClient(t)
	c.setSettings(token.Settings{Profile: token.ProfileInterop})
	_, names, _ := postTo("/Users", `U:"userName":"x","shoeSize":9}`).exchange(c, ids)
	if log := c.log.String(); names != "" || !strings.Contains(log, "the profile interop refuses the rule unknown-attribute") || strings.Contains(log, "shoeSize") {
		t.Errorf("the rules are %q, the log is %s", names, log)
	}
}

// Every recorded conversation of Okta gets the expected responses in the profile lenient. In the profile interop, the
// deactivation of a user does not, because Okta sends it without a path.
func TestOktaNeedsTheProfileLenient(t *testing.T) {
	t.Parallel()
	conversations, err := replay.LoadConversations("../../events/okta")
	if err != nil {
		t.Fatal(err)
	}
	refusedDeactivation := false
	for _, profile := range []token.Profile{token.ProfileLenient, token.ProfileInterop} {
		c := newClient(t, func(c *Config) { c.BaseURL = "" })
		c.setSettings(token.Settings{Profile: profile})
		player := replay.Player{Target: replay.FunctionTarget(gateway.New(c.handler).Invoke), Token: c.secret, RunSuffix: "run"}
		player.OnStep = func(result replay.StepResult) {
			if profile == token.ProfileLenient && len(result.Diff) > 0 {
				t.Errorf("%s: %v", result.Step.Name, result.Diff)
			}
			event := result.Step.Event
			deactivates := event.HTTPMethod == http.MethodPatch && strings.Contains(string(event.Body), `"active":false`)
			if profile == token.ProfileInterop && deactivates && strings.Contains(string(result.Got.Body), "has no path") {
				refusedDeactivation = true
			}
		}
		for _, conversation := range conversations {
			if _, err := player.Play(t.Context(), conversation); err != nil && profile == token.ProfileLenient {
				t.Errorf("%s: %v", conversation.Name(), err)
			}
		}
	}
	if !refusedDeactivation {
		t.Error("the profile interop refused no deactivation")
	}
}
