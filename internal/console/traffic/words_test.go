package traffic

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"serverless-scim/internal/table"
)

// testdata/sentences.txt has a line for each recorded step: its name and the sentence.
func TestSentencesOfRecordedConversations(t *testing.T) {
	t.Parallel()
	golden, err := os.ReadFile("testdata/sentences.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for line := range strings.Lines(string(golden)) {
		step, sentence, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		want[step] = sentence
	}
	exchanges := recordedExchanges(t)
	for _, step := range slices.Sorted(maps.Keys(exchanges)) {
		if got := Describe(exchanges[step]); got != want[step] {
			t.Errorf("%s:\n got %q\nwant %q", step, got, want[step])
		}
		delete(want, step)
	}
	for step := range want {
		t.Errorf("%s is in the file, but not recorded", step)
	}
}

const (
	userPath  = "/Users/u06h2hgpok3o36g416qbb4t05fg"
	groupPath = "/Groups/g06h2hgpoold8gcicqrqqjk3iv0"
)

// exchangeOf returns an exchange of Okta. Its request is a method and a target, such as "GET /Users?count=1".
func exchangeOf(request, body string, status int, response string) *Exchange {
	method, target, _ := strings.Cut(request, " ")
	path, query, _ := strings.Cut(target, "?")
	return &Exchange{
		Client: "Okta", Method: method, Path: path, Query: query, Header: http.Header{"Authorization": {"Bearer …"}},
		Body: Body{Text: body, Size: len(body)}, Status: status, Reply: http.Header{}, Content: Body{Text: response, Size: len(response)},
	}
}

func patchOf(operations string) string { return `{"Operations":[` + operations + `]}` }

func errorOf(scimType, detail string) string {
	return fmt.Sprintf(`{"scimType":%q,"detail":%q}`, scimType, detail)
}

