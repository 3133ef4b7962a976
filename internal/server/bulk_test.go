package server

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/scim"
)

const bulkSchemas = `"schemas":["` + bulkRequest + `"]`

// bulkMessage returns a bulk request. members precede the operations, such as "failOnErrors":1,
func bulkMessage(members string, operations ...string) string {
	return `{` + bulkSchemas + `,` + members + `"Operations":[` + strings.Join(operations, ",") + `]}`
}

// sendBulk sends a bulk request and checks the form of each result (RFC 7644 §3.7.3).
func (c *client) sendBulk(members string, operations ...string) clientResponse {
	c.Helper()
	return c.checkResults(c.do("POST", "/Bulk", bulkMessage(members, operations...)))
}

var locationPattern = regexp.MustCompile(`^` + base + `/(Users|Groups)/[0-9a-v]{27}$`)

// checkResults checks the form of a bulk response and returns it.
func (c *client) checkResults(resp clientResponse) clientResponse {
	c.Helper()
	c.expect(resp, 200)
	if resp.value("schemas.0") != bulkResponse {
		c.Errorf("schemas is %v", resp.value("schemas"))
	}
	list, _ := resp.body["Operations"].([]any)
	for _, r := range list {
		r := r.(scim.Object)
		status, _ := r["status"].(string)
		response, failed := r["response"].(scim.Object)
		switch {
		case len(status) != 3 || failed != (status[0] != '2'):
			c.Errorf("only a failure must have a response: %v", r)
		case failed && (response["status"] != status || response["detail"] == ""):
			c.Errorf("the response of a failure is not the error: %v", r)
		case failed && r["method"] == "POST" && r["location"] != nil:
			c.Errorf("a failed POST has a location: %v", r)
		case !failed && (r["version"] == nil) != (r["method"] == "DELETE"):
			c.Errorf("a success must have the version of the resource, unless it is a DELETE: %v", r)
		case !failed && !locationPattern.MatchString(fmt.Sprint(r["location"])):
			c.Errorf("a success has no location of the resource: %v", r)
		}
	}
	return resp
}

// resultStatuses returns the statuses of a bulk response, each with its scimType if it has one.
func resultStatuses(resp clientResponse) string {
	var all []string
	list, _ := resp.body["Operations"].([]any)
	for i, r := range list {
		status := fmt.Sprint(r.(scim.Object)["status"])
		if typ := resp.value(fmt.Sprintf("Operations.%d.response.scimType", i)); typ != nil {
			status += " " + typ.(string)
		}
		all = append(all, status)
	}
	return strings.Join(all, ", ")
}

// getResult retrieves the resource of result i and checks its location.
func (c *client) getResult(resp clientResponse, i int) clientResponse {
	c.Helper()
	location, _ := resp.value(fmt.Sprintf("Operations.%d.location", i)).(string)
	got := c.expect(c.do("GET", strings.TrimPrefix(location, base), ""), 200)
	if got.value("meta.location") != location || location == "" {
		c.Errorf("the location in the result is %q, in the resource %v", location, got.value("meta.location"))
	}
	return got
}

// post returns a POST operation.
func post(path, bulkID, data string) string {
	return fmt.Sprintf(`{"method":"POST","path":%q,"bulkId":%q,"data":%s}`, path, bulkID, data)
}

func postUser(bulkID string) string {
	return post("/Users", bulkID, `{"userName":"`+bulkID+`","displayName":"`+bulkID+`"}`)
}

func postGroup(bulkID string, members ...string) string {
	return post("/Groups", bulkID, fmt.Sprintf(`{"displayName":%q,"members":[%s]}`, bulkID, referenceList(members...)))
}

func referenceList(bulkIDs ...string) string {
	var all []string
	for _, b := range bulkIDs {
		all = append(all, `{"value":"bulkId:`+b+`"}`)
	}
	return strings.Join(all, ",")
}

