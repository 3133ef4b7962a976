package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/scim"
)

// A script is a test case in a file of testdata: requests and their expected responses. Each script runs on a server of
// its own. If the first script of a file has no title, it runs before each other script.
//
//	== title
//	>> PUT /Users/{ada}
//	> If-Match: {version}
//	{"userName": "ada"}
//	<< 200
//	< ETag: *
//	{"id": "{ada}", "title": null, "emails": [{"value": "*"}], "meta": {"version": "{new}"}}
//
// Spaces, quotes, and brackets of a path are encoded before the request is sent. {ada} is a variable. Its first use in
// an expected response sets it to the received value. In an expected response, * matches any value, and null matches a
// missing value. A received object may have more members than the expected one, a received array must have the same
// elements.
type script struct {
	title string
	steps []*step
}

// A step is a request and the expected response.
type step struct {
	method, path, body string
	header             [][2]string
	status, scimType   string
	wantHeader         [][2]string
	wantBody           string
}

// readScripts returns the scripts of a file of testdata.
func readScripts(t *testing.T, file string) []*script {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var all []*script
	var s *step
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		marker, rest, _ := strings.Cut(line, " ")
		name, value, _ := strings.Cut(rest, ": ")
		switch {
		case marker == "#" || line == "":
		case marker == "==":
			all = append(all, &script{title: rest})
		case marker == ">>":
			s = &step{}
			s.method, s.path, _ = strings.Cut(rest, " ")
			last := all[len(all)-1]
			last.steps = append(last.steps, s)
		case marker == "<<":
			s.status, s.scimType, _ = strings.Cut(rest, " ")
		case marker == ">":
			s.header = append(s.header, [2]string{name, value})
		case marker == "<":
			s.wantHeader = append(s.wantHeader, [2]string{name, value})
		case s.status == "":
			s.body += line + "\n"
		default:
			s.wantBody += line + "\n"
		}
	}
	return all
}

// runScripts runs the scripts of a file as subtests, with initial values of variables. change functions modify the
// configuration of the servers.
func runScripts(t *testing.T, file string, variables map[string]string, change ...func(*Config)) {
	t.Helper()
	all := readScripts(t, file)
	var setup []*step
	if all[0].title == "" {
		setup, all = all[0].steps, all[1:]
	}
	for _, s := range all {
		t.Run(s.title, func(t *testing.T) {
			t.Parallel()
			r := scriptRunner{newClient(t, change...), map[string]string{}}
			maps.Copy(r.variables, variables)
			for _, s := range setup {
				r.run(s)
			}
			for _, s := range s.steps {
				r.run(s)
			}
		})
	}
}

// A scriptRunner runs steps. variables holds the values of variables by name.
type scriptRunner struct {
	*client
	variables map[string]string
}

// run sends the request of a step and compares the response.
func (r scriptRunner) run(s *step) {
	r.Helper()
	var header []string
	for _, h := range s.header {
		header = append(header, h[0], r.expand(h[1]))
	}
	path := strings.NewReplacer(" ", "%20", `"`, "%22", `\`, "%5C", "[", "%5B", "]", "%5D").Replace(r.expand(s.path))
	resp := r.do(s.method, path, r.expandJSON(s.body), header...)
	where := s.method + " " + s.path + " " + strings.TrimSpace(s.body)
	typ, _ := resp.body["scimType"].(string)
	if fmt.Sprint(resp.status) != s.status || s.scimType != "" && typ != s.scimType {
		r.Fatalf("%s\ngot %d %s, want %s %s", where, resp.status, resp.text, s.status, s.scimType)
	}
	if s.wantBody != "" {
		want, err := scim.ParseObject([]byte(r.expandJSON(s.wantBody)))
		if err == nil {
			err = r.compare(want, resp.body)
		}
		if err != nil {
			r.Fatalf("%s\n%v in the response %s", where, err, resp.text)
		}
	}
	for _, h := range s.wantHeader {
		if err := r.compare(h[1], resp.header.Get(h[0])); err != nil {
			r.Errorf("%s\n%s: %v", where, h[0], err)
		}
	}
}

var placeholder = regexp.MustCompile(`\{[a-zA-Z]\w*\}`)

// expand replaces variables with their values. It leaves a variable without a value unchanged.
func (r scriptRunner) expand(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(name string) string {
		if v, ok := r.variables[strings.Trim(name, "{}")]; ok {
			return v
		}
		return name
	})
}

// expandJSON replaces variables in JSON text, and escapes their values.
func (r scriptRunner) expandJSON(text string) string {
	return placeholder.ReplaceAllStringFunc(strings.TrimSpace(text), func(name string) string {
		quoted, _ := json.Marshal(r.expand(name)) // cannot fail for a string
		return string(quoted[1 : len(quoted)-1])
	})
}

// compare returns an error that names the first difference. It sets the variables in want that have no value yet.
func (r scriptRunner) compare(want, got any) error {
	switch want := want.(type) {
	case nil:
		if got != nil {
			return fmt.Errorf("got %v, want no value", got)
		}
		return nil
	case string:
		text, isText := got.(string)
		want = r.expand(want)
		if name := placeholder.FindString(want); name != "" && name == want && text != "" {
			r.variables[strings.Trim(name, "{}")] = text
			return nil
		}
		if want == "*" && got != nil && got != "" || isText && text == want {
			return nil
		}
	case scim.Object:
		o, _ := got.(scim.Object)
		for _, name := range slices.Sorted(maps.Keys(want)) { // in order, because id sets a variable that meta.location uses
			if err := r.compare(want[name], o[name]); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		if o != nil {
			return nil
		}
	case []any:
		list, ok := got.([]any)
		for i := range min(len(want), len(list)) {
			if err := r.compare(want[i], list[i]); err != nil {
				return fmt.Errorf("%d: %w", i, err)
			}
		}
		if ok && len(list) == len(want) {
			return nil
		}
	default:
		if want == got {
			return nil
		}
	}
	return fmt.Errorf("got %v, want %v", got, want)
}

// The examples of RFC 7644 get the responses that the RFC shows, except for IDs, versions, and times.
func TestExamplesOfRFC7644(t *testing.T) {
	t.Parallel()
	runScripts(t, "rfc7644.txt", nil, func(c *Config) { c.BaseURL = "https://example.com/v2" })
}
