package server

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/scim"
)

// listedNames returns the userNames and displayNames of a list, in its order.
func listedNames(resp clientResponse) string {
	var all []string
	for i := 0; resp.value(fmt.Sprint("Resources.", i)) != nil; i++ {
		name := resp.value(fmt.Sprintf("Resources.%d.userName", i))
		if name == nil {
			name = resp.value(fmt.Sprintf("Resources.%d.displayName", i))
		}
		all = append(all, name.(string))
	}
	return strings.Join(all, " ")
}

func TestSearchReturnsSameAsGet(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for _, name := range []string{"a", "b", "c"} {
		c.create("/Users", `{"userName":"`+name+`","title":"x`+name+`"}`)
	}
	c.create("/Groups", `{"displayName":"b"}`)
	for query, body := range map[string]string{
		"/Users?":                     `{}`,
		"/Users?count=2&startIndex=2": `{"count":2,"startIndex":2}`,
		"/Users?count=0":              `{"count":0}`,
		"/Users?filter=title+pr&sortBy=title&sortOrder=descending": `{"filter":"title pr","sortBy":"title","sortOrder":"descending"}`,
		"/Users?attributes=userName,title":                         `{"attributes":["userName","title"],"filter":null}`,
		"/Users?excludedAttributes=title,meta":                     `{"excludedAttributes":["title","meta"],"schemas":["urn:other"]}`,
		"/Groups?filter=displayName+eq+%22b%22":                    `{"FILTER":"displayName eq \"b\""}`,
		"?filter=meta.resourceType+eq+%22Group%22":                 `{"filter":"meta.resourceType eq \"Group\""}`,
		"/?count=2&startIndex=3":                                   `{"count":2,"startIndex":3}`,
		"/?filter=userName+sw+%22a%22":                             `{"filter":"userName sw \"a\""}`, // groups have no userName
	} {
		path, _, _ := strings.Cut(query, "?")
		get := c.expect(c.do("GET", query, ""), 200)
		if post := c.expect(c.do("POST", strings.TrimSuffix(path, "/")+"/.search", body), 200); post.text != get.text {
			t.Errorf("GET %s\n returns %s\n but %s\n returns %s", query, get.text, body, post.text)
		}
	}
}

func TestSort(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create("/Users", `{"userName":"d","title":"B","emails":[{"value":"z@x"},{"value":"a@x","primary":true}],"name":{"familyName":"x"}}`)
	c.create("/Users", `{"userName":"b","title":"a","emails":[{"value":"c@x"}],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"q"}}`)
	c.create("/Users", `{"userName":"c","title":"c","active":true}`)
	c.create("/Users", `{"userName":"a"}`)
	c.create("/Groups", `{"displayName":"bb"}`)
	for query, want := range map[string]string{
		"/Users?": "d b c a", // in order of creation
		"/Users?sortBy=userName&sortOrder=Descending": "d c b a",
		"/Users?sortBy=title":                         "b d c a", // case-insensitive; a user without title is last
		"/Users?sortBy=title&sortOrder=descending":    "a c d b",
		"/Users?sortBy=emails":                        "d b c a", // by the primary value
		"/Users?sortBy=emails.value&count=2":          "d b",
		"/Users?sortBy=title&startIndex=3&count=5":    "c a",
		"/Users?sortBy=title&startIndex=9":            "",
		"/Users?sortBy=name.familyName&count=1":       "d",
		"/Users?sortBy=department&count=1":            "b",
		"/Users?sortBy=active&count=1":                "c",
		"/Users?sortBy=title&filter=title+ne+%22a%22": "d c a",
		"/Users?sortOrder=descending":                 "d b c a", // has no effect without sortBy
		"/?":                                          "d b c a bb",
		"/?sortBy=title&filter=title+pr":              "b d c",
	} {
		if got := listedNames(c.expect(c.do("GET", query, ""), 200)); got != want {
			t.Errorf("%s returns %q, want %q", query, got, want)
		}
	}
}