func TestSentencesOfRequests(t *testing.T) {
	t.Parallel()
	changes := func(types string) string {
		return `{"changes":[{"type":["` + types + `"]},{"type":["` + types + `"]}],"more":true}`
	}
	for _, c := range []struct {
		request, body string
		status        int
		response      string
		want          string
	}{
		// Lists
		{"GET /Users?startIndex=101&count=100", "", 200, `{"totalResults":250,"startIndex":101,"itemsPerPage":100,"Resources":[]}`, "lists users from 101 to 200 of 250"},
		{"GET /Users?startIndex=101&count=100", "", 200, `{"totalResults":250,"startIndex":101,"itemsPerPage":100,"Resources":[{"id":"u06`, "lists users from 101 to 200 of 250"},
		{"GET /users/?count=0", "", 200, `{"totalResults":250,"startIndex":1,"itemsPerPage":0}`, "counts users: 250"},
		{"GET /Users?cursor=&count=100", "", 200, `{"totalResults":250,"itemsPerPage":100,"nextCursor":"abc"}`, "lists 100 of 250 users by cursor"},
		{"GET /Users?cursor=abc&count=100", "", 200, `{"totalResults":250,"itemsPerPage":50}`, "lists the last 50 of 250 users"},
		{"GET /Users", "", 200, ``, "lists users"},
		{"GET /Roles", "", 200, `{"totalResults":1,"itemsPerPage":1}`, "lists roles: all 1"},
		{"POST /Users/.search", `{"filter":"userName eq \"a@b.c\""}`, 200, `{"totalResults":0}`, "looks for a user by userName a@b.c: none"},
		{"POST /.search", `{"startIndex":1,"count":0}`, 200, `{"totalResults":7}`, "counts resources: 7"},
		{"GET /Users?filter=displayName+sw+%22O%22", "", 200, `{"totalResults":3}`, `searches users by displayName sw "O": 3 found`},
		{"GET /Users?filter=title+eq+%22%5C%22x%5C%22%22", "", 200, `{"totalResults":3}`, `looks for a user by title "'x'": 3 found`},
		{"GET /Users?FILTER=externalId+eq+%22a%22", "", 200, `{"totalResults":1,"Resources":[{"userName":"b","active":"False"}]}`, `looks for a user by externalId a: b (inactive)`},
		{"GET /Users?filter=userName+eq+%226382b3cc-8814-12b7-7bfc-aeed026001c0%22", "", 200, `{"totalResults":0}`, "looks for a user by userName 6382b3cc-8814-12b7-7bfc-aeed026001c0: none"},
		{"GET /Users?filter=password+eq+%22hunter2%22", "", 400, errorOf("invalidFilter", "A filter cannot use the attribute password. Filter by another attribute."), "cannot search users by password: a filter cannot use the attribute password (400 invalidFilter)"},
		{"GET /Users?filter=%zz", "", 400, errorOf("invalidFilter", "The filter is not valid: x. See /Schemas."), "cannot list users: the filter is not valid: x (400 invalidFilter)"},
		{"GET /Entitlements?filter=displayName+eq+%22a%22", "", 200, `{"totalResults":0}`, "looks for an entitlement by displayName a: none"},

		// Changes, discovery, bulk
		{"GET /Changes?cursor=a", "", 200, changes("user.updated"), "reads 2 changes, more follow"},
		{"GET /Changes?cursor=a", "", 200, `{"changes":[],"more":false}`, "reads no changes"},
		{"GET /Changes?cursor=a", "", 200, changes("user.listed"), "reads 2 resources of the list before the changes, more follow"},
		{"GET /Changes", "", 200, changes("user.listed"), "begins to read the changes: 2 resources, more follow"},
		{"GET /Changes?cursor=a", "", 400, errorOf("expiredCursor", "The cursor has expired. Start over with an empty cursor."), "cannot read the changes: the cursor has expired (400 expiredCursor)"},
		{"POST /oauth/token", "grant_type=client_credentials", 200, `{"access_token":"•••"}`, "requests an access token"},
		{"POST /oauth/token", "", 400, `{"error":"invalid_request"}`, "cannot request an access token: bad request (400)"},
		{"POST /oauth/token", "grant_type=client_credentials", 401, `{"error":"invalid_client"}`, "does not authenticate as an OAuth client (401)"},
		{"GET /ServiceProviderConfig", "", 200, `{}`, "reads the configuration of the service"},
		{"GET /Schemas/urn:ietf:params:scim:schemas:core:2.0:User", "", 200, `{}`, "reads the schema User"},
		{"GET /ResourceTypes/User", "", 200, `{}`, "reads the resource type User"},
		{"POST /Bulk", patchOf(`{},{},{}`), 200, `{"Operations":[{"status":"201"},{"status":"409"},{"status":400}]}`, "sends a bulk request with 3 operations: 2 failed"},
		{"POST /Bulk", `{"Operations":[{"method":"POST"},{"met`, 413, ``, "cannot send a bulk request with at least 2 operations: request entity too large (413)"},
		{"POST /Bulk", `x`, 400, errorOf("invalidSyntax", "The request body is not valid JSON (near byte 0). Send it."), "cannot send a bulk request: the request body is not valid JSON (near byte 0) (400 invalidSyntax)"},

		// One resource
		{"POST /Users", `{"userName":"ada@example.com","active":false}`, 201, `{}`, "creates the inactive user ada@example.com"},
		{"POST /Users", `{"userName":["ada"]}`, 400, errorOf("invalidValue", "A value of userName has the wrong type. It must be a string."), "cannot create a user: a value of userName has the wrong type (400 invalidValue)"},
		{"POST /Users", `{"USERNAME":"ada"}`, 201, ``, "creates the user ada"},
		{"POST /Users", `{"userName":"ada"}`, 400, errorOf("invalidValue", `The value "a. B" is wrong. Send another.`), `cannot create the user ada: the value "a. B" is wrong (400 invalidValue)`},
		{"PUT " + userPath, `{"userName":"ada"}`, 400, errorOf("", "If-Match is not valid. Send an entity tag."), "cannot replace the user ada: If-Match is not valid (400)"},
		{"GET /\xff", "", 404, ``, "cannot send GET to /\uFFFD: not found (404)"},
		{"POST /Users", `not JSON`, 400, errorOf("invalidSyntax", "The request body is not a JSON object. Send a JSON object."), "cannot create a user: the request body is not a JSON object (400 invalidSyntax)"},
		{"GET " + userPath, "", 304, ``, "reads the user u06…05fg: not modified (304)"},
		{"GET " + userPath, "", 0, ``, "cannot read the user u06…05fg: there is no response"},
		{"GET " + userPath, "", 500, `<html>`, "cannot read the user u06…05fg: internal server error (500)"},
		{"GET " + userPath, "", 599, ``, "cannot read the user u06…05fg: the status is an error (599)"},
		{"PUT " + userPath, `{"userName":"ada"}`, 412, errorOf("", "If-Match or If-None-Match excludes the current version of the User. Read it."), "cannot replace the user ada: it has another version (412)"},
		{"PUT " + userPath, `{"userName":"ada"}`, 409, errorOf("uniqueness", "There is a User with this userName already."), "cannot replace the user ada: another has the name (409)"},
		{"PATCH /Users", ``, 405, errorOf("", "The endpoint does not support this method. Use one of GET, POST."), "cannot send PATCH to /Users: the endpoint does not support this method (405)"},
		{"GET /favicon.ico", "", 404, errorOf("", "There is no such endpoint. See /ResourceTypes."), "cannot send GET to /favicon.ico: there is no such endpoint (404)"},
		{"OPTIONS " + userPath, "", 405, ``, "cannot send OPTIONS to /Users/u06h2hgpok3o36g416qbb4t05fg: method not allowed (405)"},
		{"", "", 400, ``, `cannot send to /: bad request (400)`},

		// PATCH
		{"PATCH " + groupPath, patchOf(`{"op":"add","path":"members","value":[{"value":"a"},{"value":"b"},{"value":"c"}]}`), 204, ``, "adds 3 members to the group g06…3iv0"},
		{"PATCH " + groupPath, `{"Operations":[{"op":"add","path":"members","value":[{"value":"a"},{"value":"b"},{"val`, 204, ``, "adds at least 3 members to the group g06…3iv0"},
		{"PATCH " + groupPath, patchOf(`{"op":"remove","path":"members[value eq \"a\" or value eq \"b\"]"}`), 204, ``, "removes 2 members from the group g06…3iv0"},
		{"PATCH " + groupPath, patchOf(`{"op":"add","path":"members","value":[{},{}]},{"op":"replace","path":"members","value":[{}]}`), 204, ``, "replaces all members of the group g06…3iv0 by 1 member"},
		{"PATCH " + groupPath, `{"displayName":"x",` + patchOf(`{"op":"remove","path":"members"}`)[1:], 204, ``, "removes all members from the group g06…3iv0"},
		{"PATCH " + groupPath, patchOf(`{"op":"remove","path":"members"}`), 204, ``, "removes all members from the group g06…3iv0"},
		{"PATCH " + groupPath, patchOf(`{"op":"remove","path":"members","value":{"members":[{"value":"a"},{"value":"b"}]}}`), 204, ``, "removes 2 members from the group g06…3iv0"},
		{"PATCH " + groupPath, patchOf(`{"op":"Add","value":[{"Members":{"value":"a","display":"Ada L."}}]}`), 204, ``, `adds the member "Ada L." to the group g06…3iv0`},
		{"PATCH " + groupPath, patchOf(`{"op":"replace","path":"displayName","value":"Robots"}`), 204, ``, "names the group g06…3iv0 Robots"},
		{"PATCH " + groupPath, patchOf(`{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:Group:displayName","value":"Robots"}`), 409, errorOf("uniqueness", "x"), "cannot name the group g06…3iv0 Robots: another has the name (409)"},
		{"PATCH " + userPath, patchOf(`{"op":"replace","path":"active","value":"FALSE"},{"op":"replace","path":"title","value":"x"}`), 200, `{"userName":"ada"}`, "deactivates the user ada and sets title"},
		{"PATCH " + userPath, patchOf(`{"op":"replace","path":"title","value":"x"},{"op":"remove","path":"nickName"},{"op":"replace","path":"title","value":"y"}`), 200, `{"userName":"ada"}`, "sets title of the user ada and clears nickName"},
		{"PATCH " + userPath, patchOf(`{"op":"replace","value":{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"x","manager":{"value":"y"}}}}`), 200, `{}`, "sets department and manager of the user u06…05fg"},
		{"PATCH " + userPath, patchOf(`{"op":"replace","value":{"userName":"b","active":true,"password":"***","title":"x"}}`), 200, `{"userName":"b"}`, "names the user b and activates it and changes more"},
		{"PATCH " + userPath, `[1,null,{"Operations":{}}]`, 400, errorOf("invalidSyntax", "Operations must be an array of at least one operation."), "cannot change the user u06…05fg: operations must be an array of at least one operation (400 invalidSyntax)"},
		{"PATCH " + userPath, `{"Operations":[null,1,"x",{"op":1,"path":2,"value":[1]},{"op":"add","value":null}]}`, 200, ``, "changes the user u06…05fg"},
	} {
		if got := Describe(exchangeOf(c.request, c.body, c.status, c.response)); got != "Okta "+c.want {
			t.Errorf("%s %s:\n got %q\nwant %q", c.request, c.body, got, "Okta "+c.want)
		}
	}
}

