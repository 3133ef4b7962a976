package dynamo

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// tabletest.Call.Actions must match the requests of this driver. Tests of the functions' IAM roles rely on it.
func TestActionsMatchTheRequests(t *testing.T) {
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
		"put":  func(ctx context.Context, t table.Table) error { return t.Write(ctx, table.Put{Item: wideItem}) },
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
			var reported []string
			record := func(c tabletest.Call) error { reported = c.Actions; return nil }
			err := call(t.Context(), tabletest.Faults{Table: d, Before: record})
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(reported)
			if required := e.actions(); !slices.Equal(reported, required) {
				t.Errorf("Call.Actions is %v, the requests require %v", reported, required)
			}
		})
	}
}

// actions returns the IAM actions that the requests so far require.
func (e *endpoint) actions() (actions []string) {
	for i, operation := range e.operations {
		switch operation {
		case "TransactGetItems":
			actions = append(actions, "GetItem")
		case "TransactWriteItems":
			var body struct{ TransactItems []map[string]any }
			if err := json.Unmarshal([]byte(e.bodies[i]), &body); err != nil {
				e.t.Fatal(err)
			}
			for _, it := range body.TransactItems {
				for kind := range it {
					actions = append(actions, kind+"Item")
				}
			}
		default:
			actions = append(actions, operation)
		}
	}
	slices.Sort(actions)
	return actions
}
