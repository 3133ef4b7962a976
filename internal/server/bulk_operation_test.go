package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// An operation that fails because of the server has an error in its result. The other operations run.
func TestBulkReportsServerErrorsPerOperation(t *testing.T) {
	t.Parallel()
	for want, fault := range map[string]error{"429": &table.TransientError{Err: errors.New("throttled")}, "500": errors.New("a corrupt item")} {
		c := newClient(t)
		c.config.Directory.Store.Table = tabletest.Faults{Table: c.config.Directory.Store.Table, Before: func(call tabletest.Call) error {
			keys := fmt.Sprint(call.Keys)
			if call.Method == "Write" && (strings.Contains(keys, "#bad") || !strings.Contains(keys, "Name#") && !strings.Contains(keys, "unfinished")) { // also the PATCH that completes a cycle
				return fault
			}
			return nil
		}}
		c.handler = New(c.config)
		dependent := strings.Replace(want, "500", "409", 1) // a dependent of a transient failure is transient, too
		resp := c.sendBulk("", postUser("a"), postUser("bad"), postGroup("g", "bad"), postGroup("x", "y"), postGroup("y", "x"), postUser("z"))
		if got := resultStatuses(resp); got != strings.Join([]string{"201", want, dependent, dependent, dependent, "201"}, ", ") {
			t.Errorf("%s: the statuses are %s", want, got)
		}
		if got := listedNames(c.do("GET", "/", "")); got != "a z" {
			t.Errorf("%s: the remaining resources are %s, want a z", want, got)
		}
		if strings.Contains(c.log.String(), "a corrupt item") != (want == "500") {
			t.Errorf("%s: the log must contain the cause of a 500, and only of a 500", want)
		}
	}
	c := newClient(t, func(c *Config) { c.Directory.Store.Random = panicReader{} })
	if resp := c.sendBulk("", postUser("a"), `{"method":"DELETE","path":"/Users/x"}`); resultStatuses(resp) != "500, 404" {
		t.Errorf("a panic must only fail its operation: %s", resp.text)
	}
}

type panicReader struct{}

func (panicReader) Read([]byte) (int, error) { panic("a fault") }

// An adjustableDeadline is a context whose deadline is close if near is true.
type adjustableDeadline struct {
	context.Context
	near atomic.Bool
}

func (c *adjustableDeadline) Deadline() (time.Time, bool) {
	if c.near.Load() {
		return time.Now().Add(bulkDeadlineReserve / 2), true
	}
	return time.Now().Add(10 * bulkDeadlineReserve), true
}

// Close to the deadline, no operation starts. The response contains the results of those that have run.
func TestBulkStartsNoOperationNearDeadline(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	ctx := &adjustableDeadline{Context: t.Context()}
	c.config.Directory.Store.Table = tabletest.Faults{Table: c.config.Directory.Store.Table, After: func(call tabletest.Call) error {
		if strings.Contains(fmt.Sprint(call.Keys), "#last") {
			ctx.near.Store(true)
		}
		return nil
	}}
	c.handler = New(c.config)
	for _, x := range []struct{ before, want string }{{"", "201, 201, 429, 429, 400 invalidSyntax"}, {`"failOnErrors":1,`, "201, 201, 429"}} {
		ctx.near.Store(false)
		body := bulkMessage(x.before, postUser("a"), postUser("last"), postUser("c"), postGroup("d", "a"), `7`)
		r := httptest.NewRequestWithContext(ctx, "POST", "/v2/Bulk", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+c.secret)
		resp := c.checkResults(c.send(r))
		if got := resultStatuses(resp); got != x.want {
			t.Errorf("%s: the statuses are %s, want %s", x.before, got, x.want)
		}
		ctx.near.Store(false)
		for i, name := range []string{"a", "last"} {
			u := c.getResult(resp, i)
			if u.value("userName") != name {
				t.Errorf("an operation with status 201 created no resource: %s", u.text)
			}
			c.expect(c.do("DELETE", "/Users/"+u.value("id").(string), ""), 204)
		}
		if n := c.do("GET", "/?count=0", "").value("totalResults"); n != json.Number("0") {
			t.Errorf("an operation with status 429 has started: %v resources", n)
		}
	}
}