// Entra ID tests a connection by a userName that does not exist. A user whose name is a GUID is an ordinary one.
func TestRandomUserNameTestsAConnectionOnlyIfThereIsNone(t *testing.T) {
	t.Parallel()
	e := exchangeOf("GET /Users?filter=userName+eq+%226382b3cc-8814-12b7-7bfc-aeed026001c0%22", "", 200, `{"totalResults":1}`)
	e.Client = "Entra ID"
	if got := Describe(e); got != "Entra ID looks for a user by userName 6382b3cc-8814-12b7-7bfc-aeed026001c0: 1 found" {
		t.Errorf("got %q", got)
	}
}

func TestSubjectOfASentence(t *testing.T) {
	t.Parallel()
	for client, want := range map[string]string{
		"": "an unknown client", "unknown": "an unknown client", "application": "an application", "browser": "a browser",
		"Go client": "a Go client", "curl": "curl", "Entra ID": "Entra ID",
	} {
		e := exchangeOf("GET /Changes?cursor=a", "", 200, `{"changes":[{}]}`)
		e.Client = client
		if got := Describe(e); got != want+" reads 1 change" {
			t.Errorf("%q: got %q", client, got)
		}
	}
}

func TestFailureToAuthenticateIsTheWholeSentence(t *testing.T) {
	t.Parallel()
	e := exchangeOf("POST /Users", `{"userName":"ada"}`, 401, errorOf("", "Send a valid token, as Authorization: Bearer TOKEN. If it has expired, get a new one."))
	if got := Describe(e); got != "Okta sends no valid token (401)" {
		t.Errorf("with another token: got %q", got)
	}
	e.Header.Del("Authorization")
	if got := Describe(e); got != "Okta sends no token (401)" {
		t.Errorf("without a token: got %q", got)
	}
}

