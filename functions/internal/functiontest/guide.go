package functiontest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A Guide is the text of functions/README.md, the guide of operators.
type Guide string

// OpenGuide reads functions/README.md. The test must be in the folder functions or below it.
func OpenGuide(t *testing.T) Guide {
	t.Helper()
	folder, err := filepath.Abs(".")
	for err == nil && filepath.Base(folder) != "functions" {
		if folder == filepath.Dir(folder) {
			t.Fatal("the test is not in the folder functions")
		}
		folder = filepath.Dir(folder)
	}
	text, err := os.ReadFile(filepath.Join(folder, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return Guide(text)
}

// Events returns the JSON objects of the guide that begin with the member command, each once. A function gets them as
// its event.
func (g Guide) Events(t *testing.T) (events []string) {
	t.Helper()
	rest := string(g)
	for {
		i := strings.Index(rest, `{"command"`)
		if i < 0 {
			return events
		}
		var event json.RawMessage
		if err := json.NewDecoder(strings.NewReader(rest[i:])).Decode(&event); err != nil {
			t.Errorf("%v: %.80s", err, rest[i:])
		}
		if rest = rest[i+1:]; !slices.Contains(events, string(event)) {
			events = append(events, string(event))
		}
	}
}

var (
	indented = regexp.MustCompile(`(?m)^ {4,}(.*)$`)
	inline   = regexp.MustCompile("`([^`\n]+)`")
	// shell matches a program, also in an assignment, an eval, an export, or the function output.
	shell = regexp.MustCompile(`^([A-Z]+=\$\(|output\(\) \{ |eval "\$\(|export [A-Z_]+=\$\()?` +
		`(aws|sam|go run|curl|dynoxide|output) `)
)

// TestedCommands is the head of the table that says how the commands of the guide are tested.
const TestedCommands = "| commands | tested by |\n"

// Commands returns the shell commands of the guide, in its order: those in indented lines, with their continuations, and
// those between backticks that have an argument. It omits those in the table of tested commands.
func (g Guide) Commands() (commands []string) {
	text, rest, _ := strings.Cut(string(g), TestedCommands)
	_, rest, _ = strings.Cut(rest, "\n\n")
	text = regexp.MustCompile(`\\\n *`).ReplaceAllString(text+"\n\n"+rest, "")
	text = indented.ReplaceAllString(text, "`$1`") // a code block has no backticks of its own
	for _, code := range inline.FindAllStringSubmatch(text, -1) {
		if shell.MatchString(code[1]) {
			commands = append(commands, code[1])
		}
	}
	return commands
}

// Queries returns the queries of the guide for CloudWatch Logs Insights.
func (g Guide) Queries() (queries []string) {
	text := regexp.MustCompile(`\n *\| display`).ReplaceAllString(string(g), " | display")
	for _, code := range inline.FindAllStringSubmatch(indented.ReplaceAllString(text, "`$1`"), -1) {
		if strings.HasPrefix(code[1], "fields ") || strings.HasPrefix(code[1], "filter ") ||
			strings.HasPrefix(code[1], "msg = ") {
			queries = append(queries, code[1])
		}
	}
	return queries
}

var (
	literal = regexp.MustCompile(`"[^"]*"|/[^/]*/`)
	field   = regexp.MustCompile(`[@A-Za-z][A-Za-z.]*\b`)
	keyword = []string{"fields", "filter", "sort", "limit", "display", "stats", "count", "by", "and", "or", "desc",
		"like", "ispresent"}
)

// QueryFields returns the names of the fields in a query, without those that CloudWatch adds to each line, such as
// @timestamp.
func QueryFields(query string) []string {
	fields := field.FindAllString(literal.ReplaceAllString(query, ""), -1)
	return slices.DeleteFunc(fields, func(name string) bool {
		return strings.HasPrefix(name, "@") || slices.Contains(keyword, name)
	})
}

// LogFields returns the names of the fields in lines of JSON. The name of a field in an object is object.name.
func LogFields(t *testing.T, lines string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	var add func(prefix string, object map[string]any)
	add = func(prefix string, object map[string]any) {
		for name, value := range object {
			names[prefix+name] = true
			if inner, ok := value.(map[string]any); ok {
				add(prefix+name+".", inner)
			}
		}
	}
	for line := range strings.Lines(lines) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		add("", object)
	}
	return names
}
