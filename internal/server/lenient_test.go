package server

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/gateway"
	"serverless-scim/internal/leniency"
	"serverless-scim/internal/replay"
)

// A message is a request of the table below. In its path and its body, {u} and {g} are the IDs of a user and of a group,
// and U: and G: stand for the beginning of a create request, with its schemas. OPS stands for the beginning of a PATCH
// request. In a header, TOKEN is the token, and PASSWORD the token as Basic authentication encodes it.
type message struct {
	line, body string // line is a method and a path
	header     []string
}

// send sends the message, and returns the status and the names of the rules in the log line.
func (m message) send(c *client, ids *strings.Replacer) (status int, names string) {
	c.Helper()
	status, names, _ = m.exchange(c, ids)
	return status, names
}

// exchange is send with the response. It replaces the placeholders of the header too.
func (m message) exchange(c *client, ids *strings.Replacer) (status int, names string, resp clientResponse) {
	c.Helper()
	method, path, _ := strings.Cut(ids.Replace(m.line), " ")
	var header []string
	for _, h := range m.header {
		header = append(header, ids.Replace(h))
	}
	c.log.reset()
	resp = c.do(method, strings.NewReplacer(" ", "%20", `"`, "%22", "[", "%5B", "]", "%5D", "\t", "%09").Replace(path), ids.Replace(m.body), header...)
	return resp.status, strings.Join(loggedRules(c.log.String()), ","), resp
}

var lenientField = regexp.MustCompile(`msg=request .*lenient=(\S+)`)