// repeatableBytes is a source of randomness that returns the same bytes in each run.
type repeatableBytes struct {
	mu sync.Mutex
	n  byte
}

func (c *repeatableBytes) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return copy(p, slices.Repeat([]byte{c.n}, len(p))), nil
}

// newDeterministicClient returns a client of a server whose IDs and times are the same in each run.
func newDeterministicClient(t *testing.T) *client {
	return newClient(t, func(c *Config) {
		c.Directory.Store.Random = &repeatableBytes{}
		c.Directory.Store.Now = func() time.Time { return time.Unix(1e9, 0) }
	})
}

// A job whose operations do not refer to each other has the same effect as the single requests in the same order.
func TestBulkEqualsSingleRequests(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		single, job := newDeterministicClient(t), newDeterministicClient(t)
		var users, groups []string
		for i := range 3 {
			name := fmt.Sprint("n", i)
			users = append(users, single.create("/Users", `{"userName":"`+name+`"}`))
			groups = append(groups, single.create("/Groups", `{"displayName":"`+name+`"}`))
			job.create("/Users", `{"userName":"`+name+`"}`)
			job.create("/Groups", `{"displayName":"`+name+`"}`)
		}
		var operations, want []string
		for i := range rapid.IntRange(1, 12).Draw(rt, "operations") {
			method, path, data, version := drawOperation(rt, users, groups)
			operations = append(operations, fmt.Sprintf(`{"method":%q,"path":%q,"bulkId":"%d","version":%q,"data":%s}`, method, path, i, version, data))
			header := []string{"If-Match", version}
			if version == "" {
				header = nil
			}
			resp := single.do(method, path, data, header...)
			want = append(want, fmt.Sprint(resp.status, resp.header.Get("ETag"), resp.value("detail")))
		}
		resp := job.sendBulk("", operations...)
		for i, w := range want {
			at := func(name string) any { return resp.value(fmt.Sprintf("Operations.%d.%s", i, name)) }
			version, _ := at("version").(string)
			if got := fmt.Sprint(at("status"), version, at("response.detail")); got != w {
				rt.Errorf("%s: as an operation %s, as a single request %s", operations[i], got, w)
			}
		}
		if afterJob, afterRequests := job.do("GET", "/", "").text, single.do("GET", "/", "").text; afterJob != afterRequests {
			rt.Errorf("after the job:\n%s\nafter the requests:\n%s", afterJob, afterRequests)
		}
	})
}

// drawOperation returns a random operation on one of the users or groups.
func drawOperation(rt *rapid.T, users, groups []string) (method, path, data, version string) {
	name := rapid.SampledFrom([]string{"n0", "n1", "n2", "n3", "N4", ""}).Draw(rt, "name")
	u, g := rapid.SampledFrom(users).Draw(rt, "user"), rapid.SampledFrom(groups).Draw(rt, "group")
	version = rapid.SampledFrom([]string{"", "", "", `W/"1"`, `W/"1.0"`, `W/"2"`, "*"}).Draw(rt, "version")
	members := fmt.Sprintf(`{"displayName":%q,"members":[{"value":%q},{"value":%q}]}`, name, u, g)
	x := rapid.SampledFrom([][3]string{
		{"POST", "/Users", `{"userName":"` + name + `"}`},
		{"POST", "/Groups", members},
		{"PUT", "/Users/" + u, `{"userName":"` + name + `","title":"x"}`},
		{"PUT", "/Groups/" + g, members},
		{"PATCH", "/Groups/" + g, `{"Operations":[{"op":"add","path":"members","value":[{"value":"` + u + `"}]}]}`},
		{"PATCH", "/Groups/" + g, `{"Operations":[{"op":"remove","path":"members[value eq \"` + u + `\"]"}]}`},
		{"PATCH", "/Users/" + u, `{"Operations":[{"op":"replace","value":{"title":"` + name + `"}},{"op":"boil"}]}`},
		{"PATCH", "/Users/" + u, `{"Operations":[{"op":"replace","value":{"title":"` + name + `"}}]}`},
		{"DELETE", "/Users/" + u, `null`},
		{"DELETE", "/Groups/" + g, `null`},
	}).Draw(rt, "operation")
	return x[0], x[1], x[2], version
}