// RFC 7644 §3.4.2.3: users can be sorted by the names of their groups. Groups cannot be sorted by members, because that
// would read all members. The detail says what to sort by instead.
func TestSortByMemberships(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	var users []string
	for _, name := range []string{"a", "b", "c", "d"} {
		users = append(users, c.create("/Users", `{"userName":"`+name+`"}`))
	}
	for i, group := range []string{"z", "x", "Y"} {
		c.create("/Groups", `{"displayName":"`+group+`","members":[{"value":"`+users[i]+`"}]}`)
	}
	for query, want := range map[string]string{
		"/Users?sortBy=groups.display":                            "b c a d",
		"/Users?sortBy=groups.display&sortOrder=descending":       "d a c b",
		"/Users?sortBy=groups.display&filter=userName+ne+%22c%22": "b a d",
		"/Users?sortBy=groups.value":                              "a b c d", // in order of creation
		"/?sortBy=groups.display&count=3":                         "b c a",
	} {
		for _, page := range []string{"", "&cursor="} {
			if got := listedNames(c.expect(c.do("GET", query+page, ""), 200)); got != want {
				t.Errorf("%s%s returns %q, want %q", query, page, got, want)
			}
		}
	}
	for _, by := range []string{"members", "members.value", "MEMBERS.display", "urn:ietf:params:scim:schemas:core:2.0:Group:members.type"} {
		for _, path := range []string{"/Groups", "/"} {
			resp := c.expect(c.do("GET", path+"?sortBy="+by, ""), 400, scim.InvalidPath)
			if !strings.Contains(resp.text, "such as displayName") {
				t.Errorf("the detail does not say what to sort by: %s", resp.text)
			}
		}
	}
}

// Only at the root, a filter may name an attribute that some resource types do not have.
func TestRootListsAllTypes(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	u := c.create("/Users", `{"userName":"u"}`)
	g := c.create("/Groups", `{"displayName":"g","members":[{"value":"`+u+`"}]}`)
	resp := c.expect(c.do("GET", "/?attributes=displayName,userName", ""), 200)
	ids := []any{resp.value("Resources.0.id"), resp.value("Resources.1.id")}
	if !slices.Equal(ids, []any{u, g}) || resp.value("Resources.1.members") != nil || resp.value("Resources.1.displayName") != "g" {
		t.Errorf("the root returns %s", resp.text)
	}
	c.expect(c.do("GET", "/Users?filter=members+pr", ""), 400, "invalidFilter")
	if resp := c.expect(c.do("GET", "/?filter=members+pr", ""), 200); resp.value("Resources.0.id") != g {
		t.Errorf("the first resource is not the group: %s", resp.text)
	}
}

// RFC 7644 §3.4.2.1, §3.4.2.3: at the root, an attribute that a resource type does not have is an attribute without a
// value, and sorts last. An attribute that no resource type has is rejected.
func TestRootTreatsUnknownAttributesAsAbsent(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	u := c.create("/Users", `{"userName":"a","emails":[{"value":"a@x","type":"work"}]}`)
	c.create("/Users", `{"userName":"b","title":"x"}`)
	c.create("/Groups", `{"displayName":"G","members":[{"value":"`+u+`"}]}`)
	for query, want := range map[string]string{
		`filter=userName eq "a" or displayName eq "G"`:                  "a G",
		`filter=userName eq "a" or meta.resourceType eq "Group"`:        "a G",
		`filter=userName eq "a" and meta.resourceType eq "Group"`:       "",
		`filter=not (userName eq "a")`:                                  "b G",
		`filter=not (userName pr)`:                                      "G",
		`filter=userName ne "b"`:                                        "a G",
		`filter=userName eq "a" and displayName eq "G"`:                 "",
		`filter=userName pr and members pr`:                             "",
		`filter=title eq null`:                                          "a G",
		`filter=emails[type eq "work"] or members.value eq "` + u + `"`: "a G",
		`filter=not (emails[value eq "a@x"])`:                           "b G",
		`sortBy=userName`:                                               "a b G",
		`sortBy=userName&sortOrder=descending`:                          "G b a", // a group has no userName and is first in descending order
		`sortBy=displayName`:                                            "G a b",
		`sortBy=title&filter=userName ne "a"`:                           "b G",
		`sortBy=userName&filter=userName pr or displayName eq "g"`:      "a b G",
	} {
		query = strings.NewReplacer(" ", "+", `"`, "%22").Replace(query)
		for _, page := range []string{"", "&cursor="} {
			if got := listedNames(c.expect(c.do("GET", "/?"+query+page, ""), 200)); got != want {
				t.Errorf("%s%s returns %q, want %q", query, page, got, want)
			}
		}
	}
	for query, scimType := range map[string]string{
		"filter=shoeSize+eq+9": scim.InvalidFilter, "filter=userName+pr+or+shoeSize+pr": scim.InvalidFilter,
		"filter=userName+eq+5": scim.InvalidFilter, "filter=emails[shoe+pr]": scim.InvalidFilter, "filter=password+pr": scim.InvalidFilter,
		"sortBy=shoeSize": scim.InvalidPath, "sortBy=name": scim.InvalidPath, "sortBy=shoeSize&filter=userName+pr+and+members+pr": scim.InvalidPath,
	} {
		c.expect(c.do("GET", "/?"+query, ""), 400, scimType)
	}
	for _, query := range []string{"Users?filter=members+pr", "Groups?filter=userName+pr+or+displayName+pr", "Groups?sortBy=userName"} {
		c.expect(c.do("GET", "/"+query, ""), 400)
	}
}

