package server

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/scim"
)

// names is the userNames and displayNames of a list, in its order.
func names(a answer) string {
	var all []string
	for i := 0; a.at(fmt.Sprint("Resources.", i)) != nil; i++ {
		name := a.at(fmt.Sprintf("Resources.%d.userName", i))
		if name == nil {
			name = a.at(fmt.Sprintf("Resources.%d.displayName", i))
		}
		all = append(all, name.(string))
	}
	return strings.Join(all, " ")
}

func TestSearchIsTheSameAsQuery(t *testing.T) {
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
		"/?filter=userName+sw+%22a%22":                             `{"filter":"userName sw \"a\""}`, // of groups, none
	} {
		path, _, _ := strings.Cut(query, "?")
		get := c.want(c.do("GET", query, ""), 200)
		if post := c.want(c.do("POST", strings.TrimSuffix(path, "/")+"/.search", body), 200); post.text != get.text {
			t.Errorf("GET %s\n gives %s\n but %s\n gives %s", query, get.text, body, post.text)
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
		"/Users?": "d b c a", // as they came
		"/Users?sortBy=userName&sortOrder=Descending": "d c b a",
		"/Users?sortBy=title":                         "b d c a", // without case; what has none comes last
		"/Users?sortBy=title&sortOrder=descending":    "a c d b",
		"/Users?sortBy=emails":                        "d b c a", // by the primary value
		"/Users?sortBy=emails.value&count=2":          "d b",
		"/Users?sortBy=title&startIndex=3&count=5":    "c a",
		"/Users?sortBy=title&startIndex=9":            "",
		"/Users?sortBy=name.familyName&count=1":       "d",
		"/Users?sortBy=department&count=1":            "b",
		"/Users?sortBy=active&count=1":                "c",
		"/Users?sortBy=title&filter=title+ne+%22a%22": "d c a",
		"/Users?sortOrder=descending":                 "d b c a", // without sortBy it means nothing
		"/?":                                          "d b c a bb",
		"/?sortBy=title&filter=title+pr":              "b d c",
	} {
		if got := names(c.want(c.do("GET", query, ""), 200)); got != want {
			t.Errorf("%s gives %q, want %q", query, got, want)
		}
	}
}

// RFC 7644 §3.4.2.3: users are sorted by the names of their groups, too. By members nothing can be sorted, which would
// read them all, and the detail says so.
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
		"/Users?sortBy=groups.value":                              "a b c d", // as they came
		"/?sortBy=groups.display&count=3":                         "b c a",
	} {
		for _, page := range []string{"", "&cursor="} {
			if got := names(c.want(c.do("GET", query+page, ""), 200)); got != want {
				t.Errorf("%s%s gives %q, want %q", query, page, got, want)
			}
		}
	}
	for _, by := range []string{"members", "members.value", "MEMBERS.display", "urn:ietf:params:scim:schemas:core:2.0:Group:members.type"} {
		for _, path := range []string{"/Groups", "/"} {
			a := c.want(c.do("GET", path+"?sortBy="+by, ""), 400, scim.InvalidPath)
			if !strings.Contains(a.text, "such as displayName") {
				t.Errorf("the detail says what to sort by: %s", a.text)
			}
		}
	}
}

// The root lists every type; only there a filter may name what one of them does not have.
func TestRoot(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	u := c.create("/Users", `{"userName":"u"}`)
	g := c.create("/Groups", `{"displayName":"g","members":[{"value":"`+u+`"}]}`)
	a := c.want(c.do("GET", "/?attributes=displayName,userName", ""), 200)
	ids := []any{a.at("Resources.0.id"), a.at("Resources.1.id")}
	if !slices.Equal(ids, []any{u, g}) || a.at("Resources.1.members") != nil || a.at("Resources.1.displayName") != "g" {
		t.Errorf("the root gives %s", a.text)
	}
	c.want(c.do("GET", "/Users?filter=members+pr", ""), 400, "invalidFilter")
	if a := c.want(c.do("GET", "/?filter=members+pr", ""), 200); a.at("Resources.0.id") != g {
		t.Errorf("only groups have members: %s", a.text)
	}
}

// RFC 7644 §3.4.2.1: at the root, what a type does not have is an attribute without a value; §3.4.2.3: by which it comes
// last. Only what no type has is refused.
func TestRootTakesWhatATypeDoesNotHaveAsAbsent(t *testing.T) {
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
		`sortBy=userName&sortOrder=descending`:                          "G b a", // and first, in descending order
		`sortBy=displayName`:                                            "G a b",
		`sortBy=title&filter=userName ne "a"`:                           "b G",
		`sortBy=userName&filter=userName pr or displayName eq "g"`:      "a b G",
	} {
		query = strings.NewReplacer(" ", "+", `"`, "%22").Replace(query)
		for _, page := range []string{"", "&cursor="} {
			if got := names(c.want(c.do("GET", "/?"+query+page, ""), 200)); got != want {
				t.Errorf("%s%s gives %q, want %q", query, page, got, want)
			}
		}
	}
	for query, scimType := range map[string]string{
		"filter=shoeSize+eq+9": scim.InvalidFilter, "filter=userName+pr+or+shoeSize+pr": scim.InvalidFilter,
		"filter=userName+eq+5": scim.InvalidFilter, "filter=emails[shoe+pr]": scim.InvalidFilter, "filter=password+pr": scim.InvalidFilter,
		"sortBy=shoeSize": scim.InvalidPath, "sortBy=name": scim.InvalidPath, "sortBy=shoeSize&filter=userName+pr+and+members+pr": scim.InvalidPath,
	} {
		c.want(c.do("GET", "/?"+query, ""), 400, scimType)
	}
	for _, query := range []string{"Users?filter=members+pr", "Groups?filter=userName+pr+or+displayName+pr", "Groups?sortBy=userName"} {
		c.want(c.do("GET", "/"+query, ""), 400)
	}
}

