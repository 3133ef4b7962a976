package table

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// ValidateWrites checks the size of the call itself. The drivers check the size of the new items.
func TestValidateWritesRejectsLargeCalls(t *testing.T) {
	t.Parallel()
	half := S(strings.Repeat("x", MaxItemBytes/2))
	k := Key{PK: "p", SK: "s"}
	var tooLarge *TooLargeError
	u := Update{Key: k, Set: Item{"a": half}, Add: Item{"b": SS(half.(*types.AttributeValueMemberS).Value)}}
	if err := ValidateWrites([]Write{u}); !errors.As(err, &tooLarge) {
		t.Errorf("an Update that sets and adds 400 KB: %v", err)
	}
	u.Add = nil
	if err := ValidateWrites([]Write{u}); err != nil {
		t.Errorf("an Update that sets 200 KB: %v", err)
	}
}