// RFC 9865 §2: an empty cursor requests the first page. The last page has no nextCursor. No page has a startIndex.
func TestPagesByCursor(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		c.create("/Users", `{"userName":"`+name+`","title":"t"}`)
	}
	for _, filter := range []string{"", "&filter=title+pr", "&sortBy=userName&sortOrder=descending", "&sortBy=title"} {
		pages, cursor := "", ""
		for number := 1; ; number++ {
			get := c.expect(c.do("GET", "/Users?count=2&startIndex=4&cursor="+cursor+filter, ""), 200)
			body := scim.Object{"count": 2, "cursor": cursor}
			for part := range strings.SplitSeq(strings.TrimPrefix(filter, "&"), "&") {
				name, v, _ := strings.Cut(part, "=")
				body[name] = strings.ReplaceAll(v, "+", " ")
			}
			text, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			if post := c.expect(c.do("POST", "/Users/.search", string(text)), 200); listedNames(post) != listedNames(get) {
				t.Errorf("%s: POST returns %s and GET %s", filter, listedNames(post), listedNames(get))
			}
			_, indexed := get.body["startIndex"]
			_, counted := get.body["totalResults"]
			_, previous := get.body["previousCursor"]
			if indexed || previous != (number > 1) || counted != (!strings.Contains(filter, "filter")) || get.body["itemsPerPage"] == nil {
				t.Errorf("%s, page %d: %s", filter, number, get.text)
			}
			pages += listedNames(get)
			if cursor, _ = get.body["nextCursor"].(string); cursor == "" || number > 3 {
				break
			}
			pages += ", "
		}
		if want := map[bool]string{true: "e d, c b, a", false: "a b, c d, e"}[strings.Contains(filter, "descending")]; pages != want {
			t.Errorf("%s: the pages are %q, want %q", filter, pages, want)
		}
	}
	for query, want := range map[string]string{"cursor=x": "invalidCursor", "cursor=%00": "invalidCursor", "cursor=&cursor=": "invalidValue"} {
		if resp := c.expect(c.do("GET", "/Users?"+query, ""), 400); resp.body["scimType"] != want {
			t.Errorf("%s: %s", query, resp.text)
		}
	}
	pagination, _ := c.expect(c.do("GET", "/ServiceProviderConfig", ""), 200).body["pagination"].(scim.Object)
	if pagination["cursor"] != true || pagination["index"] != true || pagination["defaultPaginationMethod"] != "index" {
		t.Errorf("pagination is %v (RFC 9865 §4)", pagination)
	}
}

// RFC 9865 §2, §2.1: with a cursor, count must be a positive integer. RFC 7644 §3.4.2.4 allows other integers with
// startIndex.
func TestCursorRequiresPositiveCount(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for _, name := range []string{"a", "b"} {
		c.create("/Users", `{"userName":"`+name+`"}`)
	}
	next, _ := c.expect(c.do("GET", "/Users?count=1&cursor=", ""), 200).body["nextCursor"].(string)
	for _, count := range []string{"x", "0", "-1", "1.5", "-99999999999"} {
		for _, cursor := range []string{"", next} {
			resp := c.expect(c.do("GET", "/Users?count="+count+"&cursor="+cursor, ""), 400, scim.InvalidCount)
			if !strings.Contains(resp.text, "positive integer") {
				t.Errorf("the detail does not say what to send: %s", resp.text)
			}
			c.expect(c.do("POST", "/.search", `{"count":"`+count+`","cursor":"`+cursor+`"}`), 400, scim.InvalidCount)
		}
	}
	c.expect(c.do("POST", "/Users/.search", `{"count":0,"cursor":""}`), 400, scim.InvalidCount)
	for query, want := range map[string]string{"count=2": "a b", "count=": "a b", "count=99999999999": "a b", "": "a b", "count=1": "a"} {
		if got := listedNames(c.expect(c.do("GET", "/Users?cursor=&"+query, ""), 200)); got != want {
			t.Errorf("%s returns %q, want %q", query, got, want)
		}
	}
	c.expect(c.do("GET", "/Users?count=x", ""), 400, scim.InvalidValue)
	if resp := c.expect(c.do("GET", "/Users?count=-1", ""), 200); listedNames(resp) != "" || fmt.Sprint(resp.value("totalResults")) != "2" {
		t.Errorf("without a cursor, a negative count must be 0: %s", resp.text)
	}
}
