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

// A script is a conversation in a file of testdata: cases, each on a server of its own, of requests and the answers
// they must get. The first case, without a title, stands before each of the others.
//
//	== what the case shows
//	>> PUT /Users/{ada}
//	> If-Match: {version}
//	{"userName": "ada"}
//	<< 200
//	< ETag: *
//	{"id": "{ada}", "title": null, "emails": [{"value": "*"}], "meta": {"version": "{new}"}}
//
// Spaces and quotes of a path are encoded on the way. {ada} stands for a value that an earlier answer had; the first
// time it stands in an answer, it takes the value that is there. In an answer * is any value and null is none; objects
// hold at least what is printed, arrays exactly.
type script struct {
	title string
	steps []*step
}

type step struct {
	method, path, body string
	header             [][2]string
	status, scimType   string
	wantHeader         [][2]string
	want               string
}

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
		mark, rest, _ := strings.Cut(line, " ")
		name, value, _ := strings.Cut(rest, ": ")
		switch {
		case mark == "#" || line == "":
		case mark == "==":
			all = append(all, &script{title: rest})
		case mark == ">>":
			s = &step{}
			s.method, s.path, _ = strings.Cut(rest, " ")
			last := all[len(all)-1]
			last.steps = append(last.steps, s)
		case mark == "<<":
			s.status, s.scimType, _ = strings.Cut(rest, " ")
		case mark == ">":
			s.header = append(s.header, [2]string{name, value})
		case mark == "<":
			s.wantHeader = append(s.wantHeader, [2]string{name, value})
		case s.status == "":
			s.body += line + "\n"
		default:
			s.want += line + "\n"
		}
	}
	return all
}

// play plays the cases of a file. Variables, by name, stand for words of the script that differ between plays.
func play(t *testing.T, file string, variables map[string]string, change ...func(*Config)) {
	t.Helper()
	all := readScripts(t, file)
	before := []*step(nil)
	if all[0].title == "" {
		before, all = all[0].steps, all[1:]
	}
	for _, s := range all {
		t.Run(s.title, func(t *testing.T) {
			t.Parallel()
			p := player{newClient(t, change...), map[string]string{}}
			maps.Copy(p.known, variables)
			for _, s := range before {
				p.play(s)
			}
			for _, s := range s.steps {
				p.play(s)
			}
		})
	}
}

// player is a client and the values that it knows by name.
type player struct {
	*client
	known map[string]string
}

func (p player) play(s *step) {
	p.Helper()
	var header []string
	for _, h := range s.header {
		header = append(header, h[0], p.fill(h[1]))
	}
	path := strings.NewReplacer(" ", "%20", `"`, "%22", `\`, "%5C", "[", "%5B", "]", "%5D").Replace(p.fill(s.path))
	a := p.do(s.method, path, p.fillJSON(s.body), header...)
	where := s.method + " " + s.path + " " + strings.TrimSpace(s.body)
	typ, _ := a.body["scimType"].(string)
	if fmt.Sprint(a.status) != s.status || s.scimType != "" && typ != s.scimType {
		p.Fatalf("%s\ngot %d %s, want %s %s", where, a.status, a.text, s.status, s.scimType)
	}
	if s.want != "" {
		want, err := scim.ParseObject([]byte(p.fillJSON(s.want)))
		if err == nil {
			err = p.compare(want, a.body)
		}
		if err != nil {
			p.Fatalf("%s\n%v in the answer %s", where, err, a.text)
		}
	}
	for _, h := range s.wantHeader {
		if err := p.compare(h[1], a.header.Get(h[0])); err != nil {
			p.Errorf("%s\n%s: %v", where, h[0], err)
		}
	}
}

var placeholder = regexp.MustCompile(`\{[a-zA-Z]\w*\}`)

// fill puts what is known in the place of names.
func (p player) fill(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(name string) string {
		if v, ok := p.known[strings.Trim(name, "{}")]; ok {
			return v
		}
		return name
	})
}

// fillJSON is fill where quotes must be escaped.
func (p player) fillJSON(text string) string {
	return placeholder.ReplaceAllStringFunc(strings.TrimSpace(text), func(name string) string {
		quoted, _ := json.Marshal(p.fill(name)) // a string, which cannot fail
		return string(quoted[1 : len(quoted)-1])
	})
}

// compare tells where an answer is not what is wanted.
func (p player) compare(want, got any) error {
	switch want := want.(type) {
	case nil:
		if got != nil {
			return fmt.Errorf("there is %v", got)
		}
		return nil
	case string:
		text, isText := got.(string)
		want = p.fill(want)
		if name := placeholder.FindString(want); name != "" && name == want && text != "" {
			p.known[strings.Trim(name, "{}")] = text
			return nil
		}
		if want == "*" && got != nil && got != "" || isText && text == want {
			return nil
		}
	case scim.Object:
		o, _ := got.(scim.Object)
		for _, name := range slices.Sorted(maps.Keys(want)) { // id before meta.location
			if err := p.compare(want[name], o[name]); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		if o != nil {
			return nil
		}
	case []any:
		list, ok := got.([]any)
		for i := range min(len(want), len(list)) {
			if err := p.compare(want[i], list[i]); err != nil {
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

// What RFC 7644 prints is answered as it prints it, but for ids, versions and times.
func TestPrintedConversations(t *testing.T) {
	t.Parallel()
	play(t, "rfc7644.txt", nil, func(c *Config) { c.BaseURL = "https://example.com/v2" })
}