func TestThrottledClientReadsWhenToRetry(t *testing.T) {
	t.Parallel()
	e := exchangeOf("POST /Users", `{"userName":"ada"}`, 429, errorOf("", "The table is busy. Send the request again."))
	for wait, want := range map[string]string{
		"":    "Okta cannot create the user ada: the table is busy (429)",
		"5":   "Okta cannot create the user ada: the table is busy, retry after 5 s (429)",
		"Fri": "Okta cannot create the user ada: the table is busy, retry after Fri (429)",
	} {
		e.Reply.Set("Retry-After", wait)
		if got := Describe(e); got != want {
			t.Errorf("Retry-After %q: got %q, want %q", wait, got, want)
		}
	}
}

// The items that a request wrote tell what was before.
func TestSentenceTellsWhatChangedInTheTable(t *testing.T) {
	t.Parallel()
	head := func(path, old, current string) []ItemChange {
		_, id := splitPath(path)
		item := func(doc string) table.Item {
			if doc == "" {
				return nil
			}
			return table.Item{"doc": table.S(doc)}
		}
		key := table.Key{PK: "acme#T#" + id, SK: "@"}
		return []ItemChange{
			{Key: table.Key{PK: "acme#User#other", SK: "@"}, Old: item(`{"userName":"other","displayName":"other"}`)},
			{Key: table.Key{PK: key.PK, SK: "Member#other"}, New: item(`{"displayName":"edge"}`)},
			{Key: key, Old: item(old), New: item(current), Transaction: 1}, {Key: key, Old: item(current), New: item(current), Transaction: 2},
		}
	}
	const droids, robots = `{"displayName":"Droids"}`, `{"displayName":"Robots"}`
	const active, inactive = `{"userName":"ada","active":true}`, `{"userName":"ada","active":false}`
	for _, c := range []struct{ request, body, old, new, want string }{
		{"DELETE " + userPath, "", active, "", "deletes the user ada"},
		{"DELETE " + groupPath, "", droids, "", "deletes the group Droids"},
		{"PATCH " + groupPath, patchOf(`{"op":"replace","path":"displayName","value":"Robots"}`), droids, robots, "renames the group Droids to Robots"},
		{"PATCH " + groupPath, patchOf(`{"op":"replace","value":{"displayName":"Droids","members":[]}}`), droids, droids, "removes all members from the group Droids"},
		{"PUT " + groupPath, `{"displayName":"Robots","members":[{},{}]}`, droids, robots, "replaces the group Droids and renames it to Robots: 2 members"},
		{"PUT " + userPath, inactive, active, inactive, "replaces the user ada and deactivates it"},
		{"PUT " + userPath, active, inactive, active, "replaces the user ada and activates it"},
		{"PUT " + userPath, inactive, inactive, inactive, "replaces the user ada"},
	} {
		e := exchangeOf(c.request, c.body, 204, "")
		e.Cost.Calls = 1
		_, target, _ := strings.Cut(c.request, " ")
		e.Items = head(target, c.old, c.new)
		if got := Describe(e); got != "Okta "+c.want {
			t.Errorf("%s %s: got %q, want %q", c.request, c.body, got, c.want)
		}
	}
}

