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

// Whatever three actions are told: if one of them is told something transient, or none anything, the same request is
// sent until it is decided or time is over; a refusal names the actions whose conditions failed and no other.
func TestEveryCombinationOfThreeReasons(t *testing.T) {
	t.Parallel()
	codes := []string{"None", "ConditionalCheckFailed", "TransactionConflict", "ThrottlingError",
		"ProvisionedThroughputExceeded", "ValidationError", "ItemCollectionSizeLimitExceeded"}
	for i := range len(codes) * len(codes) * len(codes) {
		told := []string{codes[i%7], codes[i/7%7], codes[i/49]}
		has := func(code string) bool { return slices.Contains(told, code) }
		t.Run(strings.Join(told, " "), func(t *testing.T) {
			t.Parallel()
			canceled := threeReasons(told)
			b, e := scripted(t, canceled, ok(`{}`), canceled)
			err := writeThree(t, b)
			var refused *table.ConditionError
			var large *table.TooLargeError
			var busy *table.TransientError
			switch sent := len(e.sent()); {
			case has(codes[2]) || has(codes[3]) || has(codes[4]) || told[0] == "None" && told[1] == "None" && told[2] == "None":
				if err != nil || sent != 2 {
					t.Errorf("want success at the second attempt, got %v after %d", err, sent)
				}
				if err := writeThree(t, b); !errors.As(err, &busy) || len(e.sent()) != 2+4 {
					t.Errorf("want busy after four attempts, got %v after %d", err, len(e.sent())-2)
				}
				if same := slices.Compact(e.sent()); len(same) != 2 || token(same[0]) == token(same[1]) {
					t.Errorf("the attempts of two writes had %d different requests", len(same))
				}
			case sent != 1:
				t.Errorf("%d attempts: %v", sent, err)
			case has(codes[6]):
				if errors.As(err, &refused) || errors.As(err, &large) || errors.As(err, &busy) || err == nil {
					t.Errorf("want an error of its own, got %v", err)
				}
			case !has(codes[1]):
				if !errors.As(err, &large) {
					t.Errorf("want too large, got %v", err)
				}
			default:
				if got, want := refusedSlots(err), slots(told, codes[1]); !slices.Equal(got, want) {
					t.Errorf("want a refusal of %v, got one of %v: %v", want, got, err)
				}
			}
		})
	}
}

// slots is where a code stands.
func slots(told []string, code string) (at []string) {
	for slot, c := range told {
		if c == code {
			at = append(at, fmt.Sprint(slot))
		}
	}
	return at
}

// refusedSlots is the same of a refusal, if each of its writes has the item that stood there.
func refusedSlots(err error) (at []string) {
	var refused *table.ConditionError
	if !errors.As(err, &refused) {
		return nil
	}
	for slot, stood := range refused.Items {
		if stood.Key().SK == fmt.Sprint(slot) {
			at = append(at, fmt.Sprint(slot))
		}
	}
	slices.Sort(at)
	return at
}

func threeReasons(codes []string) answer {
	var list []string
	for slot, code := range codes {
		const reason = `{"Code":%q,"Message":"Item size has exceeded 400 KB","Item":{"PK":{"S":"p"},"SK":{"S":"%d"}}}`
		list = append(list, fmt.Sprintf(reason, code, slot))
	}
	return fail(400, "TransactionCanceledException", `,"CancellationReasons":[`+strings.Join(list, ",")+`]`)
}

func writeThree(t *testing.T, b *Table) error {
	var writes []table.Write
	for i := range 3 {
		writes = append(writes, table.Delete{Key: table.Key{PK: "p", SK: fmt.Sprint(i)}, If: []table.Condition{table.Exists()}})
	}
	return b.Write(t.Context(), writes...)
}

// A refusal of which only a part arrives says nothing yet.
func TestARefusalThatBreaksOffIsAskedForAgain(t *testing.T) {
	t.Parallel()
	whole := threeReasons([]string{"None", "None", "ConditionalCheckFailed"})
	b, e := scripted(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100000")
		whole(w, r)
	}, whole)
	var refused *table.ConditionError
	if err := writeThree(t, b); !errors.As(err, &refused) || len(e.sent()) != 2 || e.sent()[0] != e.sent()[1] {
		t.Errorf("want a refusal at the second attempt, got %v after %d", err, len(e.sent()))
	}
}
