package table

import (
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// An Item holds the attributes of an item, including PK and SK. Attributes have the types S (UTF-8, may be empty), N (a
// whole number of 64 bits), BOOL, or SS (at least one element, none empty). A Table returns sets sorted. A nil Item
// stands for an item that does not exist.
type Item map[string]types.AttributeValue

// Key returns the key of the item.
func (i Item) Key() Key { return Key{PK: StringValue(i["PK"]), SK: StringValue(i["SK"])} }

// A Key identifies an item. Both parts are non-empty UTF-8: PK has at most 2048 bytes, SK at most 1024.
type Key struct {
	PK string `dynamodbav:"PK"` // partition key
	SK string `dynamodbav:"SK"` // sort key; a partition is sorted by the bytes of its sort keys
}

var escaper = strings.NewReplacer("%", "%25", "#", "%23")

// EscapeKeyPart returns s with % and # escaped, for use between the #s of a key. Different strings have different
// results.
func EscapeKeyPart(s string) string { return escaper.Replace(s) }

// S returns a string attribute.
func S(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// N returns a number attribute.
func N(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// BOOL returns a boolean attribute.
func BOOL(b bool) types.AttributeValue { return &types.AttributeValueMemberBOOL{Value: b} }

// SS returns a string set, sorted and without duplicates. DynamoDB rejects an empty set.
func SS(elements ...string) types.AttributeValue {
	sorted := slices.Clone(elements)
	slices.Sort(sorted)
	return &types.AttributeValueMemberSS{Value: slices.Compact(sorted)}
}

// StringValue returns the value of a string attribute, or "" for nil and other types.
func StringValue(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

// IntValue returns the value of a number attribute, or 0 for nil and other types.
func IntValue(v types.AttributeValue) int64 {
	if n, ok := v.(*types.AttributeValueMemberN); ok {
		i, _ := strconv.ParseInt(n.Value, 10, 64)
		return i
	}
	return 0
}

// StringSetValue returns a copy of the elements of a string set, or nil for nil and other types.
func StringSetValue(v types.AttributeValue) []string {
	if s, ok := v.(*types.AttributeValueMemberSS); ok {
		return slices.Clone(s.Value)
	}
	return nil
}

// typeName returns the DynamoDB type of a valid value.
func typeName(v types.AttributeValue) string {
	switch v.(type) {
	case *types.AttributeValueMemberS:
		return "S"
	case *types.AttributeValueMemberN:
		return "N"
	case *types.AttributeValueMemberSS:
		return "SS"
	default:
		return "BOOL"
	}
}
