package gateway

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"pgregory.net/rapid"
)

func TestWhatCountsInAnAnswer(t *testing.T) {
	t.Parallel()
	const list = `{"totalResults":2,"itemsPerPage":1,"startIndex":1,"Resources":[{"id":"a","userName":"x"}]}`
	for _, c := range []struct {
		rule      string
		at        string // path and query
		want, got string
		differ    string // "" if they are the same
	}{
		{"equal", "/Users/1", `{"a":1,"b":[true,null]}`, `{"b":[true,null],"a":1}`, ""},
		{"a number is not a text", "/Users/1", `{"a":1}`, `{"a":"1"}`, `body.a: want 1, got "1"`},
		{"false is not absence", "/Users/1", `{}`, `{"active":false}`, `body.active: not expected`},
		{"an object is not its text", "/Users/1", `{"name":{}}`, `{"name":"x"}`, `body.name: want {}`},
		{"times are any times", "/Users/1", `{"meta":{"created":"2020-01-01T00:00:00Z"}}`, `{"meta":{"created":"2031-01-01T01:01:01.123+01:00"}}`, ""},
		{"a time is a time", "/Users/1", `{"meta":{"lastModified":"2020-01-01T00:00:00Z"}}`, `{"meta":{"lastModified":"today"}}`, "body.meta.lastModified"},
		{"any version", "/Users/1", `{"meta":{"version":"W/\"1\""}}`, `{"meta":{"version":"W/\"2\""}}`, ""},
		{"but a version", "/Users/1", `{"meta":{"version":"W/\"1\""}}`, `{"meta":{"version":""}}`, "body.meta.version"},
		{"any base of a location", "/Users/1", `{"meta":{"location":"https://a/prod/Users/1"}}`, `{"meta":{"location":"http://b:1/Users/1"}}`, ""},
		{"the id of a location", "/Users/1", `{"meta":{"location":"https://a/Users/1"}}`, `{"meta":{"location":"https://a/Users/2"}}`, "body.meta.location"},
		{"the endpoint of a $ref", "/Users/1", `{"$ref":"https://a/Users/1"}`, `{"$ref":"https://a/Groups/1"}`, "body.$ref"},
		{"any words of an error", "/Users/1", `{"detail":"a","status":"404"}`, `{"detail":"b","status":"404"}`, ""},
		{"not its status", "/Users/1", `{"status":"404"}`, `{"status":404}`, "body.status"},
		{"no order of values", "/Users/1", `{"a":[{"v":1},{"v":2}]}`, `{"a":[{"v":2},{"v":1}]}`, ""},
		{"each value once", "/Users/1", `{"a":[1,1,2]}`, `{"a":[1,2,2]}`, "body.a[0]: want 1, got 2"},
		{"a value missing", "/Users/1", `{"a":[1,2]}`, `{"a":[2]}`, "body.a[0]: want 1, it is missing"},
		{"a value too many", "/Users/1", `{"a":[2]}`, `{"a":[1,2]}`, "body.a[0]: not expected: 1"},
		{"no body", "/Users/1", ``, `{}`, "body: want none"},
		{"a body", "/Users/1", `{}`, ``, "body: want JSON"},
		{"HTML", "/Users/1", `{}`, `<html>`, `body: want JSON, got "<html>"`},
		{"filtered lists in full", "/Users?x", list, strings.Replace(list, `"totalResults":2`, `"totalResults":3`, 1), "body.totalResults"},
		{"other lists by their form", "/Users", list, `{"totalResults":9,"itemsPerPage":2,"startIndex":1,"Resources":[{"id":"b"},{"id":"c"}]}`, ""},
		{"startIndex of a list", "/Users", list, strings.Replace(list, `"startIndex":1`, `"startIndex":2`, 1), "body.startIndex"},
		{"integers in a list", "/Users", list, strings.Replace(list, `:2`, `:"2"`, 1), "body: totalResults"},
		{"itemsPerPage is what was returned", "/Users", list, strings.Replace(list, `"itemsPerPage":1`, `"itemsPerPage":2`, 1), "body: totalResults"},
		{"totalResults is at least the page", "/Users", list, strings.Replace(list, `:2`, `:0`, 1), "body: totalResults"},
		{"resources have ids", "/Users", list, strings.Replace(list, `"id":"a"`, `"id":""`, 1), "body.Resources[0]: has no id"},
		{"Resources is an array", "/Users", list, strings.Replace(list, `[{"id":"a","userName":"x"}]`, `null`, 1), "body.Resources: want an array"},
		{"discovery may have more", "/Schemas", list, strings.Replace(list, `"itemsPerPage":1`, `"itemsPerPage":2`, 1)[:len(list)-2] + `,{"id":"b"}]}`, ""},
		{"discovery has what was recorded", "/Schemas", list, strings.Replace(list, `"a"`, `"b"`, 1), `body.Resources: "a" is missing`},
	} {
		at, filter, filtered := strings.Cut(c.at, "?")
		step := Step{Event: events.APIGatewayProxyRequest{HTTPMethod: "GET", Path: at}}
		if filtered {
			step.Event.MultiValueQueryStringParameters = map[string][]string{"filter": {filter}}
		}
		step.Want.Status, step.Want.Body = 200, json.RawMessage(c.want)
		got := strings.Join(differences(step, Answer{Status: 200, Body: []byte(c.got)}), "\n")
		if (c.differ == "") != (got == "") || !strings.HasPrefix(got, c.differ) {
			t.Errorf("%s: difference %q, want %q", c.rule, got, c.differ)
		}
	}
}

