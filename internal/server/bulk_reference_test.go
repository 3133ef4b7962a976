package server

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"serverless-scim/internal/scim"
)

// RFC 7644 §3.7.1: two groups, each a member of the other.
func TestBulkResolvesCycle(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	resp := c.sendBulk("",
		post("/Groups", "qwerty", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Group A","members":[{"type":"Group","value":"bulkId:ytrewq"}]}`),
		post("/Groups", "ytrewq", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Group B","members":[{"type":"Group","value":"bulkId:qwerty"}]}`))
	if got := resultStatuses(resp); got != "201, 201" {
		t.Fatalf("the cycle is not resolved: %s", resp.text)
	}
	for i, other := range []string{"Group B", "Group A"} {
		g := c.getResult(resp, i)
		if memberNames(g) != other || g.value("members.0.type") != "Group" {
			t.Errorf("%s does not have the single member %s", g.text, other)
		}
		if v := resp.value(fmt.Sprintf("Operations.%d.version", i)); v != g.value("meta.version") {
			t.Errorf("the version in the result is %v, in the resource %v", v, g.value("meta.version"))
		}
	}
}

// RFC 7644 §3.7.2: references from members and from an extension.
func TestBulkReplacesBulkIDs(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	resp := c.sendBulk("",
		post("/Users", "qwerty", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"Alice"}`),
		post("/Groups", "ytrewq", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Tour Guides","members":[{"type":"User","value":"bulkId:qwerty"}]}`),
		post("/Users", "bob", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","`+enterprise+`"],"userName":"Bob",`+
			`"`+enterprise+`":{"employeeNumber":"11250","manager":{"value":"bulkId:qwerty","$ref":"../Users/bulkId:qwerty"}}}`))
	if got := resultStatuses(resp); got != "201, 201, 201" || resp.value("Operations.1.bulkId") != "ytrewq" || resp.value("Operations.1.method") != "POST" {
		t.Fatal(resp.text)
	}
	alice, guides, bob := c.getResult(resp, 0), c.getResult(resp, 1), c.getResult(resp, 2)
	if guides.value("members.0.value") != alice.value("id") || guides.value("meta.version") != resp.value("Operations.1.version") {
		t.Errorf("Alice is not a member in %s", guides.text)
	}
	manager := bob.body[enterprise].(scim.Object)["manager"].(scim.Object)
	if manager["value"] != alice.value("id") || manager["$ref"] != "../Users/"+alice.value("id").(string) {
		t.Errorf("Alice is not the manager in %s", bob.text)
	}
}

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

// Each case has a reference to a user u in another place. Before, there is a group g with the member m.
func TestBulkReplacesReferencesEverywhere(t *testing.T) {
	t.Parallel()
	add := `{"op":"add","value":{"members":[{"value":"bulkId:u"}]}}`
	for name, x := range map[string]struct{ operations, want string }{
		"in a value of PATCH":     {`{"method":"PATCH","path":"/Groups/$g","data":{"Operations":[{"op":"add","path":"members","value":[{"value":"bulkId:u"}]}]}}`, "m u"},
		"in PATCH without a path": {`{"method":"patch","path":"groups/$g/","data":{` + patchSchemas + `,"Operations":[` + add + `]}}`, "m u"},
		"in the filter of a path": {`{"method":"PATCH","path":"/Groups/$g","data":{"Operations":[` + add + `,
			{"op":"remove","path":"members[value eq \"$m\" or (value eq \"bulkId:u\" and not (value pr))]"}]}}`, "u"},
		"without quotes in a filter": {`{"method":"PATCH","path":"/Groups/$g","data":{"Operations":[` + add + `,{"op":"remove","Path":"members[value eq bulkId:u]"}]}}`, "m"},
		"in PUT":                     {`{"method":"PUT","path":"/Groups/$g","data":{"displayName":"g","members":[{"value":"bulkId:u"}]}}`, "u"},
		"in a string":                {`{"method":"PUT","path":"/Groups/$g","data":"{\"displayName\":\"g\",\"members\":[{\"value\":\"bulkId:u\"}]}"}`, "u"},
		"in a path":                  {`{"method":"DELETE","path":"/Users/bulkId:u"},{"method":"PATCH","path":"/Groups/$g","data":{"Operations":[` + add + `]}}`, "m"},
		"to itself":                  {post("/Groups", "s", `{"displayName":"s","members":[{"value":"bulkId:s"},{"value":"$m"}]}`) + `,{"method":"PATCH","path":"/Groups/$g","data":{"Operations":[{"op":"replace","path":"members","value":[{"value":"bulkId:s"}]}]}}`, "s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t)
			m := c.create("/Users", `{"userName":"m","displayName":"m"}`)
			g := c.create("/Groups", `{"displayName":"g","members":[{"value":"`+m+`"}]}`)
			operations := strings.NewReplacer("$g", g, "$m", m).Replace(x.operations)
			for _, order := range [][]string{{postUser("u"), operations}, {operations, postUser("u")}} {
				resp := c.sendBulk("", order...)
				if strings.Contains(resp.text, "response") {
					t.Fatal(resp.text)
				}
				if got := memberNames(c.do("GET", "/Groups/"+g, "")); got != x.want {
					t.Errorf("the members are %q, want %q", got, x.want)
				}
				for i := range resp.body["Operations"].([]any) { // restores the state for the next order
					if resp.value(fmt.Sprintf("Operations.%d.method", i)) == "POST" {
						c.do("DELETE", strings.TrimPrefix(resp.value(fmt.Sprintf("Operations.%d.location", i)).(string), base), "")
					}
				}
				c.expect(c.do("PUT", "/Groups/"+g, `{"displayName":"g","members":[{"value":"`+m+`"}]}`), 200)
			}
		})
	}
}

// References are resolved if they point forward, backward, or in a cycle, and in each order of the operations.
func TestBulkResolvesReferencesInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		c := newClient(t)
		names := []string{"u0", "u1", "u2", "g0", "g1", "g2", "g3"}
		drawNames := func(label string) []string {
			return rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 3, rapid.ID).Draw(rt, label)
		}
		var operations []string
		want := map[string]string{} // the manager of each user, the members of each group, by name
		for _, name := range names {
			if name[0] == 'u' {
				manager := rapid.SampledFrom(append(names[:3:3], "")).Draw(rt, name)
				want[name] = manager
				if manager != "" {
					manager = `"manager":{"value":"bulkId:` + manager + `"}`
				}
				data := fmt.Sprintf(`{"userName":%q,"displayName":%[1]q,%q:{%s}}`, name, enterprise, manager)
				operations = append(operations, post("/Users", name, data))
				continue
			}
			first, later := drawNames(name), drawNames(name+" later")
			operations = append(operations, postGroup(name, first...),
				fmt.Sprintf(`{"method":"PATCH","path":"/Groups/bulkId:%s","data":{"Operations":[{"op":"add","path":"members","value":[%s]}]}}`,
					name, referenceList(later...)))
			all := slices.DeleteFunc(slices.Concat(first, later), func(m string) bool { return m == name })
			slices.Sort(all)
			want[name] = strings.Join(slices.Compact(all), " ")
		}
		operations = rapid.Permutation(operations).Draw(rt, "order")
		resp := c.sendBulk("", operations...)
		for i, r := range resp.body["Operations"].([]any) {
			r := r.(scim.Object)
			if r["bulkId"] != nil && !strings.Contains(operations[i], fmt.Sprintf(`"bulkId":%q`, r["bulkId"])) {
				rt.Errorf("the results are not in the order of the operations: %d is %v", i, r)
			}
		}
		if got := c.readReferences(); !maps.Equal(got, want) {
			rt.Errorf("the references are %v, want %v; %s", got, want, resp.text)
		}
	})
}

