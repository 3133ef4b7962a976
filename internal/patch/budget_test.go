package patch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"serverless-scim/internal/scim"
)

// repeatOperations returns n equal operations.
func repeatOperations(t testing.TB, n int, operation string) []Operation {
	t.Helper()
	ops, err := Decode([]byte(`{"Operations":[`+strings.TrimSuffix(strings.Repeat(operation+",", n), ",")+`]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	return ops
}

// largeUser returns a user with one role of 60 KB and 500 e-mail addresses, none of which is ASCII.
func largeUser() scim.Object {
	emails := make([]any, 500)
	for i := range emails {
		emails[i] = scim.Object{"value": fmt.Sprintf("%d%s@x", i, strings.Repeat("ä", 50))}
	}
	return scim.Object{"userName": "u", "roles": []any{scim.Object{"value": strings.Repeat("ä", 30_000)}}, "emails": emails}
}

// Folding costs most, so the test counts the bytes of the work: 1,000 operations must fold each value once.
func TestOperationsFoldAValueOnce(t *testing.T) {
	t.Parallel()
	const valueBytes = 60_000 + 500*105
	for _, operation := range []string{
		`{"op":"remove","path":"roles[value eq \"z\"]"}`,
		`{"op":"remove","path":"emails[value co \"z\"]"}`,
		`{"op":"add","path":"emails","value":[{"value":"new@x"}]}`,
		`{"op":"remove","path":"emails","value":[{"value":"none@x"}]}`,
		`{"op":"replace","path":"emails[value eq \"new@x\" or value eq \"0\"].display","value":null}`,
	} {
		rt, ops := types.ByName("User"), repeatOperations(t, 1000, operation)
		e := scim.NewEvaluation(t.Context(), scim.DefaultEvaluationBudget, nil)
		if _, err := apply(e, rt, largeUser(), ops, nil); err != nil {
			t.Errorf("%s: %v", operation, err)
		}
		if limit := 32*valueBytes + 1000*(2*valueBytes+500*200); e.Used() > limit {
			t.Errorf("%s: %d bytes, want at most %d", operation, e.Used(), limit)
		}
	}
}

// Operations that would compare too much are rejected, also if they would have failed for want of a match.
func TestOperationsOverBudgetAreRejected(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{
		`{"op":"remove","path":"roles[value co \"z\"]"}`,
		`{"op":"replace","path":"roles[value co \"z\"].display","value":"x"}`,
	} {
		e := scim.NewEvaluation(t.Context(), 1_000_000, nil)
		_, err := apply(e, types.ByName("User"), largeUser(), repeatOperations(t, 100, operation), nil)
		known, _ := errors.AsType[*scim.Error](err)
		if known == nil || known.Status != 400 || known.Type != scim.TooMany || !strings.Contains(known.Detail, "fewer") {
			t.Errorf("%s: %v, want 400 tooMany", operation, err)
		}
	}
}

// endingContext ends after a number of calls of Err.
type endingContext struct {
	context.Context
	remaining int
}

func (c *endingContext) Err() error {
	if c.remaining--; c.remaining < 0 {
		return context.Canceled
	}
	return nil
}

// One operation can have hundreds of terms on a value of megabytes, so the context is checked within an operation, too.
func TestOneOperationChecksTheContext(t *testing.T) {
	t.Parallel()
	user := scim.Object{"userName": "u", "roles": []any{scim.Object{"value": strings.Repeat("a", 3_000_000)}}}
	operation := `{"op":"remove","path":"roles[` + strings.Repeat(`value co \"z\" or `, 500) + `primary pr]"}`
	if _, err := Apply(&endingContext{t.Context(), 10}, types.ByName("User"), user, repeatOperations(t, 1, operation)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that the context has ended", err)
	}
}