func TestHeadersWorthChecking(t *testing.T) {
	t.Parallel()
	step := Step{Want: Expectation{Status: 204, Headers: map[string]string{
		"Location": "https://a/prod/Users/1", "ETag": `W/"1"`, "Content-Type": "application/scim+json"}}}
	header := http.Header{}
	header.Set("Location", "http://b/Users/1")
	header.Set("ETag", `W/"7"`)
	header.Set("Content-Type", "application/scim+json")
	if diff := differences(step, Answer{Status: 204, Header: header}); diff != nil {
		t.Errorf("differences %q between equal headers", diff)
	}
	header.Set("Content-Type", "application/json")
	header.Set("Location", "http://b/Users/2")
	header.Del("ETag")
	if diff := differences(step, Answer{Status: 204, Header: header}); len(diff) != 3 || !strings.HasPrefix(diff[0], "Content-Type") {
		t.Errorf("differences %q, want one for each of three headers", diff)
	}
}

// Whatever the names are, they come back as they were recorded, and no recorded name reaches the server.
func TestNamesComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[A-Za-zé0-9][A-Za-zé0-9 .()*|$^@+-]{0,12}`)
		list := rapid.SliceOfNDistinct(name, 1, 4, strings.ToLower).Draw(t, "names")
		var c Conversation
		for _, n := range list {
			body, _ := json.Marshal(map[string]any{"displayName": n})
			c.Steps = append(c.Steps, Step{Event: events.APIGatewayProxyRequest{Path: "/Groups", Body: string(body)}})
		}
		n := namesOf(c, "k3f9x2")
		doc, _ := json.Marshal(map[string]any{"a": list, "path": `members[display eq "` + list[0] + `"]`, "b": "other"})
		out := n.add(string(doc))
		for _, recorded := range list {
			if strings.Contains(strings.ToLower(out), `"`+strings.ToLower(recorded)+`"`) {
				t.Fatalf("%q is sent as recorded: %s", recorded, out)
			}
		}
		if !json.Valid([]byte(out)) || n.remove(out) != string(doc) {
			t.Fatalf("%s became %s and then %s", doc, out, n.remove(out))
		}
		if upper := n.add(`"` + strings.ToUpper(list[0]) + `"`); !strings.EqualFold(upper, n.add(`"`+list[0]+`"`)) {
			t.Fatalf("the probe in capitals is %s, not %s", upper, n.add(`"`+list[0]+`"`))
		}
	})
}