// readReferences returns the manager of each user and the members of each group, by name.
func (c *client) readReferences() map[string]string {
	c.Helper()
	all := c.expect(c.do("GET", "/", ""), 200).body["Resources"].([]any)
	names := map[any]string{nil: ""}
	for _, r := range all {
		r := r.(scim.Object)
		if names[r["id"]], _ = r["userName"].(string); names[r["id"]] == "" {
			names[r["id"]] = r["displayName"].(string)
		}
	}
	got := map[string]string{}
	for _, r := range all {
		r := r.(scim.Object)
		extension, _ := r[enterprise].(scim.Object)
		manager, _ := extension["manager"].(scim.Object)
		got[names[r["id"]]] = names[manager["value"]] + memberNames(clientResponse{body: r})
	}
	return got
}

// RFC 7644 §3.7.2: a bulkId stands for the ID of a resource. A string in any other place stays, also if a POST has that
// bulkId, and is not a reference to an unknown bulkId.
func TestBulkKeepsStringsThatAreNoReferences(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	target := c.create("/Users", `{"userName":"target"}`)
	const texts = `"title":"bulkId:u","nickName":"bulkId:unknown","displayName":"x/bulkId:u","profileUrl":"https://example.com/bulkId:u",` +
		`"name":{"familyName":"bulkId:u"},"emails":[{"value":"bulkId:u","type":"bulkId:unknown"}],"photos":[{"value":"https://x.example/bulkId:u"}],` +
		`"groups":[{"value":"bulkId:unknown"}],"` + enterprise + `":{"department":"bulkId:u","manager":{"value":"bulkId:m","displayName":"bulkId:u"}}`
	patch := func(operation string) string {
		return `{"method":"PATCH","path":"/Users/` + target + `","data":{"Operations":[` + operation + `]}}`
	}
	resp := c.sendBulk("", postUser("m"), post("/Users", "u", `{"userName":"bulkId:u",`+texts+`}`),
		`{"method":"PUT","path":"/Users/`+target+`","data":{"userName":"bulkId:m",`+texts+`}}`,
		patch(`{"op":"replace","value":{"title":"bulkId:m","name.givenName":"bulkId:m","`+enterprise+`:manager":{"value":"bulkId:m"}}}`),
		patch(`{"op":"replace","path":"nickName","value":"bulkId:m"},{"op":"replace","path":"emails[value eq \"bulkId:u\"].display","value":"bulkId:m"}`),
		post("/Groups", "g", `{"displayName":"bulkId:u","externalId":"bulkId:unknown","members":[{"value":"bulkId:u"}]}`))
	if got := resultStatuses(resp); got != "201, 201, 200, 200, 200, 201" {
		t.Fatal(resp.text)
	}
	manager := c.getResult(resp, 0).value("id")
	for i, want := range []map[string]string{
		1: {"title": "bulkId:u", "nickName": "bulkId:unknown", "userName": "bulkId:u", "emails.0.display": "<nil>"},
		2: {"title": "bulkId:m", "nickName": "bulkId:m", "userName": "bulkId:m", "emails.0.display": "bulkId:m", "name.givenName": "bulkId:m"},
	} {
		if want == nil {
			continue
		}
		u := c.getResult(resp, i)
		for _, common := range []string{"name.familyName", "emails.0.value"} {
			want[common] = "bulkId:u"
		}
		want["displayName"], want["profileUrl"] = "x/bulkId:u", "https://example.com/bulkId:u"
		want["photos.0.value"], want["emails.0.type"] = "https://x.example/bulkId:u", "bulkId:unknown"
		for name, text := range want {
			if got := fmt.Sprint(u.value(name)); got != text {
				t.Errorf("%s is %s, want %s", name, got, text)
			}
		}
		extension := u.body[enterprise].(scim.Object)
		if extension["department"] != "bulkId:u" || extension["manager"].(scim.Object)["value"] != manager {
			t.Errorf("the extension is %v", extension)
		}
	}
	g := c.getResult(resp, 5)
	if g.value("displayName") != "bulkId:u" || g.value("externalId") != "bulkId:unknown" || g.value("members.0.value") != c.getResult(resp, 1).value("id") {
		t.Errorf("the group is %s", g.text)
	}
}

