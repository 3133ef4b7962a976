package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-lambda-go/events"
)

// A Conversation is a recorded exchange with one server, in order: a folder that holds, for each step, an API Gateway
// event as a REST API sends it (NN-name.json) and the answer that is expected (NN-name.answer.json).
type Conversation struct {
	Dir   string // the folder
	Steps []Step
}

// Name is the name of the conversation's folder.
func (c Conversation) Name() string { return filepath.Base(c.Dir) }

// A Step is one request and what is to be answered.
type Step struct {
	Name  string // the file's name without .json
	Event events.APIGatewayProxyRequest
	Want  Expectation
}

// An Expectation is the content of a file NN-name.answer.json.
type Expectation struct {
	Provenance string            `json:"fidelity"` // how the request is known: recorded, documented or derived
	Note       string            `json:"note,omitempty"`
	Status     int               `json:"status"`
	Headers    map[string]string `json:"headers,omitempty"` // those worth checking
	Body       json.RawMessage   `json:"body,omitempty"`    // absent if there is to be none
}

const expectationSuffix = ".answer.json"

var stepNamePattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9]{2}-[a-z0-9-]+\.json$`) })

// LoadConversations reads the conversations in folders: each may be one, or hold any number of them at any depth. They come in the
// order of their names.
func LoadConversations(dirs ...string) ([]Conversation, error) {
	var all []Conversation
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			c, err := loadConversation(path)
			if len(c.Steps) > 0 {
				all = append(all, c)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no conversation (NN-name.json, NN-name%s) in %s", expectationSuffix, strings.Join(dirs, ", "))
	}
	return all, nil
}

func loadConversation(dir string) (Conversation, error) {
	c := Conversation{Dir: dir}
	files, err := os.ReadDir(dir)
	if err != nil {
		return c, err
	}
	for _, f := range files {
		file := filepath.Join(dir, f.Name())
		if event, ok := strings.CutSuffix(file, expectationSuffix); ok {
			if _, err := os.Stat(event + ".json"); err != nil {
				return c, fmt.Errorf("%s has no event beside it", file)
			}
			continue
		}
		if f.IsDir() || filepath.Ext(file) != ".json" {
			continue
		}
		step, err := loadStep(file)
		if err != nil {
			return c, err
		}
		c.Steps = append(c.Steps, step)
	}
	return c, nil
}

func loadStep(file string) (Step, error) {
	s := Step{Name: strings.TrimSuffix(filepath.Base(file), ".json")}
	if !stepNamePattern().MatchString(filepath.Base(file)) {
		return s, fmt.Errorf("%s: the name of a step is NN-name.json", file)
	}
	if err := readJSON(file, &s.Event, false); err != nil {
		return s, err
	}
	answer := strings.TrimSuffix(file, ".json") + expectationSuffix
	if err := readJSON(answer, &s.Want, true); err != nil {
		return s, err
	}
	_, err := decodedBody(s.Event)
	switch {
	case err != nil:
		return s, fmt.Errorf("%s: the body: %w", file, err)
	case s.Event.HTTPMethod == "" || s.Event.Path == "":
		return s, fmt.Errorf("%s: not an event of a REST API", file)
	case !slices.Contains([]string{"recorded", "documented", "derived"}, s.Want.Provenance):
		return s, fmt.Errorf("%s: fidelity %q is not recorded, documented or derived", answer, s.Want.Provenance)
	}
	return s, nil
}

func readJSON(file string, v any, strict bool) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if strict {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if _, err := decodeJSON(b); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

var timestampPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`"(created|lastModified)":\s*"[^"]*"`) })

// UpdateExpectation makes what was answered what is expected: status, body, and the headers that were checked before; fidelity
// and note stay. Times are written as a fixed one, so that they do not differ from one rewriting to the next.
func UpdateExpectation(c Conversation, o StepResult) error {
	want := o.Step.Want
	want.Status, want.Body = o.Got.Status, o.Got.Body
	for name := range want.Headers {
		want.Headers[name] = o.Got.Header.Get(name)
	}
	want.Body = timestampPattern().ReplaceAll(want.Body, []byte(`"$1":"2026-01-01T00:00:00Z"`))
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(want); err != nil {
		return fmt.Errorf("%s %s: %w", c.Name(), o.Step.Name, err)
	}
	return os.WriteFile(filepath.Join(c.Dir, o.Step.Name+expectationSuffix), b.Bytes(), 0o644)
}
