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

// Template is template.yaml. Functions of CloudFormation are objects, as in its JSON: !Ref X is {"Ref": "X"}, !Sub "X"
// is {"Fn::Sub": "X"}.
type Template struct{ root map[string]any }

// OpenTemplate reads the template of the repository that the test's folder is in.
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
		for _, one := range n.Content {
			list = append(list, value(one))
		}
		v = list
	default:
		v = n.Value
	}
	switch name := strings.TrimPrefix(n.Tag, "!"); {
	case strings.HasPrefix(name, "!"): // YAML's own
		return v
	case name == "Ref" || name == "Condition":
		return map[string]any{name: v}
	default:
		return map[string]any{"Fn::" + name: v}
	}
}

// Value is what is at a path of names, nil if there is nothing. Numbers and truths are texts, as they are written.
func (t Template) Value(path ...string) any {
	var v any = t.root
	for _, name := range path {
		o, _ := v.(map[string]any)
		v = o[name]
	}
	return v
}

// Object is what is at a path, if it is an object.
func (t Template) Object(path ...string) map[string]any {
	o, _ := t.Value(path...).(map[string]any)
	return o
}

// Resources is the names of the resources of a type.
func (t Template) Resources(typ string) (names []string) {
	for name, r := range t.Object("Resources") {
		if r.(map[string]any)["Type"] == typ {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// AllowedActions is what a role may do to the table.
func (t Template) AllowedActions(role string) (actions []string) {
	policies, _ := t.Value("Resources", role, "Properties", "Policies").([]any)
	for _, p := range policies {
		statements := p.(map[string]any)["PolicyDocument"].(map[string]any)["Statement"].([]any)
		for _, s := range statements {
			for _, action := range s.(map[string]any)["Action"].([]any) {
				if name, ok := strings.CutPrefix(action.(string), "dynamodb:"); ok {
					actions = append(actions, name)
				}
			}
		}
	}
	slices.Sort(actions)
	return actions
}

// CheckPermissions checks that a role allows what a function asks of the table when it is used, and nothing else.
func CheckPermissions(t *testing.T, role string, tab table.Table, use func(table.Table)) {
	t.Helper()
	var mu sync.Mutex
	var asked []string
	use(tabletest.Faults{Table: tab, Before: func(c tabletest.Call) error {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, c.Actions...)
		return nil
	}})
	slices.Sort(asked)
	if asked, allowed := slices.Compact(asked), OpenTemplate(t).AllowedActions(role); !slices.Equal(asked, allowed) {
		t.Errorf("%s allows %v, but what is asked is %v", role, allowed, asked)
	}
}
