package server

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"serverless-scim/internal/token"
)

// entityTag retrieves a resource and returns its entity tag, which must be the same in the header and in meta.version,
// and must have a digest of display names or none.
func (c *client) entityTag(path string, digest bool) string {
	c.Helper()
	resp := c.expect(c.do("GET", path, ""), 200)
	tag := resp.header.Get("ETag")
	if resp.value("meta.version") != tag || strings.Contains(tag, "-") != digest {
		c.Errorf("%s has the ETag %s and meta.version %v; with digest: %v", path, tag, resp.value("meta.version"), digest)
	}
	return tag
}

// patchAttribute returns the body of a PATCH that replaces an attribute.
func patchAttribute(name, v string) string {
	return fmt.Sprintf(`{"Operations":[{"op":"replace","path":%q,"value":%q}]}`, name, v)
}

// newMembership creates a user and a group of which it is a member, both with the displayName "before", and returns
// their paths.
func (c *client) newMembership() (user, group string) {
	c.Helper()
	id := c.create("/Users", `{"userName":"u","displayName":"before"}`)
	return "/Users/" + id, "/Groups/" + c.create("/Groups", `{"displayName":"before","members":[{"value":"`+id+`"}]}`)
}

// The rename of a resource makes a client's copies of other resources outdated (RFC 9110 §13.1.2): groups.display of a
// user, and members.display of a group.
func TestRenameChangesTagsOfOtherResources(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	user, group := c.newMembership()
	for _, test := range []struct{ path, renamed, version string }{{user, group, `W/"1.1"`}, {group, user, `W/"2"`}} {
		old := c.entityTag(test.path, true)
		c.expect(c.do("GET", test.path, "", "If-None-Match", old), 304)
		c.expect(c.do("PATCH", test.renamed, patchAttribute("displayName", "after")), 200)
		if resp := c.expect(c.do("GET", test.path, "", "If-None-Match", old), 200); !strings.Contains(resp.text, `"display":"after"`) {
			t.Errorf("the response has an outdated display name: %s", resp.text)
		}
		current := c.entityTag(test.path, true)
		for match, status := range map[string]int{current: 304, old + ", " + current: 304, "*": 304, old: 200, test.version: 200} {
			resp := c.expect(c.do("GET", test.path, "", "If-None-Match", match), status)
			if resp.header.Get("ETag") != current {
				t.Errorf("%d has the ETag %s, want %s", status, resp.header.Get("ETag"), current)
			}
		}
		c.expect(c.do(http.MethodHead, test.path, "", "If-None-Match", current), 304)
		withoutNames := test.path + "?excludedAttributes=members,groups"
		version := c.entityTag(withoutNames, false)
		c.expect(c.do("GET", withoutNames, "", "If-None-Match", version), 304)
		c.expect(c.do("GET", withoutNames, "", "If-None-Match", current), 200)
	}
}

// If-Match compares the version alone: with the tag of any earlier or later display name, and with the version itself.
func TestRenameOfAnotherResourceFailsNoWrite(t *testing.T) {
	t.Parallel()
	for _, writesUser := range []bool{true, false} {
		c := newClient(t)
		path, renamed := c.newMembership()
		if !writesUser {
			path, renamed = renamed, path
		}
		for i, form := range []string{"%[1]s", "%[2]s", "%[3]s", `W/"9.9", %[1]s`, "*"} {
			old := c.entityTag(path, true)
			c.expect(c.do("PATCH", renamed, patchAttribute("displayName", fmt.Sprint("after", i))), 200)
			version := c.entityTag(path+"?excludedAttributes=members,groups", false)
			match := fmt.Sprintf(form+"%.0[1]s%.0[2]s%.0[3]s", old, c.entityTag(path, true), version)
			c.expect(c.do("GET", path, "", "If-Match", match), 200)
			resp := c.expect(c.do("PATCH", path, patchAttribute("externalId", fmt.Sprint(i)), "If-Match", match), 200)
			if tag := c.entityTag(path, true); resp.header.Get("ETag") != tag || resp.value("meta.version") != tag {
				t.Errorf("PATCH returned the ETag %s and meta.version %v, want %s", resp.header.Get("ETag"), resp.value("meta.version"), tag)
			}
			if match != "*" { // the version has changed
				c.expect(c.do("GET", path, "", "If-Match", match), 412)
				c.expect(c.do("PATCH", path, patchAttribute("externalId", "x"), "If-Match", match), 412)
				c.expect(c.do("PUT", path, `{"userName":"u","displayName":"x"}`, "If-Match", match), 412)
				c.expect(c.do("DELETE", path, "", "If-Match", match), 412)
			}
		}
		c.expect(c.do("DELETE", path, "", "If-Match", c.entityTag(path, true)), 204)
	}
}

// The version in a list and in a bulk result is that of the single request, and a bulk operation accepts all forms.
func TestListsAndBulkHaveTheSameVersions(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	user, group := c.newMembership()
	for path, list := range map[string]string{user: "/Users", group: "/Groups"} {
		if got, want := c.do("GET", list, "").value("Resources.0.meta.version"), c.entityTag(path, true); got != want {
			t.Errorf("%s has the version %v in a list, want %s", path, got, want)
		}
	}
	groupVersion := c.entityTag(group+"?attributes=meta", false)
	c.expect(c.do("PATCH", user, patchAttribute("displayName", "after")), 200)
	id := strings.TrimPrefix(user, "/Users/")
	patchOf := func(path, version string) string {
		return fmt.Sprintf(`{"method":"PATCH","path":%q,"version":%q,"data":%s}`, path, version, patchAttribute("externalId", "x"))
	}
	paths := []string{user, group, "", "/Groups/" + c.create("/Groups", `{"displayName":"h"}`)}
	resp := c.sendBulk("", patchOf(user, c.entityTag(user, true)), patchOf(group, groupVersion),
		post("/Groups", "b", `{"displayName":"b","members":[{"value":"`+id+`"}]}`),
		fmt.Sprintf(`{"method":"PUT","path":%q,"data":{"displayName":"h","members":[{"value":%q}]}}`, paths[3], strings.TrimPrefix(group, "/Groups/")))
	if got := resultStatuses(resp); got != "200, 200, 201, 200" {
		t.Fatalf("the statuses are %s: %s", got, resp.text)
	}
	paths[2] = strings.TrimPrefix(resp.value("Operations.2.location").(string), base)
	for i, path := range paths {
		got := resp.value(fmt.Sprintf("Operations.%d.version", i))
		if i == 0 { // a later operation made the user a member
			c.expect(c.do("GET", path, "", "If-Match", fmt.Sprint(got)), 412)
			continue
		}
		if want := c.entityTag(path, true); got != want {
			t.Errorf("the bulk result %d has the version %v, want %s", i, got, want)
		}
	}
	c.setSettings(token.Settings{NoContent: true})
	version := c.expect(c.do("PATCH", group, patchAttribute("externalId", "y")), 204).header.Get("ETag")
	resp = c.sendBulk("", patchOf(group, version))
	if resp.value("Operations.0.status") != "200" || resp.value("Operations.0.version") == version {
		t.Errorf("a bulk operation with the version of a 204: %s", resp.text)
	}
}
