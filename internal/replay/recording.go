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
	"github.com/go-json-experiment/json/jsontext"
)

// A Conversation is a sequence of requests to a SCIM server with the expected responses. It is stored as a folder. Each
// step has two files: NN-name.json is the request as a REST API event, and NN-name.answer.json is the expected
// response. The numbers of a conversation have the same number of digits, at least two.
type Conversation struct {
	Dir   string // the folder
	Steps []Step
}

// Name returns the name of the conversation's folder.
func (c Conversation) Name() string { return filepath.Base(c.Dir) }

// A Step is one request of a conversation and the expected response.
type Step struct {
	Name  string // the file's name without .json
	Event events.APIGatewayProxyRequest
	Want  Expectation
}

// An Expectation is the expected response of a step: the content of its file NN-name.answer.json.
type Expectation struct {
	Provenance string            `json:"fidelity"`        // where the request comes from: recorded, documented, or derived
	Setup      bool              `json:"setup,omitempty"` // the step only creates what later steps need, so only its status is compared
	Note       string            `json:"note,omitempty"`
	Status     int               `json:"status"`
	Headers    map[string]string `json:"headers,omitempty"` // headers to check; others may have any value
	Body       json.RawMessage   `json:"body,omitempty"`    // nil if the response must have no body
}

// A StepResult is the result of one step.
type StepResult struct {
	Step Step
	Got  Response // with the recorded names and IDs
	Diff []string // differences from the expectation, a line each, with the names of this run and the IDs of this server
}

const expectationSuffix = ".answer.json"

var stepNamePattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[0-9]{2,}-[a-z0-9-]+\.json$`)
})

// LoadConversations reads the conversations in folders. Each folder is a conversation or contains conversations at any
// depth. They are returned in the order of dirs, and in lexical order within each folder. It is an error if there are
// none.
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
		return nil, fmt.Errorf("no conversation (NN-name.json, NN-name%s) in %s",
			expectationSuffix, strings.Join(dirs, ", "))
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
				return c, fmt.Errorf("%s has no event file %s.json", file, filepath.Base(event))
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
		return s, fmt.Errorf("%s: the name of a step must be NN-name.json", file)
	}
	if err := readJSON(file, &s.Event, false); err != nil {
		return s, err
	}
	expectation := strings.TrimSuffix(file, ".json") + expectationSuffix
	if err := readJSON(expectation, &s.Want, true); err != nil {
		return s, err
	}
	_, err := decodedBody(s.Event)
	switch {
	case err != nil:
		return s, fmt.Errorf("%s: cannot decode the body: %w", file, err)
	case s.Event.HTTPMethod == "" || s.Event.Path == "":
		return s, fmt.Errorf("%s: not an event of a REST API", file)
	case !slices.Contains([]string{"recorded", "documented", "derived"}, s.Want.Provenance):
		return s, fmt.Errorf("%s: fidelity %q is not recorded, documented, or derived", expectation, s.Want.Provenance)
	}
	return s, nil
}

// readJSON decodes a file that contains one JSON value without repeated members. If strict is true, members that v does
// not have are an error.
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

// decodeJSON decodes one JSON value, with numbers as json.Number. It returns nil for an empty body, and an error for a
// repeated member or for anything after the value.
func decodeJSON(body []byte) (any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	strict := jsontext.Value(bytes.Clone(body))
	if err := strict.Format(); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

var timestampPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`"(created|lastModified)":\s*"[^"]*"`)
})

// UpdateExpectation writes the response of a step to its expectation file. It replaces the status, the body, and the
// values of the headers to check, and keeps fidelity and note. Timestamps are replaced by a fixed one, so that an
// update without other changes writes the same file.
func UpdateExpectation(c Conversation, result StepResult) error {
	want := result.Step.Want
	want.Status, want.Body = result.Got.Status, result.Got.Body
	for name := range want.Headers {
		want.Headers[name] = result.Got.Header.Get(name)
	}
	want.Body = timestampPattern().ReplaceAll(want.Body, []byte(`"$1":"2026-01-01T00:00:00Z"`))
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(want); err != nil {
		return fmt.Errorf("%s %s: %w", c.Name(), result.Step.Name, err)
	}
	return os.WriteFile(filepath.Join(c.Dir, result.Step.Name+expectationSuffix), b.Bytes(), 0o644)
}
