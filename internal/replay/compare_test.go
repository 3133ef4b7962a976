package replay

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

func TestCompareBodies(t *testing.T) {
	t.Parallel()
	ownIDs := map[string]bool{"a": true, "m": true}
	const list = `{"totalResults":2,"itemsPerPage":1,"startIndex":1,"Resources":[{"id":"a","userName":"x"}]}`
	const empty = `{"totalResults":2,"itemsPerPage":0,"startIndex":1,"Resources":[]}`
	for _, c := range []struct {
		rule      string
		at        string // path and query
		want, got string
		differ    string // prefix of the difference, or "" for none
	}{
		{"equal bodies", "/Users/1", `{"a":1,"b":[true,null]}`, `{"b":[true,null],"a":1}`, ""},
		{"a number differs from a string", "/Users/1", `{"a":1}`, `{"a":"1"}`, `body.a: want 1, got "1"`},
		{"false differs from a missing member", "/Users/1", `{}`, `{"active":false}`, `body.active: not expected`},
		{"an object differs from a string", "/Users/1", `{"name":{}}`, `{"name":"x"}`, `body.name: want {}`},
		{"the time does not matter", "/Users/1", `{"meta":{"created":"2020-01-01T00:00:00Z"}}`, `{"meta":{"created":"2031-01-01T01:01:01.123+01:00"}}`, ""},
		{"but it must be a time", "/Users/1", `{"meta":{"lastModified":"2020-01-01T00:00:00Z"}}`, `{"meta":{"lastModified":"today"}}`, "body.meta.lastModified"},
		{"the version does not matter", "/Users/1", `{"meta":{"version":"W/\"1\""}}`, `{"meta":{"version":"W/\"2\""}}`, ""},
		{"a strong entity tag is a version", "/Users/1", `{"meta":{"version":"W/\"1\""}}`, `{"meta":{"version":"\"\""}}`, ""},
		{"a version must not be empty", "/Users/1", `{"meta":{"version":"W/\"1\""}}`, `{"meta":{"version":""}}`, "body.meta.version"},
		{"an entity tag has quotes", "/Users/1", `{"meta":{"version":"W/\"1\""}}`, `{"meta":{"version":"1"}}`, "body.meta.version"},
		{"an entity tag has two quotes only", "/Users/1", `{"meta":{"version":"W/\"1\""}}`, `{"meta":{"version":"\"1\"2\""}}`, "body.meta.version"},
		{"the base of a location does not matter", "/Users/1", `{"meta":{"location":"https://a/prod/Users/1"}}`, `{"meta":{"location":"http://b:1/Users/1"}}`, ""},
		{"the ID of a location matters", "/Users/1", `{"meta":{"location":"https://a/Users/1"}}`, `{"meta":{"location":"https://a/Users/2"}}`, "body.meta.location"},
		{"a location must be absolute if the expected one is", "/Users/1", `{"meta":{"location":"https://a/Users/1"}}`, `{"meta":{"location":"/Users/1"}}`, "body.meta.location"},
		{"an absolute URL has a host", "/Users/1", `{"meta":{"location":"https://a/Users/1"}}`, `{"meta":{"location":"https:/Users/1"}}`, "body.meta.location"},
		{"a relative location", "/Users/1", `{"meta":{"location":"/Users/1"}}`, `{"meta":{"location":"/scim/Users/1"}}`, ""},
		{"the endpoint of a $ref matters", "/Users/1", `{"$ref":"https://a/Users/1"}`, `{"$ref":"https://a/Groups/1"}`, "body.$ref"},
		{"the detail of an error does not matter", "/Users/1", `{"detail":"a","status":"404"}`, `{"detail":"b","status":"404"}`, ""},
		{"the status of an error matters", "/Users/1", `{"status":"404"}`, `{"status":404}`, "body.status"},
		{"the order of values does not matter", "/Users/1", `{"a":[{"v":1},{"v":2}]}`, `{"a":[{"v":2},{"v":1}]}`, ""},
		{"the number of equal values matters", "/Users/1", `{"a":[1,1,2]}`, `{"a":[1,2,2]}`, "body.a[0]: want 1, got 2"},
		{"a missing value", "/Users/1", `{"a":[1,2]}`, `{"a":[2]}`, "body.a[0]: want 1, it is missing"},
		{"an extra value", "/Users/1", `{"a":[2]}`, `{"a":[1,2]}`, "body.a[0]: not expected: 1"},
		{"no body expected", "/Users/1", ``, `{}`, "body: want none"},
		{"a body expected", "/Users/1", `{}`, ``, "body: want JSON"},
		{"nothing may follow the value", "/Users/1", `{}`, `{}{}`, "body: want JSON"},
		{"not even a bracket", "/Users/1", `{}`, `{}}`, "body: want JSON"},
		{"no repeated members", "/Users/1", `{"a":1}`, `{"a":1,"a":1}`, "body: want JSON"},
		{"HTML", "/Users/1", `{}`, `<html>`, `body: want JSON, got "<html>"`},
		{"filtered lists must be equal", "/Users?filter=x", list, strings.Replace(list, `"totalResults":2`, `"totalResults":3`, 1), "body.totalResults"},
		{"other lists may contain other resources", "/Users", list, `{"totalResults":9,"itemsPerPage":2,"startIndex":1,"Resources":[{"id":"b"},{"id":"c"}]}`, ""},
		{"a resource of this conversation must be equal", "/Users", list, strings.Replace(list, `"x"`, `"y"`, 1), "body.Resources[0].userName"},
		{"unless the expected list does not contain it", "/Users", list, strings.Replace(list, `"a"`, `"m"`, 1), ""},
		{"another resource may have other members", "/Users", strings.Replace(list, `"a"`, `"b"`, 1), strings.Replace(list, `"a","userName"`, `"b","title"`, 1), ""},
		{"no resource has a password", "/Users", list, strings.Replace(list, `"a","userName"`, `"b","password"`, 1), "body.Resources[0]: has a password"},
		{"each ID once", "/Users", list, `{"totalResults":9,"itemsPerPage":2,"startIndex":1,"Resources":[{"id":"b"},{"id":"b"}]}`, "body.Resources[1]: b is in the list a second time"},
		{"also on several pages", "/Users", list, strings.Replace(list, `"a"`, `"before"`, 1), "body.Resources[0]: before is in the list a second time"},
		{"as many as count", "/Users?count=1", list, list, ""},
		{"more than count", "/Users?count=1", list, `{"totalResults":9,"itemsPerPage":2,"startIndex":1,"Resources":[{"id":"b"},{"id":"c"}]}`, "body.Resources: 2 resources, but count is 1"},
		{"a negative count means 0", "/Users?count=-1", list, list, "body.Resources: 1 resources"},
		{"an empty page for count 0", "/Users?count=0", list, empty, ""},
		{"an empty page after the last resource", "/Users?startIndex=3", list, empty, ""},
		{"no empty page before", "/Users?startIndex=2", list, empty, "body.Resources: empty at startIndex 2"},
		{"no empty page at the start", "/Users?startIndex=0", list, empty, "body.Resources: empty at startIndex 0"},
		{"startIndex of a list", "/Users", list, strings.Replace(list, `"startIndex":1`, `"startIndex":2`, 1), "body.startIndex"},
		{"paging numbers are integers", "/Users", list, strings.Replace(list, `:2`, `:"2"`, 1), "body: totalResults"},
		{"itemsPerPage is the number of resources", "/Users", list, strings.Replace(list, `"itemsPerPage":1`, `"itemsPerPage":2`, 1), "body: totalResults"},
		{"totalResults is at least itemsPerPage", "/Users", list, strings.Replace(list, `:2`, `:0`, 1), "body: totalResults"},
		{"resources have IDs", "/Users", list, strings.Replace(list, `"id":"a"`, `"id":""`, 1), "body.Resources[0]: has no id"},
		{"Resources is an array", "/Users", list, strings.Replace(list, `[{"id":"a","userName":"x"}]`, `null`, 1), "body.Resources: want an array"},
		{"discovery may contain more", "/Schemas", list, strings.Replace(list, `"itemsPerPage":1`, `"itemsPerPage":2`, 1)[:len(list)-2] + `,{"id":"b"}]}`, ""},
		{"discovery contains the expected resources", "/Schemas", list, strings.Replace(list, `"a"`, `"b"`, 1), `body.Resources: "a" is missing`},
	} {
		at, query, _ := strings.Cut(c.at, "?")
		step := Step{Event: events.APIGatewayProxyRequest{HTTPMethod: "GET", Path: at}}
		step.Event.MultiValueQueryStringParameters, _ = url.ParseQuery(query)
		step.Want.Status, step.Want.Body = 200, json.RawMessage(c.want)
		response, listedIDs := Response{Status: 200, Body: []byte(c.got)}, map[string]bool{"before": true}
		got := strings.Join(compareResponse(step, response, ownIDs, listedIDs), "\n")
		if (c.differ == "") != (got == "") || !strings.HasPrefix(got, c.differ) {
			t.Errorf("%s: difference %q, want %q", c.rule, got, c.differ)
		}
	}
}

func TestCompareHeaders(t *testing.T) {
	t.Parallel()
	step := Step{Want: Expectation{Status: 204, Headers: map[string]string{
		"Location": "https://a/prod/Users/1", "ETag": `W/"1"`, "Content-Type": "application/scim+json"}}}
	header := http.Header{}
	header.Set("Location", "http://b/Users/1")
	header.Set("ETag", `W/"7"`)
	header.Set("Content-Type", "application/scim+json")
	if diff := compareResponse(step, Response{Status: 204, Header: header}, nil, nil); diff != nil {
		t.Errorf("differences %q, want none", diff)
	}
	header.Set("Location", "/Users/1")
	header.Set("ETag", "7")
	if diff := compareResponse(step, Response{Status: 204, Header: header}, nil, nil); len(diff) != 2 {
		t.Errorf("differences %q, want one for a relative Location and one for an invalid ETag", diff)
	}
	header.Set("Content-Type", "application/json")
	header.Set("Location", "http://b/Users/2")
	header.Del("ETag")
	if diff := compareResponse(step, Response{Status: 204, Header: header}, nil, nil); len(diff) != 3 || !strings.HasPrefix(diff[0], "Content-Type") {
		t.Errorf("differences %q, want one for each of three headers", diff)
	}
}