// References in PATCH are replaced in each form in which clients send members and managers.
func TestBulkReplacesReferencesInEachFormOfPatch(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{
		`{"op":"add","value":{"` + enterprise + `":{"manager":{"value":"bulkId:m"}}}}`,
		`{"op":"add","value":{"` + enterprise + `":{"manager":"bulkId:m"}}}`,
		`{"op":"Add","value":{"` + enterprise + `:manager":"bulkId:m"}}`,
		`{"op":"add","value":{"manager.value":"bulkId:m"}}`,
		`{"op":"add","value":[{"manager":{"value":"bulkId:m"}}]}`,
		`{"op":"add","path":"` + enterprise + `","value":{"manager":{"Value":"bulkId:m"}}}`,
		`{"op":"add","path":"` + enterprise + `:manager","value":"bulkId:m"}`,
		`{"op":"add","path":"manager","value":[{"value":"bulkId:m"}]}`,
		`{"op":"add","PATH":"manager.value","VALUE":"bulkId:m"}`,
	} {
		c := newClient(t)
		u := c.create("/Users", `{"userName":"u"}`)
		resp := c.sendBulk("", `{"method":"PATCH","path":"/Users/`+u+`","data":{"Operations":[`+operation+`]}}`, postUser("m"))
		extension, _ := c.do("GET", "/Users/"+u, "").body[enterprise].(scim.Object)
		manager, _ := extension["manager"].(scim.Object)
		if want := c.getResult(resp, 1).value("id"); manager["value"] != want {
			t.Errorf("%s: the manager is %v, want %v: %s", operation, manager["value"], want, resp.text)
		}
	}
}
