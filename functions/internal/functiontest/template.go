package functiontest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// A Template is the content of template.yaml. Functions of CloudFormation are objects, as in CloudFormation's JSON:
// !Ref X is {"Ref": "X"}, and !Sub "X" is {"Fn::Sub": "X"}.
type Template struct{ root map[string]any }

// OpenTemplate reads template.yaml in the folder of the test or the nearest folder above it.
func OpenTemplate(t *testing.T) Template {
	t.Helper()
	for dir := "."; ; dir = filepath.Join(dir, "..") {
		b, err := os.ReadFile(filepath.Join(dir, "template.yaml"))
		if os.IsNotExist(err) && len(dir) < 20 {
			continue
		}
		var document yaml.Node
		if err == nil {
			err = yaml.Unmarshal(b, &document)
		}
		if err != nil {
			t.Fatal(err)
		}
		return Template{value(document.Content[0]).(map[string]any)}
	}
}

// value returns the value of a node: a map, a slice, or the text of a scalar.
func value(n *yaml.Node) any {
	var v any
	switch n.Kind {
	case yaml.MappingNode:
		o := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			o[n.Content[i].Value] = value(n.Content[i+1])
		}
		v = o
	case yaml.SequenceNode:
		list := []any{}
		for _, element := range n.Content {
			list = append(list, value(element))
		}
		v = list
	default:
		v = n.Value
	}
	switch name := strings.TrimPrefix(n.Tag, "!"); {
	case strings.HasPrefix(name, "!"): // a tag of YAML, such as !!str
		return v
	case name == "Ref" || name == "Condition":
		return map[string]any{name: v}
	default:
		return map[string]any{"Fn::" + name: v}
	}
}

// Value returns the value at a path of names, or nil if there is none. Numbers and booleans are strings, as written.
func (t Template) Value(path ...string) any {
	var v any = t.root
	for _, name := range path {
		o, _ := v.(map[string]any)
		v = o[name]
	}
	return v
}

// Object returns the object at a path, or nil if there is none.
func (t Template) Object(path ...string) map[string]any {
	o, _ := t.Value(path...).(map[string]any)
	return o
}

// Resources returns the sorted names of the resources of a type.
func (t Template) Resources(typ string) (names []string) {
	for name, r := range t.Object("Resources") {
		if r.(map[string]any)["Type"] == typ {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Statements returns the statements of a role's policies. They include those that have a condition.
func (t Template) Statements(role string) (statements []map[string]any) {
	policies, _ := t.Value("Resources", role, "Properties", "Policies").([]any)
	for _, p := range policies {
		for _, s := range p.(map[string]any)["PolicyDocument"].(map[string]any)["Statement"].([]any) {
			statement := s.(map[string]any)
			if branches, ok := statement["Fn::If"].([]any); ok {
				statement = branches[1].(map[string]any)
			}
			statements = append(statements, statement)
		}
	}
	return statements
}

// StreamActions returns the DynamoDB actions with which Lambda reads a stream for a function, sorted and without the
// prefix.
func StreamActions() []string {
	return []string{"DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"}
}

// AllowedActions returns the DynamoDB actions that the policies of a role allow, sorted and without the prefix. It omits
// the StreamActions, because the code of a function does not use them.
func (t Template) AllowedActions(role string) (actions []string) {
	for _, s := range t.Statements(role) {
		for _, action := range s["Action"].([]any) {
			name, ok := strings.CutPrefix(action.(string), "dynamodb:")
			if ok && !slices.Contains(StreamActions(), name) {
				actions = append(actions, name)
			}
		}
	}
	slices.Sort(actions)
	return actions
}

// CheckPermissions checks that a role allows exactly the DynamoDB actions that use causes on the table.
func CheckPermissions(t *testing.T, role string, tab table.Table, use func(table.Table)) {
	t.Helper()
	var mu sync.Mutex
	var used []string
	use(tabletest.Faults{Table: tab, Before: func(c tabletest.Call) error {
		mu.Lock()
		defer mu.Unlock()
		used = append(used, c.Actions...)
		return nil
	}})
	slices.Sort(used)
	if used, allowed := slices.Compact(used), OpenTemplate(t).AllowedActions(role); !slices.Equal(used, allowed) {
		t.Errorf("%s allows %v, but the function uses %v", role, allowed, used)
	}
}
