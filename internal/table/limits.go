package table

import "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

// DynamoDB's limits, in bytes and items.
const (
	MaxPartitionKeyBytes  = 2048
	MaxSortKeyBytes       = 1024
	MaxItemBytes          = 400 << 10
	MaxPageBytes          = 1 << 20
	MaxTransactionBytes   = 4 << 20
	MaxTransactionActions = 100 // actions of a Write, keys of a Snapshot
)

// ItemSize returns the size of an item as DynamoDB counts it: the bytes of all names and values. DynamoDB documents the
// size of a number only approximately; see NumberSize.
func ItemSize(it Item) int {
	n := 0
	for name, v := range it {
		n += len(name) + valueSize(v)
	}
	return n
}

func valueSize(v types.AttributeValue) int {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return NumberSize(IntValue(v))
	case *types.AttributeValueMemberSS:
		n := 0
		for _, s := range v.Value {
			n += len(s)
		}
		return n
	default:
		return 1
	}
}

// NumberSize returns the size of a number attribute: one byte, one per two digits, and one for a minus sign. Trailing
// zeros do not count.
func NumberSize(i int64) (n int) {
	if n = 1; i < 0 {
		n++
	}
	for ; i != 0 && i%10 == 0; i /= 10 {
	}
	for ; i != 0; i /= 100 {
		n++
	}
	return n
}