// loggedRules returns the names of the rules in the request lines of a log, sorted and each once.
func loggedRules(log string) []string {
	names := map[string]bool{}
	for _, found := range lenientField.FindAllStringSubmatch(log, -1) {
		for name := range strings.SplitSeq(found[1], ",") {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func (r *logBuffer) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Buffer.Reset()
}

const (
	manager          = enterprise + ":manager"
	groupSchema      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	quotedEnterprise = `"` + enterprise + `"`
)

// leniencyCases has, for each rule, a request that needs it, and the nearest request that the RFCs allow.
var leniencyCases = []struct {
	rule            leniency.Rule
	lenient, strict message
}{
	{leniency.BooleanAsString, postTo("/Users", `U:"userName":"x","active":"True"}`), postTo("/Users", `U:"userName":"x","active":true}`)},
	{leniency.BooleanAsString, getPath(`/Users?filter=active eq "True"`), getPath(`/Users?filter=active eq true`)},
	{leniency.BooleanAsString, getPath(`/?filter=emails[primary eq "True"]`), getPath(`/?filter=emails[primary eq true]`)},
	{leniency.BooleanAsString, patchUser(`{"op":"replace","path":"active","value":"False"}`), patchUser(`{"op":"replace","path":"active","value":false}`)},
	{leniency.BulkDataAsString, bulkOf(`{"method":"POST","path":"/Users","bulkId":"1","data":"{\"schemas\":[\"` + userSchema + `\"],\"userName\":\"x\"}"}`),
		bulkOf(`{"method":"POST","path":"/Users","bulkId":"1","data":U:"userName":"x"}}`)},
	{leniency.BulkMethodCase, bulkOf(`{"method":"delete","path":"/Users/{u}"}`), bulkOf(`{"method":"DELETE","path":"/Users/{u}"}`)},
	{leniency.BulkPathSlashes, bulkOf(`{"method":"DELETE","path":"Users/{u}"}`), bulkOf(`{"method":"DELETE","path":"/Users/{u}"}`)},
	{leniency.BulkPathSlashes, bulkOf(`{"method":"DELETE","path":"/Users/{u}/"}`), bulkOf(`{"method":"DELETE","path":"/Users/{u}"}`)},
	{leniency.ComplexAsString, patchUser(`{"op":"add","path":"` + manager + `","value":"7"}`), patchUser(`{"op":"add","path":"` + manager + `","value":{"value":"7"}}`)},
	{leniency.ContentTypeMissing, message{"POST /Users", `U:"userName":"x"}`, []string{"Content-Type", ""}}, postTo("/Users", `U:"userName":"x"}`)},
	{leniency.ContentTypeParameter, message{"POST /Users", `U:"userName":"x"}`, []string{"Content-Type", "application/scim+json; charset=ISO-8859-1"}},
		message{"POST /Users", `U:"userName":"x"}`, []string{"Content-Type", "application/scim+json; charset=UTF-8"}}},
	{leniency.DraftURN, postTo("/Users", `{"schemas":["urn:scim:schemas:core:2.0"],"userName":"x"}`), postTo("/Users", `U:"userName":"x"}`)},
	{leniency.DraftURN, postTo("/Users", `{"schemas":["`+userSchema+`",`+quotedEnterprise+`],"userName":"x","urn:scim:schemas:extension:enterprise:1.0":{"department":"d"}}`),
		postTo("/Users", `{"schemas":["`+userSchema+`",`+quotedEnterprise+`],"userName":"x",`+quotedEnterprise+`:{"department":"d"}}`)},
	{leniency.DraftURN, getPath("/Users?sortBy=urn:scim:schemas:core:1.0:userName"), getPath("/Users?sortBy=" + userSchema + ":userName")},
	{leniency.DraftURN, getPath("/Users?attributes=urn:scim:schemas:core:1.0:userName"), getPath("/Users?attributes=" + userSchema + ":userName")},
	{leniency.DraftURN, getPath("/Users?filter=urn:scim:schemas:core:1.0:userName pr"), getPath("/Users?filter=" + userSchema + ":userName pr")},
	{leniency.DraftURN, patchUser(`{"op":"add","path":"urn:scim:schemas:core:1.0:title","value":"t"}`), patchUser(`{"op":"add","path":"` + userSchema + `:title","value":"t"}`)},
	{leniency.EmptiedElementRemoved, patchUser(`{"op":"replace","path":"emails[type eq \"work\"].value","value":null}`),
		patchUser(`{"op":"replace","path":"emails[type eq \"work\"].type","value":null}`)},
	{leniency.EmptyElement, postTo("/Users", `U:"userName":"x","emails":[null,{}]}`), postTo("/Users", `U:"userName":"x","emails":[]}`)},
	{leniency.EmptyString, patchUser(`{"op":"replace","path":"title","value":""}`), patchUser(`{"op":"replace","path":"title","value":null}`)},
	{leniency.EmptyString, patchUser(`{"op":"add","path":"` + manager + `","value":""}`), patchUser(`{"op":"add","path":"` + manager + `","value":null}`)},
	{leniency.FilterAfterBrackets, getPath(`/Users?filter=emails[type eq "work"].value eq "x"`), getPath(`/Users?filter=emails[type eq "work" and value eq "x"]`)},
	{leniency.FilterComplex, getPath(`/Users?filter=manager eq "x"`), getPath(`/Users?filter=manager.value eq "x" or emails co "x"`)},
	{leniency.FilterComplex, getPath(`/Users?sortBy=manager`), getPath(`/Users?sortBy=manager.value`)},
	{leniency.FilterUnquoted, getPath(`/Users?filter=userName eq jose`), getPath(`/Users?filter=userName eq "jose"`)},
	{leniency.FilterUnquoted, message{"PATCH /Groups/{g}", `OPS{"op":"remove","path":"members[value eq {u}]"}]}`, nil},
		message{"PATCH /Groups/{g}", `OPS{"op":"remove","path":"members[value eq \"{u}\"]"}]}`, nil}},
	{leniency.FilterWhiteSpace, getPath(`/Users?filter=userName  eq "x"`), getPath(`/Users?filter=userName eq "x"`)},
	{leniency.FilterWhiteSpace, getPath(`/Users?filter=userName eq"x"`), getPath(`/Users?filter=userName eq "x"`)},
	{leniency.FilterWhiteSpace, getPath(`/Users?filter=(title pr)or (title pr)`), getPath(`/Users?filter=(title pr) or not (title pr) and title pr`)},
	{leniency.FilterWhiteSpace, getPath(`/Users?filter=title pr `), getPath(`/Users?filter=title pr`)},
	{leniency.FilterWhiteSpace, getPath("/Users?filter=userName\teq \"x\""), getPath(`/Users?filter=userName eq "x"`)},
	{leniency.MessageNameUnknown, patchUser(`{"op":"remove","path":"title","x":1}`), patchUser(`{"OP":"remove","path":"title"}`)},
	{leniency.MessageNameUnknown, searchFor(`"x":1`), searchFor(`"COUNT":1`)},
	{leniency.MessageNameUnknown, bulkOf(`{"method":"DELETE","path":"/Users/{u}","x":1}`), bulkOf(`{"method":"DELETE","path":"/Users/{u}","version":"*"}`)},
	{leniency.NotCompressed, message{"POST /Users", `U:"userName":"x"}`, []string{"Content-Encoding", "gzip"}},
		message{"POST /Users", `U:"userName":"x"}`, []string{"Content-Encoding", "identity"}}},
	{leniency.OpCase, patchUser(`{"op":"Remove","path":"title"}`), patchUser(`{"op":"remove","path":"title"}`)},
	{leniency.ParameterCase, getPath("/Users?startindex=1"), getPath("/Users?startIndex=1")},
	{leniency.ParameterEmpty, getPath("/Users?count="), getPath("/Users?count=1&")},
	{leniency.ParameterType, searchFor(`"count":"1"`), searchFor(`"count":1`)},
	{leniency.ParameterType, searchFor(`"attributes":"userName"`), searchFor(`"attributes":["userName"]`)},
	{leniency.ParameterType, searchFor(`"sortBy":["userName"]`), searchFor(`"sortBy":"userName"`)},
	{leniency.ParameterUnknown, getPath("/Users?aadOptscim062020"), getPath("/Users?")},
	{leniency.PasswordDropped, postTo("/Users", `U:"userName":"x","password":"p"}`), postTo("/Users", `U:"userName":"x"}`)},
	{leniency.PasswordDropped, patchUser(`{"op":"replace","value":{"password":"p"}}`), patchUser(`{"op":"replace","value":{"title":"p"}}`)},
	{leniency.PathAsName, patchUser(`{"op":"add","value":{"name.givenName":"x"}}`), patchUser(`{"op":"add","value":{"name":{"givenName":"x"}}}`)},
	{leniency.PathAsName, patchUser(`{"op":"add","value":{"` + enterprise + `:department":"x"}}`), patchUser(`{"op":"add","value":{` + quotedEnterprise + `:{"department":"x"}}}`)},
	{leniency.PathAsName, patchUser(`{"op":"replace","value":{"emails[type eq \"work\"].display":"x"}}`), patchUser(`{"op":"replace","path":"emails[type eq \"work\"].display","value":"x"}`)},
	{leniency.PathCase, getPath("/users"), getPath("/Users")},
	{leniency.PathCase, getPath("/schemas"), getPath("/Schemas")},
	{leniency.PathCase, getPath("/ResourceTypes/user"), getPath("/ResourceTypes/User")},
	{leniency.PathCase, bulkOf(`{"method":"DELETE","path":"/users/{u}"}`), bulkOf(`{"method":"DELETE","path":"/Users/{u}"}`)},
	{leniency.PathEmpty, patchUser(`{"op":"add","path":"","value":{"title":"x"}}`), patchUser(`{"op":"add","path":null,"value":{"title":"x"}}`)},
	{leniency.ReadOnlyInPatch, patchUser(`{"op":"replace","value":{"id":"{u}","title":"x"}}`), message{"PUT /Users/{u}", `U:"id":"x","userName":"x","meta":{}}`, nil}},
	{leniency.ReadOnlyInPatch, patchUser(`{"op":"replace","path":"` + manager + `","value":{"displayName":"x","value":"7"}}`),
		patchUser(`{"op":"replace","path":"` + manager + `","value":{"value":"7"}}`)},
	{leniency.RemoveByValue, patchGroup(`{"op":"remove","path":"members","value":[{"value":"{u}"}]}`), patchGroup(`{"op":"remove","path":"members"}`)},
	{leniency.RemoveByValue, patchGroup(`{"op":"remove","path":"members","value":[]}`), patchGroup(`{"op":"replace","path":"members","value":[]}`)},
	{leniency.RemoveByValue, patchUser(`{"op":"remove","path":"emails","value":[{"value":"x"}]}`), patchUser(`{"op":"remove","path":"emails","value":null}`)},
	{leniency.RemoveNameRepeated, patchGroup(`{"op":"remove","path":"members","value":{"members":[{"value":"{u}"}]}}`), patchGroup(`{"op":"remove","path":"members"}`)},
	{leniency.RemoveValueIgnored, patchUser(`{"op":"remove","path":"title","value":"x"}`), patchUser(`{"op":"remove","path":"title","value":null}`)},
	{leniency.RemoveValueIgnored, patchGroup(`{"op":"remove","path":"members[value eq \"{u}\"]","value":"x"}`), patchGroup(`{"op":"remove","path":"members[value eq \"{u}\"]"}`)},
	{leniency.RequestedAttributeFilter, getPath(`/Users?attributes=emails[type eq "work"]`), getPath(`/Users?attributes=emails.value`)},
	{leniency.RequestedAttributeUnknown, getPath(`/Users/{u}?excludedAttributes=shoeSize`), getPath(`/Users/{u}?excludedAttributes=title`)},
	{leniency.SchemasIncomplete, postTo("/Users", `U:"userName":"x",`+quotedEnterprise+`:{"department":"d"}}`),
		postTo("/Users", `{"schemas":["`+userSchema+`",`+quotedEnterprise+`],"userName":"x",`+quotedEnterprise+`:{"department":"d"}}`)},
	{leniency.SchemasIncomplete, postTo("/Users", `{"schemas":[],"userName":"x"}`), postTo("/Users", `U:"userName":"x"}`)},
	{leniency.SchemasIncomplete, postTo("/Users/.search", `{"schemas":[]}`), searchFor(`"count":1`)},
	{leniency.SchemasMissing, postTo("/Users", `{"userName":"x"}`), postTo("/Users", `{"schemas":["`+strings.ToUpper(userSchema)+`"],"userName":"x"}`)},
	{leniency.SchemasMissing, message{"PATCH /Users/{u}", `{"Operations":[{"op":"remove","path":"title"}]}`, nil}, patchUser(`{"op":"remove","path":"title"}`)},
	{leniency.SchemasUnknown, postTo("/Groups", `{"schemas":["`+groupSchema+`","http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],"displayName":"x"}`),
		postTo("/Groups", `{"schemas":["`+groupSchema+`"],"displayName":"x"}`)},
	{leniency.SchemasUnknown, postTo("/Users/.search", `{"schemas":["`+searchRequest+`","urn:x"]}`), searchFor(`"count":1`)},
	{leniency.SchemasUnknown, postTo("/Bulk", `{"schemas":["`+bulkRequest+`","urn:x"],"Operations":[{"method":"DELETE","path":"/Users/{u}"}]}`),
		bulkOf(`{"method":"DELETE","path":"/Users/{u}"}`)},
	{leniency.SortOrderCase, getPath("/Users?sortBy=userName&sortOrder=Descending"), getPath("/Users?sortBy=userName&sortOrder=descending")},
	{leniency.TokenAlone, message{"GET /Users", "", []string{"Authorization", "TOKEN"}}, message{"GET /Users", "", []string{"Authorization", "bearer TOKEN"}}},
	{leniency.TokenAsPassword, message{"GET /Users", "", []string{"Authorization", "Basic PASSWORD"}}, getPath("/Users")},
	{leniency.TrailingSlash, getPath("/Users/"), getPath("/Users")},
	{leniency.UnknownAttribute, postTo("/Users", `U:"userName":"x","shoeSize":9}`), postTo("/Users", `U:"userName":"x","TITLE":"9"}`)},
	{leniency.UnknownAttribute, postTo("/Users", `U:"userName":"x","name":{"givenName":"x","nickName":"y"}}`), postTo("/Users", `U:"userName":"x","name":{"givenName":"x"}}`)},
	{leniency.UnknownAttribute, patchUser(`{"op":"add","value":{"shoeSize":9,"a b":1}}`), patchUser(`{"op":"add","value":{"title":"9"}}`)},
	{leniency.UnknownAttribute, patchUser(`{"op":"add","path":"name","value":{"nickName":"x"}}`), patchUser(`{"op":"add","path":"name","value":{"givenName":"x"}}`)},
	{leniency.UnknownMembers, patchGroup(`{"op":"add","path":"members","value":[{"value":"nobody"}]}`), patchGroup(`{"op":"add","path":"members","value":[{"value":"{u}","display":"x"}]}`)},
	{leniency.UnknownMembers, postTo("/Groups", `G:"displayName":"x","members":[{"value":"nobody"}]}`), postTo("/Groups", `G:"displayName":"x","members":[{"value":"{u}"}]}`)},
	{leniency.ValueInArray, patchUser(`{"op":"replace","value":[{"title":"x"}]}`), patchUser(`{"op":"replace","value":{"title":"x"}}`)},
	{leniency.ValueInArray, patchUser(`{"op":"replace","path":"title","value":["x"]}`), patchUser(`{"op":"replace","path":"title","value":"x"}`)},
	{leniency.ValueNotInArray, patchGroup(`{"op":"add","path":"members","value":{"value":"{u}"}}`), patchGroup(`{"op":"add","path":"members","value":[{"value":"{u}"}]}`)},
	{leniency.ValueNotInArray, patchUser(`{"op":"add","path":"emails","value":{"value":"x"}}`), patchUser(`{"op":"add","path":"emails","value":[{"value":"x"}]}`)},
	{leniency.ValueNotInArray, postTo("/Users", `U:"userName":"x","emails":{"value":"x"}}`), postTo("/Users", `U:"userName":"x","emails":[{"value":"x"}]}`)},
	{leniency.ValuePathCreates, patchUser(`{"op":"replace","path":"phoneNumbers[type eq \"mobile\"].value","value":"1"}`),
		patchUser(`{"op":"replace","path":"emails[type eq \"work\"].value","value":"1"}`)},
}

func getPath(path string) message      { return message{line: "GET " + path} }
func postTo(path, body string) message { return message{"POST " + path, body, nil} }
func patchUser(operation string) message {
	return message{"PATCH /Users/{u}", "OPS" + operation + "]}", nil}
}
func patchGroup(operation string) message {
	return message{"PATCH /Groups/{g}", "OPS" + operation + "]}", nil}
}
func bulkOf(operation string) message {
	return postTo("/Bulk", `{"schemas":["`+bulkRequest+`"],"Operations":[`+operation+`]}`)
}
func searchFor(parameters string) message {
	return postTo("/Users/.search", `{"schemas":["`+searchRequest+`"],`+parameters+`}`)
}

// newLeniencyClient returns a client of a server with a user and a group, and what replaces the placeholders of a message.
func newLeniencyClient(t *testing.T) (*client, *strings.Replacer) {
	c := newClient(t)
	u := c.create("/Users", `{"userName":"u","title":"t","emails":[{"value":"u@x","type":"work"}]}`)
	g := c.create("/Groups", `{"displayName":"g","members":[{"value":"`+u+`"}]}`)
	return c, strings.NewReplacer("{u}", u, "{g}", g, "U:", `{"schemas":["`+userSchema+`"],`, "G:", `{"schemas":["`+groupSchema+`"],`,
		"OPS", `{`+patchSchemas+`,"Operations":[`, "TOKEN", c.secret, "PASSWORD", base64.StdEncoding.EncodeToString([]byte("x:"+c.secret)))
}

// Each rule has its name in the log line of a request that needs it, and no other rule does. The nearest strict request has
// the same status and needs no rule. Every rule has a case.
func TestRequestsLogTheRulesTheyNeed(t *testing.T) {
	t.Parallel()
	tested := map[leniency.Rule]bool{}
	for i, test := range leniencyCases {
		tested[test.rule] = true
		t.Run(fmt.Sprint(test.rule.Name(), i), func(t *testing.T) {
			t.Parallel()
			want := test.rule.Name()
			if test.rule == leniency.RemoveNameRepeated {
				want = "remove-by-value," + want
			}
			for want, m := range map[string]message{want: test.lenient, "": test.strict} {
				c, ids := newLeniencyClient(t)
				status, names := m.send(c, ids)
				if names != want || status/100 != 2 {
					t.Errorf("%s %s %v: %d with the rules %q, want %q", m.line, m.body, m.header, status, names, want)
				}
			}
		})
	}
	for _, r := range leniency.All() {
		if !tested[r] {
			t.Errorf("the rule %s has no case", r.Name())
		}
	}
}

// The rules of all operations of a bulk request are in its one log line, each of them once.
func TestBulkRequestsCollectTheRulesOfTheirOperations(t *testing.T) {
	t.Parallel()
	c, ids := newLeniencyClient(t)
	m := bulkOf(`{"method":"PATCH","path":"/Users/{u}","data":OPS{"op":"Replace","path":"active","value":"True"}]}},
		{"method":"PATCH","path":"/Users/{u}","data":{"Operations":[{"op":"Replace","path":"title","value":""}]}},
		{"method":"PATCH","path":"/Users/{u}","data":[{"op":"remove","path":"title"}]}`)
	if _, names := m.send(c, ids); names != "boolean-as-string,empty-string,op-case,schemas-missing" {
		t.Errorf("the rules are %s", names)
	}
}

// The caller of the handler receives the rules of its request, which are those of the log line.
func TestCallersReadTheRulesOfARequest(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for body, want := range map[string]string{`{"userName":"x","active":"True"}`: "boolean-as-string schemas-missing", `{"schemas":["` + userSchema + `"],"userName":"y"}`: ""} {
		r := httptest.NewRequest("POST", "/v2/Users", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+c.secret)
		r.Header.Set("Content-Type", mediaType)
		ctx, rules := leniency.Collect(r.Context())
		c.log.reset()
		c.expect(c.send(r.WithContext(ctx)), 201)
		var names []string
		for _, rule := range rules() {
			names = append(names, rule.Name())
		}
		if got := strings.Join(names, " "); got != want || strings.Join(loggedRules(c.log.String()), " ") != want {
			t.Errorf("%s: the rules are %q, want %q; the log is %s", body, got, want, c.log)
		}
	}
}

// The conversations of each identity provider need these rules. A conversation that is not listed needs none.
func TestRecordedConversationsNeedTheseRules(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"okta/import":            "password-dropped",
		"okta/template-group":    "password-dropped read-only-in-patch",
		"okta/template-reassign": "password-dropped",
		"okta/template-user":     "password-dropped",
		"okta/wire-2018":         "password-dropped",
		"okta/wizard-group":      "password-dropped",
		"okta/wizard-user":       "password-dropped",
		"entra/connection-test":  "parameter-unknown",
		"entra/disable-user":     "boolean-as-string op-case",
		"entra/group":            "op-case remove-by-value schemas-unknown",
		"entra/manager":          "complex-as-string empty-string op-case path-as-name",
		"entra/match":            "filter-after-brackets",
		"entra/null-update": "boolean-as-string complex-as-string emptied-element-removed empty-string op-case path-as-name " +
			"value-path-creates",
		"entra/update-user":        "boolean-as-string op-case path-as-name value-path-creates",
		"authentik/group":          "read-only-in-patch remove-by-value",
		"authentik/user":           "filter-unquoted",
		"jumpcloud/activation":     "remove-by-value",
		"jumpcloud/group":          "remove-by-value",
		"keycloak/user":            "boolean-as-string",
		"onelogin/core-1-template": "draft-urn unknown-attribute value-not-in-array",
		"onelogin/group":           "draft-urn remove-by-value",
		"onelogin/user":            "boolean-as-string draft-urn",
	}
	for _, provider := range []string{"authentik", "entra", "google", "jumpcloud", "keycloak", "okta", "onelogin", "ping"} {
		conversations, err := replay.LoadConversations("../../events/" + provider)
		if err != nil {
			t.Fatal(err)
		}
		c := newClient(t, func(c *Config) { c.BaseURL = "" })
		player := replay.Player{Target: replay.FunctionTarget(gateway.New(c.handler).Invoke), Token: c.secret, RunSuffix: "run"}
		for _, conversation := range conversations {
			c.log.reset()
			differing, err := player.Play(t.Context(), conversation)
			name := provider + "/" + conversation.Name()
			if got := strings.Join(loggedRules(c.log.String()), " "); got != want[name] || differing > 0 || err != nil {
				t.Errorf("%s needs the rules %q, want %q; %d responses differ: %v", name, got, want[name], differing, err)
			}
		}
	}
}
