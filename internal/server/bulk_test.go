package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// bulkOf is a bulk message of operations; before is what stands before them, such as "failOnErrors":1,
func bulkOf(before string, operations ...string) string {
	return `{"schemas":["` + bulkRequest + `"],` + before + `"Operations":[` + strings.Join(operations, ",") + `]}`
}

// bulk performs a job and checks what is true of each result (RFC 7644 §3.7.3).
func (c *client) bulk(before string, operations ...string) answer {
	c.Helper()
	return c.results(c.do("POST", "/Bulk", bulkOf(before, operations...)))
}

func (c *client) results(a answer) answer {
	c.Helper()
	c.want(a, 200)
	if a.at("schemas.0") != bulkResponse {
		c.Errorf("schemas is %v", a.at("schemas"))
	}
	list, _ := a.body["Operations"].([]any)
	for _, r := range list {
		r := r.(scim.Object)
		status, _ := r["status"].(string)
		response, failed := r["response"].(scim.Object)
		switch {
		case len(status) != 3 || failed != (status[0] != '2'):
			c.Errorf("a status that is no success, and it alone, has a response: %v", r)
		case failed && (response["status"] != status || response["detail"] == ""):
			c.Errorf("the response of a failure is the error: %v", r)
		case failed && r["method"] == "POST" && r["location"] != nil:
			c.Errorf("a failed POST has no location: %v", r)
		case !failed && (r["location"] == nil || (r["version"] == nil) != (r["method"] == "DELETE")):
			c.Errorf("a success has location and, if the resource is there, version: %v", r)
		}
	}
	return a
}

// statuses is the statuses of a bulk response, with scimType if there is one.
func statuses(a answer) string {
	var all []string
	list, _ := a.body["Operations"].([]any)
	for i, r := range list {
		status := fmt.Sprint(r.(scim.Object)["status"])
		if typ := a.at(fmt.Sprintf("Operations.%d.response.scimType", i)); typ != nil {
			status += " " + typ.(string)
		}
		all = append(all, status)
	}
	return strings.Join(all, ", ")
}

// get reads the resource of the i-th result, which must be as the result says.
func (c *client) get(a answer, i int) answer {
	c.Helper()
	location, _ := a.at(fmt.Sprintf("Operations.%d.location", i)).(string)
	got := c.want(c.do("GET", strings.TrimPrefix(location, base), ""), 200)
	if got.at("meta.location") != location || location == "" {
		c.Errorf("the location is %q, and of the resource %v", location, got.at("meta.location"))
	}
	return got
}

func post(path, bulkID, data string) string {
	return fmt.Sprintf(`{"method":"POST","path":%q,"bulkId":%q,"data":%s}`, path, bulkID, data)
}

func postUser(bulkID string) string {
	return post("/Users", bulkID, `{"userName":"`+bulkID+`","displayName":"`+bulkID+`"}`)
}

func postGroup(bulkID string, members ...string) string {
	return post("/Groups", bulkID, fmt.Sprintf(`{"displayName":%q,"members":[%s]}`, bulkID, references(members...)))
}

func references(bulkIDs ...string) string {
	var all []string
	for _, b := range bulkIDs {
		all = append(all, `{"value":"bulkId:`+b+`"}`)
	}
	return strings.Join(all, ",")
}

