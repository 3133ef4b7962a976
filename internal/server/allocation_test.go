package server

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"serverless-scim/internal/query"
)

// allocationRuns is the number of requests of which TestAllocations takes the mean.
const allocationRuns = 10

// No kind of request allocates more objects than here, in the server and in the embedded table. Their number says more
// about the cost of a request than a time does, which depends on the machine. The limits leave some to the race detector,
// which makes a sync.Pool forget. If a change makes a number smaller, lower its limit.
//
// The test is not parallel, because it counts the allocations of the whole process.
func TestAllocations(t *testing.T) {
	c := newClient(t, func(c *Config) {
		c.Directory.Store.Embedded = true
		c.Directory.Query.Cache = &query.Cache{}
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	})
	users := make([]string, 1+3*(allocationRuns+1))
	for i := range users {
		users[i] = c.create("/Users", userOfOkta(i, ""))
	}
	members := make([]string, allocationRuns+1) // one push of 100 users for each run
	for i := range members {
		var values []string
		for k := range 100 {
			id := c.create("/Users", fmt.Sprintf(`{"schemas":["%s"],"userName":"member%d"}`, userSchema, 100*i+k))
			values = append(values, `{"value":"`+id+`"}`)
		}
		members[i] = strings.Join(values, ",")
	}
	group := c.create("/Groups", `{"schemas":["`+groupSchema+`"],"displayName":"Everyone","members":[]}`)
	patch := func(operation string) string {
		return `{` + patchSchemas + `,"Operations":[` + operation + `]}`
	}
	for _, o := range []struct {
		name  string
		limit float64
		build func(run int) (method, path, body string)
	}{
		{"get", 95, func(run int) (string, string, string) { return "GET", "/Users/" + users[run], "" }},
		{"probe", 230, func(run int) (string, string, string) {
			return "GET", "/Users?filter=userName%20eq%20%22" + nameOfOkta(run) + "%22&startIndex=1&count=100", ""
		}},
		{"create", 480, func(run int) (string, string, string) { return "POST", "/Users", userOfOkta(1000+run, "") }},
		{"patch", 365, func(run int) (string, string, string) {
			return "PATCH", "/Users/" + users[run], patch(`{"op":"replace","value":{"active":false}}`)
		}},
		{"put", 400, func(run int) (string, string, string) {
			return "PUT", "/Users/" + users[run], userOfOkta(run, `"title":"Engineer",`)
		}},
		{"push of 100", 10_000, func(run int) (string, string, string) {
			return "PATCH", "/Groups/" + group, patch(`{"op":"add","path":"members","value":[` + members[run] + `]}`)
		}},
		{"page of 100", 3000, func(run int) (string, string, string) {
			return "GET", fmt.Sprintf("/Users?startIndex=%d&count=100", 100*run+1), ""
		}},
		{"delete", 380, func(run int) (string, string, string) { return "DELETE", "/Users/" + users[run], "" }},
	} {
		if n := c.countAllocations(o.build); n > o.limit {
			t.Errorf("%s: %.0f allocations, more than the limit of %.0f", o.name, n, o.limit)
		} else {
			t.Logf("%s: %.0f allocations, limit %.0f", o.name, n, o.limit)
		}
	}
}

func nameOfOkta(i int) string { return fmt.Sprintf("u%06d@example.com", i) }

// userOfOkta returns a user as Okta sends it, with more members of the object.
func userOfOkta(i int, more string) string {
	return fmt.Sprintf(`{"schemas":["%s"],"userName":"%s",%s"name":{"givenName":"Given","familyName":"Family"},`+
		`"emails":[{"primary":true,"value":"%[2]s","type":"work"}],"displayName":"Given Family","locale":"en-US",`+
		`"externalId":"00u%[4]d","groups":[],"password":"gl^m&qWZ","active":true}`, userSchema, nameOfOkta(i), more, i)
}

// countAllocations returns the number of objects that the server allocates for a request. It does not count the request
// itself. Run 0 is only there to fill caches.
func (c *client) countAllocations(build func(run int) (method, path, body string)) float64 {
	c.Helper()
	requests, responses := make([]*http.Request, allocationRuns+1), make([]*httptest.ResponseRecorder, allocationRuns+1)
	for i := range requests {
		method, path, body := build(i)
		requests[i], responses[i] = httptest.NewRequest(method, "/v2"+path, strings.NewReader(body)), httptest.NewRecorder()
		requests[i].Header.Set("Authorization", "Bearer "+c.secret)
		requests[i].Header.Set("Content-Type", "application/scim+json")
	}
	run := 0
	n := testing.AllocsPerRun(allocationRuns, func() {
		c.handler.ServeHTTP(responses[run], requests[run])
		run++
	})
	for _, resp := range responses {
		if resp.Code >= 300 {
			c.Errorf("%d: %s", resp.Code, resp.Body)
		}
	}
	return n
}