// memberNames returns the sorted display names of a group's members.
func memberNames(resp clientResponse) string {
	var all []string
	for i := 0; resp.value(fmt.Sprint("members.", i)) != nil; i++ {
		all = append(all, fmt.Sprint(resp.value(fmt.Sprintf("members.%d.display", i))))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// The examples of RFC 7644 §3.7.3: all operations succeed, the first error stops the job, and all operations fail.
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
		resp := c.expect(c.do("POST", "/Users", `{"userName":"`+name+`","nickName":"x"}`), 201)
		ids, versions = append(ids, resp.value("id")), append(versions, resp.value("meta.version"))
	}
	failing := job(`7`, ids, []any{`W/"9.9"`, `W/"9.9"`, `W/"9.9"`})
	failing[3] = `{"method":"DELETE","path":"/Users/u0000000000000000000000000a","version":"W/\"9.9\""}`
	before := c.dumpTable()
	const all = "400 invalidValue, 412, 412, 404"
	for limit, want := range map[string]string{"": all, `"failOnErrors":null,`: all, `"failOnErrors":0,`: all, `"failOnErrors":5,`: all,
		`"failOnErrors":1,`: "400 invalidValue", `"failOnErrors":2,`: "400 invalidValue, 412"} {
		resp := c.sendBulk(limit, failing...)
		if got := resultStatuses(resp); got != want {
			t.Errorf("%s: the statuses are %s, want %s", limit, got, want)
		}
		if location := resp.value("Operations.1.location"); location != nil && location != base+"/Users/"+ids[0].(string) {
			t.Errorf("a failed PUT has the wrong location: %v", location)
		}
	}
	if c.dumpTable() != before {
		t.Error("failed operations changed the table")
	}
	resp := c.sendBulk(`"failOnErrors":1,`, job(`"Alice"`, ids, versions)...)
	if got := resultStatuses(resp); got != "201, 200, 200, 204" {
		t.Fatal(resp.text)
	}
	for i, name := range []string{"Alice", "Bob", "Dave"} {
		u := c.getResult(resp, i)
		if u.value("userName") != name || u.value("meta.version") != resp.value(fmt.Sprintf("Operations.%d.version", i)) || i > 0 && u.value("nickName") != nil {
			t.Errorf("%s is not the userName in %s", name, u.text)
		}
	}
	c.expect(c.do("GET", "/Users/"+ids[2].(string), ""), 404)
}

// An operation that fails does not prevent the following operation.
func TestBulkFailsEachOperationSeparately(t *testing.T) {
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
		{`{"method":"POST","path":"/Bulk","bulkId":"x","data":` + bulkMessage("", postUser("x")) + `}`, "404"},
		{`{"method":"PATCH","path":"/Me","data":{}}`, "404"},
		{`{"method":"PUT","path":"/Schemas/` + userSchema + `","data":{}}`, "404"},
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
		resp := c.sendBulk("", x.operation, `{"method":"PATCH","path":"/Users/`+u+`","data":{"Operations":[{"op":"remove","path":"title"}]}}`)
		if got := resultStatuses(resp); got != x.want+", 200" {
			t.Errorf("%s: the statuses are %s, want %s, 200", x.operation, got, x.want)
		}
	}
	if strings.Contains(c.log.String(), "level=ERROR") {
		t.Error("a client error is logged as an error of the server")
	}
	if got := listedNames(c.do("GET", "/", "")); got != "u" {
		t.Errorf("failed operations left the resources %s", got)
	}
	cycle := []string{postGroup("x", "y"), post("/Groups", "y", `{"members":[{"value":"bulkId:x"}]}`)}
	if got := resultStatuses(c.sendBulk(`"failOnErrors":1,`, cycle...)); got != "409, 400 invalidValue" {
		t.Errorf("the results must contain each attempted operation, got %s", got)
	}
	slices.Reverse(cycle)
	if got := resultStatuses(c.sendBulk(`"failOnErrors":1,`, cycle...)); got != "400 invalidValue" {
		t.Errorf("the results must not contain operations that were not attempted, got %s", got)
	}
	resp := c.sendBulk("", postUser("a"), post("/Users", "a", `{"userName":"b"}`), postGroup("g", "a"))
	if got := resultStatuses(resp); got != "201, 400 invalidSyntax, 201" || memberNames(c.getResult(resp, 2)) != "a" {
		t.Errorf("a repeated bulkId must refer to the first POST: %s", resp.text)
	}
}

