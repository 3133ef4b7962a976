package server

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/scim"
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

var location = regexp.MustCompile(`^` + base + `/(Users|Groups)/[0-9a-v]{27}$`)

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
		case !failed && (r["version"] == nil) != (r["method"] == "DELETE"):
			c.Errorf("a success has the version of the resource, if that is there: %v", r)
		case !failed && !location.MatchString(fmt.Sprint(r["location"])):
			c.Errorf("a success has the location of the resource: %v", r)
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
	const all = "400 invalidValue, 412, 412, 404"
	for limit, want := range map[string]string{"": all, `"failOnErrors":null,`: all, `"failOnErrors":0,`: all, `"failOnErrors":5,`: all,
		`"failOnErrors":1,`: "400 invalidValue", `"failOnErrors":2,`: "400 invalidValue, 412"} {
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

// An operation fails for itself; the others are performed.
func TestBulkOperationsThatFail(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	u := c.create("/Users", `{"userName":"u"}`)
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
	if got := names(c.do("GET", "/", "")); got != "u" {
		t.Errorf("operations that fail leave nothing, not %s", got)
	}
	circle := []string{postGroup("x", "y"), post("/Groups", "y", `{"members":[{"value":"bulkId:x"}]}`)}
	if got := statuses(c.bulk(`"failOnErrors":1,`, circle...)); got != "409, 400 invalidValue" {
		t.Errorf("what was attempted is told: %s", got)
	}
	slices.Reverse(circle)
	if got := statuses(c.bulk(`"failOnErrors":1,`, circle...)); got != "400 invalidValue" {
		t.Errorf("what was not attempted is not told: %s", got)
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