// members is the names of a group's members.
func members(a answer) string {
	var all []string
	for i := 0; a.at(fmt.Sprint("members.", i)) != nil; i++ {
		all = append(all, fmt.Sprint(a.at(fmt.Sprintf("members.%d.display", i))))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// RFC 7644 §3.7.1: two groups, each a member of the other.
func TestBulkCircle(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	a := c.bulk("",
		post("/Groups", "qwerty", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Group A","members":[{"type":"Group","value":"bulkId:ytrewq"}]}`),
		post("/Groups", "ytrewq", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Group B","members":[{"type":"Group","value":"bulkId:qwerty"}]}`))
	if got := statuses(a); got != "201, 201" {
		t.Fatalf("the circle is resolved: %s", a.text)
	}
	for i, other := range []string{"Group B", "Group A"} {
		g := c.get(a, i)
		if members(g) != other || g.at("members.0.type") != "Group" {
			t.Errorf("%s must have one member, %s", g.text, other)
		}
		if v := a.at(fmt.Sprintf("Operations.%d.version", i)); v != g.at("meta.version") {
			t.Errorf("the version told, %v, is not the final one, %v", v, g.at("meta.version"))
		}
	}
}

// RFC 7644 §3.7.2: references from members and from an extension.
func TestBulkIdsBecomeIds(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	a := c.bulk("",
		post("/Users", "qwerty", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"Alice"}`),
		post("/Groups", "ytrewq", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Tour Guides","members":[{"type":"User","value":"bulkId:qwerty"}]}`),
		post("/Users", "bob", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","`+enterprise+`"],"userName":"Bob",`+
			`"`+enterprise+`":{"employeeNumber":"11250","manager":{"value":"bulkId:qwerty","$ref":"../Users/bulkId:qwerty"}}}`))
	if got := statuses(a); got != "201, 201, 201" || a.at("Operations.1.bulkId") != "ytrewq" || a.at("Operations.1.method") != "POST" {
		t.Fatal(a.text)
	}
	alice, guides, bob := c.get(a, 0), c.get(a, 1), c.get(a, 2)
	if guides.at("members.0.value") != alice.at("id") || guides.at("meta.version") != a.at("Operations.1.version") {
		t.Errorf("Alice is no member in %s", guides.text)
	}
	manager := bob.body[enterprise].(scim.Object)["manager"].(scim.Object)
	if manager["value"] != alice.at("id") || manager["$ref"] != "../Users/"+alice.at("id").(string) {
		t.Errorf("Alice is not the manager in %s", bob.text)
	}
}

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

// RFC 7644 §3.7.3: the example that succeeds, the one that stops at the first error, and the one in which all fail.
func TestBulkResponses(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	job := func(alice string, ids, versions []any) []string {
		return []string{
			`{"method":"POST","path":"/Users","bulkId":"qwerty","data":{"schemas":["urn:ietf:params:scim:api:messages:2.0:User"],"userName":` + alice + `}}`,
			fmt.Sprintf(`{"method":"PUT","path":"/Users/%s","version":%q,"data":{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],`+
				`"id":%[1]q,"userName":"Bob"}}`, ids[0], versions[0]),
			fmt.Sprintf(`{"method":"PATCH","path":"/Users/%s","version":%q,"data":[{"op":"remove","path":"nickName"},`+
				`{"op":"add","path":"userName","value":"Dave"}]}`, ids[1], versions[1]),
			fmt.Sprintf(`{"method":"DELETE","path":"/Users/%s","version":%q}`, ids[2], versions[2]),
		}
	}
	var ids, versions []any
	for _, name := range []string{"b", "d", "e"} {
		a := c.want(c.do("POST", "/Users", `{"userName":"`+name+`","nickName":"x"}`), 201)
		ids, versions = append(ids, a.at("id")), append(versions, a.at("meta.version"))
	}
	failing := job(`7`, ids, []any{`W/"9.9"`, `W/"9.9"`, `W/"9.9"`})
	failing[3] = `{"method":"DELETE","path":"/Users/u0000000000000000000000000a","version":"W/\"9.9\""}`
	before := c.dump()
	for limit, want := range map[string]string{`"failOnErrors":1,`: "400 invalidValue", `"failOnErrors":2,`: "400 invalidValue, 412",
		"": "400 invalidValue, 412, 412, 404", `"failOnErrors":0,`: "400 invalidValue, 412, 412, 404", `"failOnErrors":9,`: "400 invalidValue, 412, 412, 404"} {
		a := c.bulk(limit, failing...)
		if got := statuses(a); got != want {
			t.Errorf("%s: the statuses are %s, want %s", limit, got, want)
		}
		if location := a.at("Operations.1.location"); location != nil && location != base+"/Users/"+ids[0].(string) {
			t.Errorf("a failed PUT has its location: %v", location)
		}
	}
	if c.dump() != before {
		t.Error("operations that fail change nothing")
	}
	a := c.bulk(`"failOnErrors":1,`, job(`"Alice"`, ids, versions)...)
	if got := statuses(a); got != "201, 200, 200, 204" {
		t.Fatal(a.text)
	}
	for i, name := range []string{"Alice", "Bob", "Dave"} {
		u := c.get(a, i)
		if u.at("userName") != name || u.at("meta.version") != a.at(fmt.Sprintf("Operations.%d.version", i)) || i > 0 && u.at("nickName") != nil {
			t.Errorf("%s should be in %s", name, u.text)
		}
	}
	c.want(c.do("GET", "/Users/"+ids[2].(string), ""), 404)
}

// Each reference is to another place; in front of them stands the group g with the member m.
func TestBulkReferences(t *testing.T) {
	t.Parallel()
	add := `{"op":"add","value":{"members":[{"value":"bulkId:u"}]}}`
	for name, x := range map[string]struct{ operations, want string }{
		"in a value of PATCH":     {`{"method":"PATCH","path":"/Groups/$g","data":{"Operations":[{"op":"add","path":"members","value":[{"value":"bulkId:u"}]}]}}`, "m u"},
		"in PATCH without a path": {`{"method":"patch","path":"groups/$g/","data":{` + patchOp + `,"Operations":[` + add + `]}}`, "m u"},
		"in the filter of a path": {`{"method":"PATCH","path":"/Groups/$g","data":{"Operations":[` + add + `,
			{"op":"remove","path":"members[value eq \"$m\" or (value eq \"bulkId:u\" and not (value pr))]"}]}}`, "u"},
		"unquoted in it": {`{"method":"PATCH","path":"/Groups/$g","data":{"Operations":[` + add + `,{"op":"remove","Path":"members[value eq bulkId:u]"}]}}`, "m"},
		"in PUT":         {`{"method":"PUT","path":"/Groups/$g","data":{"displayName":"g","members":[{"value":"bulkId:u"}]}}`, "u"},
		"in a string":    {`{"method":"PUT","path":"/Groups/$g","data":"{\"displayName\":\"g\",\"members\":[{\"value\":\"bulkId:u\"}]}"}`, "u"},
		"in a path":      {`{"method":"DELETE","path":"/Users/bulkId:u"},{"method":"PATCH","path":"/Groups/$g","data":{"Operations":[` + add + `]}}`, "m"},
		"to itself":      {post("/Groups", "s", `{"displayName":"s","members":[{"value":"bulkId:s"},{"value":"$m"}]}`) + `,{"method":"PATCH","path":"/Groups/$g","data":{"Operations":[{"op":"replace","path":"members","value":[{"value":"bulkId:s"}]}]}}`, "s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t)
			m := c.create("/Users", `{"userName":"m","displayName":"m"}`)
			g := c.create("/Groups", `{"displayName":"g","members":[{"value":"`+m+`"}]}`)
			operations := strings.NewReplacer("$g", g, "$m", m).Replace(x.operations)
			for _, order := range [][]string{{postUser("u"), operations}, {operations, postUser("u")}} {
				a := c.bulk("", order...)
				if strings.Contains(a.text, "response") {
					t.Fatal(a.text)
				}
				if got := members(c.do("GET", "/Groups/"+g, "")); got != x.want {
					t.Errorf("the members are %q, want %q", got, x.want)
				}
				for i := range a.body["Operations"].([]any) { // as it was, for the other order
					if a.at(fmt.Sprintf("Operations.%d.method", i)) == "POST" {
						c.do("DELETE", strings.TrimPrefix(a.at(fmt.Sprintf("Operations.%d.location", i)).(string), base), "")
					}
				}
				c.want(c.do("PUT", "/Groups/"+g, `{"displayName":"g","members":[{"value":"`+m+`"}]}`), 200)
			}
		})
	}
}

// An operation fails for itself; the others are performed.
func TestBulkOperationsThatFail(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	u := c.create("/Users", `{"userName":"u"}`)
	before := c.dump()
	for _, x := range []struct{ operation, want string }{
		{`7`, "400 invalidSyntax"},
		{`{}`, "400 invalidSyntax"},
		{`{"method":7,"path":"/Users","bulkId":"x","data":{}}`, "400 invalidSyntax"},
		{`{"method":"POST","path":["Users"],"bulkId":"x","data":{}}`, "400 invalidSyntax"},
		{`{"method":"POST","path":"/","bulkId":"x","data":{}}`, "400 invalidSyntax"},
		{`{"method":"POST","path":"/Users","data":{"userName":"x"}}`, "400 invalidSyntax"},
		{`{"method":"POST","path":"/Users","bulkId":7,"data":{"userName":"x"}}`, "400 invalidSyntax"},
		{`{"method":"POST","path":"/Users","bulkId":"x"}`, "400 invalidSyntax"},
		{`{"method":"POST","path":"/Users","bulkId":"x","data":[]}`, "400 invalidSyntax"},
		{`{"method":"POST","path":"/Users","bulkId":"x","data":"{"}`, "400 invalidSyntax"},
		{`{"method":"PUT","path":"/Users/` + u + `","data":null}`, "400 invalidSyntax"},
		{`{"method":"PATCH","path":"/Users/` + u + `","data":{}}`, "400 invalidSyntax"},
		{`{"method":"DELETE","path":"/Users/` + u + `","version":1}`, "400 invalidSyntax"},
		{`{"method":"DELETE","path":"/Users/` + u + `?x=y"}`, "400 invalidSyntax"},
		{`{"method":"DELETE","path":"/Users/` + u + `","version":"W/\"7.7\""}`, "412"},
		{`{"method":"DELETE","path":"/Users/` + u + `/emails"}`, "404"},
		{`{"method":"DELETE","path":"/Users"}`, "405"},
		{`{"method":"GET","path":"/Users/` + u + `"}`, "405"},
		{`{"method":"BREW","path":"/Users"}`, "405"},
		{`{"method":"POST","path":"/Users/` + u + `","bulkId":"x","data":{"userName":"x"}}`, "405"},
		{`{"method":"POST","path":"/Users/bulkId:x","bulkId":"x","data":{"userName":"x"}}`, "405"},
		{`{"method":"POST","path":"/Users/.search","bulkId":"x","data":{}}`, "404"},
		{`{"method":"POST","path":"/.search","bulkId":"x","data":{}}`, "404"},
		{`{"method":"POST","path":"/Bulk","bulkId":"x","data":` + bulkOf("", postUser("x")) + `}`, "404"},
		{`{"method":"PATCH","path":"/Me","data":{}}`, "404"},
		{`{"method":"PUT","path":"/Schemas/` + user + `","data":{}}`, "404"},
		{`{"method":"POST","path":"https://scim.example.com/v2/Users","bulkId":"x","data":{"userName":"x"}}`, "404"},
		{postGroup("x", "nobody"), "400 invalidValue"},
		{`{"method":"DELETE","path":"/Users/bulkId:nobody"}`, "400 invalidValue"},
		{post("/Users", "u", `{"userName":"U"}`), "409 uniqueness"},
		{post("/Users", "u", `{"userName":"U"}`) + "," + postGroup("x", "u"), "409 uniqueness, 409"},
		{postGroup("x", "y") + "," + postGroup("y", "u") + "," + post("/Users", "u", `{"userName":"U"}`), "409, 409, 409 uniqueness"},
		{`{"method":"POST","path":"/Users","bulkId":"x"},{"method":"DELETE","path":"/Users/bulkId:x"}`, "400 invalidSyntax, 409"},
		{postGroup("x", "y") + "," + post("/Groups", "y", `{"members":[{"value":"bulkId:x"}]}`), "409, 400 invalidValue"},
		{post("/Groups", "y", `{"members":[{"value":"bulkId:x"}]}`) + "," + postGroup("x", "y") + "," + postGroup("z", "x"), "400 invalidValue, 409, 409"},
		{postGroup("x", "y", "nobody") + "," + postGroup("y", "x"), "400 invalidValue, 409"},
	} {
		a := c.bulk("", x.operation, `{"method":"PATCH","path":"/Users/`+u+`","data":{"Operations":[{"op":"remove","path":"title"}]}}`)
		if got := statuses(a); got != x.want+", 200" {
			t.Errorf("%s: the statuses are %s, want %s, 200", x.operation, got, x.want)
		}
	}
	if strings.Contains(c.log.String(), "level=ERROR") {
		t.Error("none of this is the server's fault")
	}
	// What a circle had created is gone; its count moved, so the items are not the very same.
	if n := c.do("GET", "/?count=0", "").at("totalResults"); n != json.Number("1") || strings.Count(before, "userName") != strings.Count(c.dump(), "userName") {
		t.Errorf("operations that fail leave nothing: %v resources", n)
	}
	a := c.bulk("", postUser("a"), post("/Users", "a", `{"userName":"b"}`), postGroup("g", "a"))
	if got := statuses(a); got != "201, 400 invalidSyntax, 201" || members(c.get(a, 2)) != "a" {
		t.Errorf("a bulkId is that of the first: %s", a.text)
	}
}

// A message that is no bulk message is refused as a whole.
func TestBulkMessages(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	before := c.dump()
	one := postUser("x")
	for body, want := range map[string]string{
		``:                                    "400 invalidSyntax",
		`[]`:                                  "400 invalidSyntax",
		`{"Operations":[` + one:               "400 invalidSyntax",
		`{"schemas":["` + bulkRequest + `"]}`: "400 invalidSyntax",
		bulkOf(""):                            "400 invalidSyntax",
		`{"schemas":["` + bulkRequest + `"],"Operations":` + one + `}`:    "400 invalidSyntax",
		`{"schemas":["` + bulkResponse + `"],"Operations":[` + one + `]}`: "400 invalidSyntax",
		`{"schemas":"x","Operations":[` + one + `]}`:                      "400 invalidSyntax",
		bulkOf(`"failOnErrors":"1",`, one):                                "400 invalidSyntax",
		bulkOf(`"failOnErrors":-1,`, one):                                 "400 invalidSyntax",
		bulkOf(`"failOnErrors":1.5,`, one):                                "400 invalidSyntax",
		bulkOf("", post("/Users", "x", `{"a":1,"A":2}`)):                  "400 invalidSyntax",
		bulkOf("", slices.Repeat([]string{`7`}, 1001)...):                 "413 ",
		bulkOf("", post("/Users", strings.Repeat("x", 4<<20), `{}`)):      "413 ",
	} {
		a := c.do("POST", "/Bulk", body)
		typ, _ := a.at("scimType").(string)
		if got := fmt.Sprint(a.status, " ", typ); got != want {
			t.Errorf("%.100s: %s, want %s", body, got, want)
		}
	}
	if c.dump() != before {
		t.Error("a message that is refused changes nothing")
	}
	c.want(c.do("GET", "/Bulk", ""), 405)
	c.want(c.do("POST", "/Bulk", bulkOf("", one), "Content-Type", "text/plain"), 415)
	c.results(c.do("POST", "/bulk/", strings.Replace(bulkOf("", one), "Operations", "operations", 1), "Content-Type", "application/json"))
}

// RFC 7644 §3.7.4: the limits are those that ServiceProviderConfig tells, and the error names the one exceeded.
func TestBulkLimits(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	config := c.do("GET", "/ServiceProviderConfig", "")
	if config.at("bulk.supported") != true {
		t.Fatal(config.text)
	}
	limit := func(name string) (n int) {
		fmt.Sscan(fmt.Sprint(config.at("bulk."+name)), &n)
		return n
	}
	most := slices.Repeat([]string{`7`}, limit("maxOperations"))
	message := bulkOf("", most...)
	message += strings.Repeat(" ", limit("maxPayloadSize")-len(message))
	c.results(c.do("POST", "/Bulk", message))
	for name, body := range map[string]string{"maxOperations (1000)": bulkOf("", append(most, `7`)...), "maxPayloadSize (4194304)": message + " "} {
		if a := c.want(c.do("POST", "/Bulk", body), 413); !strings.Contains(a.at("detail").(string), name) {
			t.Errorf("%s must name %s", a.text, name)
		}
	}
}

// What fails for a reason that is not the operation's own is told there; the rest goes on.
func TestBulkSurvivesFaults(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	var fault atomic.Pointer[func() error]
	c.config.Directory.Table = tabletest.Faults{Table: c.config.Directory.Table, Before: func(call tabletest.Call) error {
		if call.Method == "Write" && strings.Contains(fmt.Sprint(call.Keys), "userName#bad") {
			return (*fault.Load())()
		}
		return nil
	}}
	c.handler = New(c.config)
	for want, f := range map[string]func() error{
		"201, 429, 429, 201": func() error { return &table.Busy{Err: errors.New("throttled")} },
		"201, 500, 409, 201": func() error { return errors.New("a damaged item") },
	} {
		fault.Store(&f)
		tag := want[5:8]
		a := c.bulk("", postUser("a"+tag), postUser("bad"), postGroup("g", "bad"), postUser("z"+tag))
		if got := statuses(a); got != want {
			t.Errorf("the statuses are %s, want %s: what waits for one that will pass will pass, too", got, want)
		}
	}
	if !strings.Contains(c.log.String(), "a damaged item") || strings.Contains(c.log.String(), "throttled") {
		t.Error("the log must have the cause of a 500")
	}
	panics := newClient(t, func(c *Config) { c.Directory.Random = errorReader{} })
	if a := panics.bulk("", postUser("a"), `{"method":"DELETE","path":"/Users/x"}`); statuses(a) != "500, 404" {
		t.Errorf("a panic is an error of its operation: %s", a.text)
	}
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { panic("a fault") }

// closing is a context whose deadline moves near when told.
type closing struct {
	context.Context
	near atomic.Bool
}

func (c *closing) Deadline() (time.Time, bool) {
	if c.near.Load() {
		return time.Now().Add(bulkReserve / 2), true
	}
	return time.Now().Add(10 * bulkReserve), true
}

// Near the deadline nothing is begun any more, and what was done is told.
func TestBulkStopsInTime(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	ctx := &closing{Context: t.Context()}
	c.config.Directory.Table = tabletest.Faults{Table: c.config.Directory.Table, After: func(call tabletest.Call) error {
		if strings.Contains(fmt.Sprint(call.Keys), "#last") {
			ctx.near.Store(true)
		}
		return nil
	}}
	c.handler = New(c.config)
	for _, x := range []struct{ before, want string }{{"", "201, 201, 429, 429, 400 invalidSyntax"}, {`"failOnErrors":1,`, "201, 201, 429"}} {
		ctx.near.Store(false)
		body := bulkOf(x.before, postUser("a"), postUser("last"), postUser("c"), postGroup("d", "a"), `7`)
		r := httptest.NewRequestWithContext(ctx, "POST", "/v2/Bulk", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+c.secret)
		a := c.results(c.send(r))
		if got := statuses(a); got != x.want {
			t.Errorf("%s: the statuses are %s, want %s", x.before, got, x.want)
		}
		ctx.near.Store(false)
		for i, name := range []string{"a", "last"} {
			u := c.get(a, i)
			if u.at("userName") != name {
				t.Errorf("what is told as done is done: %s", u.text)
			}
			c.want(c.do("DELETE", "/Users/"+u.at("id").(string), ""), 204)
		}
		if n := c.do("GET", "/?count=0", "").at("totalResults"); n != json.Number("0") {
			t.Errorf("what is 429 was not begun: %v resources", n)
		}
	}
}
