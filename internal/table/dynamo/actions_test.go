package dynamo

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// What IAM has to allow for a call is what is told to tests: those of the functions' roles build on it.
func TestActionsAreThoseThatAreAsked(t *testing.T) {
	t.Parallel()
	a, b := table.Key{PK: "p", SK: "a"}, table.Key{PK: "p", SK: "b"}
	exists := []table.Condition{table.Exists()}
	for name, call := range map[string]func(context.Context, table.Table) error{
		"one":      func(ctx context.Context, t table.Table) error { _, err := t.Get(ctx, nil, a); return err },
		"two":      func(ctx context.Context, t table.Table) error { _, err := t.Get(ctx, nil, a, b); return err },
		"snapshot": func(ctx context.Context, t table.Table) error { _, err := t.Snapshot(ctx, a); return err },
		"query": func(ctx context.Context, t table.Table) error {
			_, err := t.Query(ctx, table.Range{PK: "p"})
			return err
		},
		"scan": func(ctx context.Context, t table.Table) error { _, err := t.Scan(ctx, table.Key{}); return err },
		"put":  func(ctx context.Context, t table.Table) error { return t.Write(ctx, table.Put{Item: wide}) },
		"update": func(ctx context.Context, t table.Table) error {
			return t.Write(ctx, table.Update{Key: a, Set: table.Item{"n": table.N(1)}})
		},
		"delete and check": func(ctx context.Context, t table.Table) error {
			return t.Write(ctx, table.Delete{Key: a}, table.ConditionCheck{Key: b, If: exists})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := `{}`
			if name == "snapshot" {
				body = `{"Responses":[{}]}`
			}
			d, e := scripted(t, ok(body))
			var told []string
			err := call(t.Context(), tabletest.Faults{Table: d, Before: func(c tabletest.Call) error { told = c.Actions; return nil }})
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(told)
			if asked := e.actions(); !slices.Equal(told, asked) {
				t.Errorf("told %v, asked %v", told, asked)
			}
		})
	}
}

// actions is what the requests so far ask to be allowed.
func (e *endpoint) actions() (actions []string) {
	for i, operation := range e.asked {
		switch operation {
		case "TransactGetItems":
			actions = append(actions, "GetItem")
		case "TransactWriteItems":
			var body struct{ TransactItems []map[string]any }
			if err := json.Unmarshal([]byte(e.got[i]), &body); err != nil {
				e.t.Fatal(err)
			}
			for _, it := range body.TransactItems {
				for kind := range it {
					actions = append(actions, map[string]string{"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem",
						"ConditionCheck": "ConditionCheckItem"}[kind])
				}
			}
		default:
			actions = append(actions, operation)
		}
	}
	slices.Sort(actions)
	return actions
}
