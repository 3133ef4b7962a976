package patch

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
)

// Twice the input is twice the work, counted in allocations, not its square. (The test is not parallel: it counts.)
func TestWorkIsLinearInTheInput(t *testing.T) {
	rt := scim.StandardTypes().ByName("User")
	repeat := func(n int, format, sep string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = fmt.Sprintf(format, i)
		}
		return strings.Join(parts, sep)
	}
	fail := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for what, work := range map[string]func(n int) func(){
		"a filter": func(n int) func() {
			text := repeat(n, `title eq "%d"`, " or ")
			return func() { _, err := filter.Parse(text); fail(err) }
		},
		"a body": func(n int) func() {
			body := []byte(`{"userName":"u","emails":[` + repeat(n, `{"value":"%d@x"}`, ",") + `],` + repeat(n, `"x%d":[1]`, ",") + `}`)
			return func() { _, err := rt.Decode(body); fail(err) }
		},
		"a filter that is matched": func(n int) func() {
			o, err := rt.Decode([]byte(`{"userName":"u","emails":[` + repeat(n, `{"value":"%d@x"}`, ",") + `]}`))
			fail(err)
			match, err := rt.Matcher(&filter.Compare{Attr: filter.Attr{Name: "emails"}, Op: filter.EQ, Value: "ä"})
			fail(err)
			return func() { match(o) }
		},
		"operations": func(n int) func() {
			ops, err := Decode([]byte(`{"Operations":[` + repeat(n, `{"op":"add","value":{"title":"%d"}}`, ",") + `]}`))
			fail(err)
			return func() { _, err := Apply(context.Background(), rt, scim.Object{"userName": "u"}, ops); fail(err) }
		},
		"values of an operation": func(n int) func() {
			ops, err := Decode([]byte(`{"Operations":[{"op":"add","path":"emails","value":[` + repeat(n, `{"value":"%d@x"}`, ",") + `]}]}`))
			fail(err)
			return func() { _, err := Apply(context.Background(), rt, scim.Object{"userName": "u"}, ops); fail(err) }
		},
	} {
		once, twice := testing.AllocsPerRun(5, work(100)), testing.AllocsPerRun(5, work(200))
		if twice > 2.3*once+10 {
			t.Errorf("%s: %v allocations for 100, %v for 200", what, once, twice)
		}
	}
}
