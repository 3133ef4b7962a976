package patch

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
)

// The test counts allocations: twice the input may take about twice as many. It is not parallel, because AllocsPerRun
// counts the allocations of the whole process.
func TestWorkIsLinearInInput(t *testing.T) {
	rt := scim.StandardTypes().ByName("User")
	repeat := func(n int, format, sep string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = fmt.Sprintf(format, i)
		}
		return strings.Join(parts, sep)
	}
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, work := range map[string]func(n int) func(){
		"parsing a filter": func(n int) func() {
			text := repeat(n, `title eq "%d"`, " or ")
			return func() { _, err := filter.Parse(text, nil); check(err) }
		},
		"decoding a body": func(n int) func() {
			body := []byte(`{"userName":"u","emails":[` + repeat(n, `{"value":"%d@x"}`, ",") + `],` + repeat(n, `"x%d":[1]`, ",") + `}`)
			return func() { _, err := rt.Decode(body, nil); check(err) }
		},
		"matching a filter": func(n int) func() {
			o, err := rt.Decode([]byte(`{"userName":"u","emails":[`+repeat(n, `{"value":"%d@x"}`, ",")+`]}`), nil)
			check(err)
			match, err := rt.Matcher(&filter.Compare{Attr: filter.Attr{Name: "emails"}, Op: filter.EQ, Value: "ä"})
			check(err)
			return func() { match(nil, o) }
		},
		"applying operations": func(n int) func() {
			ops, err := Decode([]byte(`{"Operations":[`+repeat(n, `{"op":"add","value":{"title":"%d"}}`, ",")+`]}`), nil)
			check(err)
			return func() { _, err := Apply(context.Background(), rt, scim.Object{"userName": "u"}, ops); check(err) }
		},
		"applying an operation with many values": func(n int) func() {
			ops, err := Decode([]byte(`{"Operations":[{"op":"add","path":"emails","value":[`+repeat(n, `{"value":"%d@x"}`, ",")+`]}]}`), nil)
			check(err)
			return func() { _, err := Apply(context.Background(), rt, scim.Object{"userName": "u"}, ops); check(err) }
		},
	} {
		once, twice := testing.AllocsPerRun(5, work(100)), testing.AllocsPerRun(5, work(200))
		if twice > 2.3*once+10 {
			t.Errorf("%s: %v allocations for 100, %v for 200", name, once, twice)
		}
	}
}