// A message that is not a bulk request is rejected as a whole.
func TestBulkRejectsInvalidMessages(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	before := c.dumpTable()
	operation := postUser("x")
	for body, want := range map[string]string{
		``:                                    "400 invalidSyntax",
		`[]`:                                  "400 invalidSyntax",
		`{"Operations":[` + operation:         "400 invalidSyntax",
		`{"schemas":["` + bulkRequest + `"]}`: "400 invalidSyntax",
		bulkMessage(""):                       "400 invalidSyntax",
		`{"schemas":["` + bulkRequest + `"],"Operations":` + operation + `}`:    "400 invalidSyntax",
		`{"schemas":["` + bulkResponse + `"],"Operations":[` + operation + `]}`: "400 invalidSyntax",
		`{"schemas":"x","Operations":[` + operation + `]}`:                      "400 invalidSyntax",
		`{"Operations":[` + operation + `]}`:                                    "400 invalidSyntax",
		`{"schemas":null,"Operations":[` + operation + `]}`:                     "400 invalidSyntax",
		`{"schemas":[],"Operations":[` + operation + `]}`:                       "400 invalidSyntax",
		`{"schemas":["` + userSchema + `"],"Operations":[` + operation + `]}`:   "400 invalidSyntax",
		bulkMessage(`"failOnErrors":"1",`, operation):                           "400 invalidSyntax",
		bulkMessage(`"failOnErrors":-1,`, operation):                            "400 invalidSyntax",
		bulkMessage(`"failOnErrors":1.5,`, operation):                           "400 invalidSyntax",
		bulkMessage("", post("/Users", "x", `{"a":1,"A":2}`)):                   "400 invalidSyntax",
		bulkMessage("", slices.Repeat([]string{`7`}, 1001)...):                  "413 ",
		bulkMessage("", post("/Users", strings.Repeat("x", 4<<20), `{}`)):       "413 ",
	} {
		resp := c.do("POST", "/Bulk", body)
		typ, _ := resp.value("scimType").(string)
		if got := fmt.Sprint(resp.status, " ", typ); got != want {
			t.Errorf("%.100s: %s, want %s", body, got, want)
		}
	}
	if c.dumpTable() != before {
		t.Error("a rejected message changed the table")
	}
	c.expect(c.do("GET", "/Bulk", ""), 405)
	c.expect(c.do("POST", "/Bulk", bulkMessage("", operation), "Content-Type", "text/plain"), 415)
	c.checkResults(c.do("POST", "/bulk/", strings.Replace(bulkMessage("", operation), "Operations", "operations", 1), "Content-Type", "application/json"))
}

// RFC 7644 §3.7.4: the limits are those of ServiceProviderConfig, and the error names the exceeded limit.
func TestBulkRejectsRequestsOverAdvertisedLimits(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	config := c.do("GET", "/ServiceProviderConfig", "")
	if config.value("bulk.supported") != true {
		t.Fatal(config.text)
	}
	limit := func(name string) (n int) {
		fmt.Sscan(fmt.Sprint(config.value("bulk."+name)), &n)
		return n
	}
	allowed := slices.Repeat([]string{`7`}, limit("maxOperations"))
	message := bulkMessage("", allowed...)
	message += strings.Repeat(" ", limit("maxPayloadSize")-len(message))
	c.checkResults(c.do("POST", "/Bulk", message))
	for name, body := range map[string]string{"maxOperations (1000)": bulkMessage("", append(allowed, `7`)...), "maxPayloadSize (4194304)": message + " "} {
		if resp := c.expect(c.do("POST", "/Bulk", body), 413); !strings.Contains(resp.value("detail").(string), name) {
			t.Errorf("the error %s does not name %s", resp.text, name)
		}
	}
}
