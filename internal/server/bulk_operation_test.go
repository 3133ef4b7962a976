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

// What fails for a reason that is not the operation's own is told there; the rest goes on.
func TestBulkSurvivesFaults(t *testing.T) {
	t.Parallel()
	for want, fault := range map[string]error{"429": &table.TransientError{Err: errors.New("throttled")}, "500": errors.New("a damaged item")} {
		c := newClient(t)
		c.config.Directory.Table = tabletest.Faults{Table: c.config.Directory.Table, Before: func(call tabletest.Call) error {
			keys := fmt.Sprint(call.Keys)
			if call.Method == "Write" && (strings.Contains(keys, "#bad") || !strings.Contains(keys, "Name#")) { // or it completes
				return fault
			}
			return nil
		}}
		c.handler = New(c.config)
		waiting := strings.Replace(want, "500", "409", 1) // what waits for one that will pass will pass, too
		a := c.bulk("", postUser("a"), postUser("bad"), postGroup("g", "bad"), postGroup("x", "y"), postGroup("y", "x"), postUser("z"))
		if got := statuses(a); got != strings.Join([]string{"201", want, waiting, waiting, waiting, "201"}, ", ") {
			t.Errorf("%s: the statuses are %s", want, got)
		}
		if got := names(c.do("GET", "/", "")); got != "a z" {
			t.Errorf("%s: what failed leaves nothing, not %s", want, got)
		}
		if strings.Contains(c.log.String(), "a damaged item") != (want == "500") {
			t.Errorf("the log has the cause of a 500, not of a %s", want)
		}
	}
	c := newClient(t, func(c *Config) { c.Directory.Random = errorReader{} })
	if a := c.bulk("", postUser("a"), `{"method":"DELETE","path":"/Users/x"}`); statuses(a) != "500, 404" {
		t.Errorf("a panic is an error of its operation: %s", a.text)
	}
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { panic("a fault") }

// closing is a context whose deadline moves near when told.
type closing struct {
	context.Context
	near atomic.Bool
}

func (c *closing) Deadline() (time.Time, bool) {
	if c.near.Load() {
		return time.Now().Add(bulkDeadlineReserve / 2), true
	}
	return time.Now().Add(10 * bulkDeadlineReserve), true
}

// Near the deadline nothing is begun any more, and what was done is told.
func TestBulkStopsInTime(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	ctx := &closing{Context: t.Context()}
	c.config.Directory.Table = tabletest.Faults{Table: c.config.Directory.Table, After: func(call tabletest.Call) error {
		if strings.Contains(fmt.Sprint(call.Keys), "#last") {
			ctx.near.Store(true)
		}
		return nil
	}}
	c.handler = New(c.config)
	for _, x := range []struct{ before, want string }{{"", "201, 201, 429, 429, 400 invalidSyntax"}, {`"failOnErrors":1,`, "201, 201, 429"}} {
		ctx.near.Store(false)
		body := bulkOf(x.before, postUser("a"), postUser("last"), postUser("c"), postGroup("d", "a"), `7`)
		r := httptest.NewRequestWithContext(ctx, "POST", "/v2/Bulk", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+c.secret)
		a := c.results(c.send(r))
		if got := statuses(a); got != x.want {
			t.Errorf("%s: the statuses are %s, want %s", x.before, got, x.want)
		}
		ctx.near.Store(false)
		for i, name := range []string{"a", "last"} {
			u := c.get(a, i)
			if u.at("userName") != name {
				t.Errorf("what is told as done is done: %s", u.text)
			}
			c.want(c.do("DELETE", "/Users/"+u.at("id").(string), ""), 204)
		}
		if n := c.do("GET", "/?count=0", "").at("totalResults"); n != json.Number("0") {
			t.Errorf("what is 429 was not begun: %v resources", n)
		}
	}
}

// counting is randomness that is the same in each run.
type counting struct {
	mu sync.Mutex
	n  byte
}

func (c *counting) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return copy(p, slices.Repeat([]byte{c.n}, len(p))), nil
}

// newTwin is a client of a server that does the same as every other of its kind.
func newTwin(t *testing.T) *client {
	return newClient(t, func(c *Config) {
		c.Directory.Random = &counting{}
		c.Directory.Now = func() time.Time { return time.Unix(1e9, 0) }
	})
}

// A job of operations that do not refer to each other does what the single requests do, in the same order.
func TestABulkJobIsItsSingleRequests(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		single, job := newTwin(t), newTwin(t)
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
			a := single.do(method, path, data, header...)
			want = append(want, fmt.Sprint(a.status, a.header.Get("ETag"), a.at("detail")))
		}
		a := job.bulk("", operations...)
		for i, w := range want {
			at := func(name string) any { return a.at(fmt.Sprintf("Operations.%d.%s", i, name)) }
			version, _ := at("version").(string)
			if got := fmt.Sprint(at("status"), version, at("response.detail")); got != w {
				rt.Errorf("%s: as an operation %s, alone %s", operations[i], got, w)
			}
		}
		if one, other := job.do("GET", "/", "").text, single.do("GET", "/", "").text; one != other {
			rt.Errorf("after the job:\n%s\nafter the requests:\n%s", one, other)
		}
	})
}

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