func TestNothingChangesIsSaidOnlyIfTheTableWasAskedAndNothingWritten(t *testing.T) {
	t.Parallel()
	const said = ": nothing changes"
	for _, request := range []string{"PUT " + userPath, "PATCH " + userPath} {
		e := exchangeOf(request, `{"userName":"ada"}`, 200, `{"userName":"ada"}`)
		if got := Describe(e); strings.Contains(got, said) {
			t.Errorf("%s: the calls are not known: got %q", request, got)
		}
		e.Cost.Calls = 2
		if got := Describe(e); !strings.HasSuffix(got, said) {
			t.Errorf("%s: nothing was written: got %q", request, got)
		}
		e.Items = make([]ItemChange, 1)
		if got := Describe(e); strings.Contains(got, said) {
			t.Errorf("%s: an item was written: got %q", request, got)
		}
	}
	e := exchangeOf("GET "+userPath, "", 200, `{"userName":"ada"}`)
	e.Cost.Calls = 1
	if got := Describe(e); got != "Okta reads the user ada" {
		t.Errorf("a request that only reads: got %q", got)
	}
}

func TestHostileNameCannotPretendToBeASentence(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		`x: there is one already (409)`:  `Okta creates the user "x: there is one already (409)"`,
		`x" and deletes the user "y`:     `Okta creates the user "x' and deletes the user 'y"`,
		"line\nbreak\u2028and\u202eleft": `Okta creates the user "line break and left"`,
		strings.Repeat("ü", 100):         "Okta creates the user " + strings.Repeat("ü", 39) + "…",
		"<script>":                       `Okta creates the user "<script>"`,
	} {
		e := exchangeOf("POST /Users", fmt.Sprintf(`{"userName":%s}`, quoteJSON(value)), 201, "")
		if got := Describe(e); got != want {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
}

// What matters, the status, stays at the end of a sentence that is cut.
func TestLongSentenceKeepsItsEnding(t *testing.T) {
	t.Parallel()
	e := exchangeOf("POST /Users", `{"userName":"`+strings.Repeat("a", 60)+`"}`, 400, errorOf("invalidValue", strings.Repeat("é ", 200)))
	got := Describe(e)
	if !strings.HasSuffix(got, "… (400 invalidValue)") || utf8.RuneCountInString(got) > maxSentenceLength {
		t.Errorf("got %q", got)
	}
}

func TestPasswordIsInNoSentence(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"password":"hunter2","userName":"ada"}`, `{"password":"hunter2"}`, `"hunter2"`, `["hunter2"]`, "hunter2",
		patchOf(`{"op":"replace","path":"password","value":"hunter2"}`), patchOf(`{"op":"add","value":{"password":"hunter2"}}`),
		patchOf(`{"op":"add","path":"members","value":"hunter2"}`), patchOf(`{"op":"hunter2"}`),
	} {
		for _, request := range []string{"POST /Users", "PUT " + userPath, "PATCH " + userPath, "PATCH " + groupPath, "POST /Bulk"} {
			if got := Describe(exchangeOf(request, body, 200, body)); strings.Contains(got, "hunter2") {
				t.Errorf("%s %s: got %q", request, body, got)
			}
		}
	}
}

func FuzzDescribe(f *testing.F) {
	for _, e := range recordedExchanges(f) {
		f.Add(e.Client, e.Method, e.Path, e.Query, e.Body.Text, e.Status, e.Content.Text)
	}
	f.Add("", "PATCH", "//Groups/%/", "filter=\xff", `{"Operations":[{"op":"add","path":"members[","value":{"display":"`, 429, `{"detail":"\ud83d\ude00`)
	f.Add("x", "POST", "/s/.search", "", strings.Repeat("[", 100000), 200, strings.Repeat(`{"a":`, 100000))
	f.Fuzz(func(t *testing.T, client, method, path, query, body string, status int, content string) {
		e := &Exchange{Client: client, Method: method, Path: path, Query: query, Body: Body{Text: body}, Status: status, Content: Body{Text: content}}
		got := Describe(e)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > maxSentenceLength || clean(got) != got {
			t.Errorf("got %q, %d characters", got, utf8.RuneCountInString(got))
		}
		if got := RecognizeClient(&Exchange{Header: http.Header{"User-Agent": {client}}, Path: path, Query: query, Body: Body{Text: body}}); got == "" || len([]rune(got)) > 30 {
			t.Errorf("client %q", got)
		}
	})
}

// A response that another attribute than the name is not unique does not refuse the name.
func TestRefusedName(t *testing.T) {
	t.Parallel()
	for detail, want := range map[string]string{"There is a User with this userName already.": "users userName ada", "There is a User with this externalId already.": "  ", "": "  "} {
		e := &Exchange{Method: "POST", Path: "/Users", Body: Body{Text: `{"userName":"ada","externalId":"1"}`}, Status: 409,
			Content: Body{Text: `{"scimType":"uniqueness","detail":"` + detail + `"}`}}
		endpoint, attribute, value := RefusedName(e)
		if got := endpoint + " " + attribute + " " + value; got != want {
			t.Errorf("%s: %q, want %q", detail, got, want)
		}
	}
}
