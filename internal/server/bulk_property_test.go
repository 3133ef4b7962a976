package server

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"serverless-scim/internal/scim"
)

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

// Whatever refers to whatever, forward, backward or in a circle, and in whatever order: each reference becomes an id.
func TestBulkReferencesInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		c := newClient(t)
		names := []string{"u0", "u1", "u2", "g0", "g1", "g2", "g3"}
		someOf := func(label string, of []string) []string {
			return rapid.SliceOfNDistinct(rapid.SampledFrom(of), 0, 3, rapid.ID).Draw(rt, label)
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
			first, later := someOf(name, names), someOf(name+" later", names)
			operations = append(operations, postGroup(name, first...),
				fmt.Sprintf(`{"method":"PATCH","path":"/Groups/bulkId:%s","data":{"Operations":[{"op":"add","path":"members","value":[%s]}]}}`,
					name, references(later...)))
			all := slices.DeleteFunc(slices.Concat(first, later), func(m string) bool { return m == name })
			slices.Sort(all)
			want[name] = strings.Join(slices.Compact(all), " ")
		}
		operations = rapid.Permutation(operations).Draw(rt, "order")
		a := c.bulk("", operations...)
		for i, r := range a.body["Operations"].([]any) {
			r := r.(scim.Object)
			if r["bulkId"] != nil && !strings.Contains(operations[i], fmt.Sprintf(`"bulkId":%q`, r["bulkId"])) {
				rt.Errorf("the results stand in the order of the operations: %d is %v", i, r)
			}
		}
		if got := c.references(); !maps.Equal(got, want) {
			rt.Errorf("the references are %v, want %v; %s", got, want, a.text)
		}
	})
}

// references is the manager of each user and the members of each group, by name.
func (c *client) references() map[string]string {
	c.Helper()
	all := c.want(c.do("GET", "/", ""), 200).body["Resources"].([]any)
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
		got[names[r["id"]]] = names[manager["value"]] + members(answer{body: r})
	}
	return got
}
