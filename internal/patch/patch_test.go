package patch

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"serverless-scim/internal/leniency"
	"serverless-scim/internal/scim"
)

var types = scim.StandardTypes()

func decodeResource(t testing.TB, rt *scim.ResourceType, text string) scim.Object {
	t.Helper()
	o, err := rt.Decode([]byte(text), nil)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return o
}

func decodeOperations(t testing.TB, operations string) []Operation {
	t.Helper()
	ops, err := Decode([]byte(`{"schemas": ["`+PatchOpSchema+`"], "Operations": `+operations+`}`), nil)
	if err != nil {
		t.Fatalf("%s: %v", operations, err)
	}
	return ops
}

func text(v any) string {
	b, _ := json.MarshalIndent(v, "", " ")
	return string(b)
}

// Each file of testdata is a list of sections. A section "before" is a resource, which applies until the next one. A
// section "patch" has operations, and the section after it has the expected result: a resource ("after"), "unchanged",
// or an "error" with its status and type. Applying the operations again must change nothing, unless the section says
// "once".
func TestApplyFollowsRFC7644(t *testing.T) {
	t.Parallel()
	extra, err := scim.Load(os.DirFS("testdata/types"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("cannot find test cases: %v", err)
	}
	for _, file := range files {
		var before, patch, title string
		var rt *scim.ResourceType
		for _, s := range readSections(t, file) {
			keyword, argument, _ := strings.Cut(s.name, " ")
			switch keyword {
			case "before":
				if rt, before = types.ByName(argument), s.body; rt == nil {
					rt = extra.ByName(argument)
				}
			case "patch:":
				title, patch = argument, s.body
			default:
				c := testCase{rt: rt, before: before, patch: patch, want: keyword, argument: argument, after: s.body}
				t.Run(filepath.Base(file)+"/"+title, c.run)
			}
		}
	}
}

type section struct{ name, body string }

func readSections(t *testing.T, file string) (list []section) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "-- "); ok {
			list = append(list, section{name: strings.TrimSuffix(name, " --")})
		} else if len(list) > 0 {
			list[len(list)-1].body += line
		}
	}
	return list
}

type testCase struct {
	rt                                   *scim.ResourceType
	before, patch, want, argument, after string
}

func (c testCase) run(t *testing.T) {
	t.Parallel()
	before, ops := decodeResource(t, c.rt, c.before), decodeOperations(t, c.patch)
	got, err := Apply(context.Background(), c.rt, before, ops)
	if !scim.Equal(before, decodeResource(t, c.rt, c.before)) {
		t.Errorf("Apply modified its argument: %s", text(before))
	}
	if c.want == "error:" {
		var e *scim.Error
		if !errors.As(err, &e) || strconv.Itoa(e.Status)+" "+e.Type != c.argument || got != nil {
			t.Fatalf("got %s, %v; want %s", text(got), err, c.argument)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	want := before
	if c.want != "unchanged" {
		want = decodeResource(t, c.rt, c.after)
	}
	if !scim.Equal(got, want) {
		t.Fatalf("got %s\nwant %s", text(got), text(want))
	}
	if c.argument != "once" {
		if again, err := Apply(context.Background(), c.rt, got, ops); err != nil || !scim.Equal(again, want) {
			t.Fatalf("applied again: %s, %v\nwant no change", text(again), err)
		}
	}
}

// In the profile interop, a replace of a complex attribute keeps only immutable sub-attributes that the value omits.
func TestProfileInteropReplacesTheWholeComplexValue(t *testing.T) {
	t.Parallel()
	types, err := scim.Load(os.DirFS("testdata/types"))
	if err != nil {
		t.Fatal(err)
	}
	rt := types.ByName("Thing")
	resource := func(owner string) scim.Object {
		return decodeResource(t, rt, `{"tags": ["t"], "urn:example:more:2.0:Thing": {"grade": "A"}, "owner": `+owner+`}`)
	}
	l := &leniency.Set{}
	l.UseInterop()
	for operation, want := range map[string]string{
		`{"op": "replace", "path": "owner", "value": {"names": ["b"]}}`: `{"value": "v", "names": ["b"]}`,
		`{"op": "replace", "path": "owner", "value": {}}`:               `{"value": "v"}`,
		`{"op": "add", "path": "owner", "value": {}}`:                   `{"value": "v", "names": ["a"]}`,
	} {
		ops, err := Decode([]byte(`{"schemas": ["`+PatchOpSchema+`"], "Operations": [`+operation+`]}`), l)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Apply(t.Context(), rt, resource(`{"value": "v", "names": ["a"]}`), ops)
		if err != nil || !scim.Equal(got, resource(want)) {
			t.Errorf("%s: got %s %v, want %s", operation, text(got), err, want)
		}
	}
}
