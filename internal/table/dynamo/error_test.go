package dynamo

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/table"
)

// The test covers every combination of cancellation reasons of three actions. If a reason is transient, or all are
// None, the driver repeats the same request. Otherwise a ConditionError has exactly the actions whose conditions
// failed.
func TestEveryCombinationOfThreeReasons(t *testing.T) {
	t.Parallel()
	codes := []string{"None", "ConditionalCheckFailed", "TransactionConflict", "ThrottlingError",
		"ProvisionedThroughputExceeded", "ValidationError", "ItemCollectionSizeLimitExceeded"}
	for i := range len(codes) * len(codes) * len(codes) {
		reasons := []string{codes[i%7], codes[i/7%7], codes[i/49]}
		has := func(code string) bool { return slices.Contains(reasons, code) }
		t.Run(strings.Join(reasons, " "), func(t *testing.T) {
			t.Parallel()
			canceled := cancelWithItems(reasons)
			b, e := scripted(t, canceled, ok(`{}`), canceled)
			err := writeThree(t, b)
			var conditionErr *table.ConditionError
			var tooLarge *table.TooLargeError
			var transient *table.TransientError
			allNone := !slices.ContainsFunc(reasons, func(code string) bool { return code != "None" })
			switch sent := len(e.sent()); {
			case has(codes[2]) || has(codes[3]) || has(codes[4]) || allNone:
				if err != nil || sent != 2 {
					t.Errorf("want success at the second attempt, got %v after %d", err, sent)
				}
				if err := writeThree(t, b); !errors.As(err, &transient) || len(e.sent()) != 2+4 {
					t.Errorf("want a TransientError after four attempts, got %v after %d", err, len(e.sent())-2)
				}
				if same := slices.Compact(e.sent()); len(same) != 2 || token(same[0]) == token(same[1]) {
					t.Errorf("the attempts of two writes have %d different requests, want 2", len(same))
				}
			case sent != 1:
				t.Errorf("%d attempts: %v", sent, err)
			case has(codes[6]):
				if errors.As(err, &conditionErr) || errors.As(err, &tooLarge) || errors.As(err, &transient) || err == nil {
					t.Errorf("want another error, got %v", err)
				}
			case !has(codes[1]):
				if !errors.As(err, &tooLarge) {
					t.Errorf("want a TooLargeError, got %v", err)
				}
			default:
				if got, want := failedSlots(err), slotsWithCode(reasons, codes[1]); !slices.Equal(got, want) {
					t.Errorf("want a ConditionError of the writes %v, got %v: %v", want, got, err)
				}
			}
		})
	}
}

// slotsWithCode returns the indexes of the actions with this code.
func slotsWithCode(reasons []string, code string) (slots []string) {
	for slot, c := range reasons {
		if c == code {
			slots = append(slots, fmt.Sprint(slot))
		}
	}
	return slots
}

// failedSlots returns the indexes of the failed writes of a ConditionError that have the right current item.
func failedSlots(err error) (slots []string) {
	var conditionErr *table.ConditionError
	if !errors.As(err, &conditionErr) {
		return nil
	}
	for slot, current := range conditionErr.Items {
		if current.Key().SK == fmt.Sprint(slot) {
			slots = append(slots, fmt.Sprint(slot))
		}
	}
	slices.Sort(slots)
	return slots
}

// cancelWithItems is cancel with a message and a current item for each action.
func cancelWithItems(codes []string) response {
	var list []string
	for slot, code := range codes {
		const reason = `{"Code":%q,"Message":"Item size has exceeded 400 KB","Item":{"PK":{"S":"p"},"SK":{"S":"%d"}}}`
		list = append(list, fmt.Sprintf(reason, code, slot))
	}
	return fail(400, "TransactionCanceledException", `,"CancellationReasons":[`+strings.Join(list, ",")+`]`)
}

func writeThree(t *testing.T, b *Table) error {
	var writes []table.Write
	exists := []table.Condition{table.Exists()}
	for i := range 3 {
		writes = append(writes, table.Delete{Key: table.Key{PK: "p", SK: fmt.Sprint(i)}, If: exists})
	}
	return b.Write(t.Context(), writes...)
}

// If a part of an error response arrives, the outcome is unknown.
func TestIncompleteErrorResponseIsRetried(t *testing.T) {
	t.Parallel()
	complete := cancelWithItems([]string{"None", "None", "ConditionalCheckFailed"})
	b, e := scripted(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100000")
		complete(w, r)
	}, complete)
	var conditionErr *table.ConditionError
	if err := writeThree(t, b); !errors.As(err, &conditionErr) || len(e.sent()) != 2 || e.sent()[0] != e.sent()[1] {
		t.Errorf("want a ConditionError at the second attempt, got %v after %d", err, len(e.sent()))
	}
}