// RFC 9865 §2: an empty cursor asks for the first page, and the last is the one without a next; there is no index.
func TestPagesByCursor(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		c.create("/Users", `{"userName":"`+name+`","title":"t"}`)
	}
	for _, filter := range []string{"", "&filter=title+pr", "&sortBy=userName&sortOrder=descending", "&sortBy=title"} {
		met, cursor := "", ""
		for pages := 1; ; pages++ {
			get := c.want(c.do("GET", "/Users?count=2&startIndex=4&cursor="+cursor+filter, ""), 200)
			body := scim.Object{"count": 2, "cursor": cursor}
			for part := range strings.SplitSeq(strings.TrimPrefix(filter, "&"), "&") {
				name, v, _ := strings.Cut(part, "=")
				body[name] = strings.ReplaceAll(v, "+", " ")
			}
			text, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			if post := c.want(c.do("POST", "/Users/.search", string(text)), 200); names(post) != names(get) {
				t.Errorf("%s: POST gives %s and GET %s", filter, names(post), names(get))
			}
			_, indexed := get.body["startIndex"]
			_, counted := get.body["totalResults"]
			_, before := get.body["previousCursor"]
			if indexed || before != (pages > 1) || counted != (!strings.Contains(filter, "filter")) || get.body["itemsPerPage"] == nil {
				t.Errorf("%s, page %d: %s", filter, pages, get.text)
			}
			met += names(get)
			if cursor, _ = get.body["nextCursor"].(string); cursor == "" || pages > 3 {
				break
			}
			met += ", "
		}
		if want := map[bool]string{true: "e d, c b, a", false: "a b, c d, e"}[strings.Contains(filter, "descending")]; met != want {
			t.Errorf("%s: the pages are %q, want %q", filter, met, want)
		}
	}
	for query, want := range map[string]string{"cursor=x": "invalidCursor", "cursor=%00": "invalidCursor", "cursor=&cursor=": "invalidValue"} {
		if a := c.want(c.do("GET", "/Users?"+query, ""), 400); a.body["scimType"] != want {
			t.Errorf("%s: %s", query, a.text)
		}
	}
	pagination, _ := c.want(c.do("GET", "/ServiceProviderConfig", ""), 200).body["pagination"].(scim.Object)
	if pagination["cursor"] != true || pagination["index"] != true || pagination["defaultPaginationMethod"] != "index" {
		t.Errorf("RFC 9865 §4: %v", pagination)
	}
}

// RFC 9865 §2: by cursor, count is a positive integer; §2.1: any other is an invalidCount. By index, RFC 7644 §3.4.2.4
// lets it be 0 or less.
func TestCountByCursor(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for _, name := range []string{"a", "b"} {
		c.create("/Users", `{"userName":"`+name+`"}`)
	}
	next, _ := c.want(c.do("GET", "/Users?count=1&cursor=", ""), 200).body["nextCursor"].(string)
	for _, count := range []string{"x", "0", "-1", "1.5", "-99999999999"} {
		for _, cursor := range []string{"", next} {
			a := c.want(c.do("GET", "/Users?count="+count+"&cursor="+cursor, ""), 400, scim.InvalidCount)
			if !strings.Contains(a.text, "positive integer") {
				t.Errorf("the detail says what to send: %s", a.text)
			}
			c.want(c.do("POST", "/.search", `{"count":"`+count+`","cursor":"`+cursor+`"}`), 400, scim.InvalidCount)
		}
	}
	c.want(c.do("POST", "/Users/.search", `{"count":0,"cursor":""}`), 400, scim.InvalidCount)
	for query, want := range map[string]string{"count=2": "a b", "count=": "a b", "count=99999999999": "a b", "": "a b", "count=1": "a"} {
		if got := names(c.want(c.do("GET", "/Users?cursor=&"+query, ""), 200)); got != want {
			t.Errorf("%s gives %q, want %q", query, got, want)
		}
	}
	c.want(c.do("GET", "/Users?count=x", ""), 400, scim.InvalidValue)
	if a := c.want(c.do("GET", "/Users?count=-1", ""), 200); names(a) != "" || fmt.Sprint(a.at("totalResults")) != "2" {
		t.Errorf("by index a negative count is 0: %s", a.text)
	}
}
