package table

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// DynamoDB's limits, in bytes and items.
const (
	MaxPartitionKeyBytes  = 2048
	MaxSortKeyBytes       = 1024
	MaxItemBytes          = 400 << 10
	MaxPageBytes          = 1 << 20
	MaxTransactionBytes   = 4 << 20
	MaxTransactionActions = 100 // of one Write, and keys of one Snapshot
)

// ItemSize is what DynamoDB counts for an item, in bytes: names and values, in UTF-8. It documents the size of a number
// as approximately one byte and another for every two digits.
func ItemSize(it Item) int {
	n := 0
	for name, v := range it {
		n += len(name) + size(v)
	}
	return n
}

// NumberSize is what is counted for a number: zeros at its end are not.
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

func size(v types.AttributeValue) int {
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

// ValidateWrites refuses what Write cannot do whatever the table holds. The error is *Invalid or *TooLarge.
func ValidateWrites(writes []Write) error {
	if len(writes) == 0 || len(writes) > MaxTransactionActions {
		return invalid("%d writes in a transaction of 1 to %d", len(writes), MaxTransactionActions)
	}
	keys, total := make([]Key, len(writes)), 0
	for i, w := range writes {
		n, err := checkWrite(w)
		if err != nil {
			return err
		}
		keys[i] = w.Target()
		total += n
	}
	if total > MaxTransactionBytes {
		return tooLarge("a transaction of %d bytes", total)
	}
	return ValidateKeys(keys, MaxTransactionActions)
}

// checkWrite returns how many bytes the item will at least have.
func checkWrite(w Write) (n int, err error) {
	switch w := w.(type) {
	case Put:
		n, err = ItemSize(w.Item), checkItem(w.Item)
	case Update:
		n, err = ItemSize(w.Set)+ItemSize(w.Add), checkUpdate(w)
	case ConditionCheck:
		if len(w.If) == 0 {
			err = invalid("a Check without a condition")
		}
	case Delete:
	default:
		return 0, invalid("a write of type %T", w)
	}
	for _, c := range w.Conditions() {
		if err == nil {
			err = checkCondition(c)
		}
	}
	if err == nil && n > MaxItemBytes {
		err = tooLarge("an item of %d bytes", n)
	}
	return n, err
}

func checkUpdate(w Update) error {
	parts := [...]Item{w.Set, w.Add, w.Delete}
	if len(w.Set)+len(w.Add)+len(w.Delete)+len(w.Remove) == 0 {
		return invalid("an Update that changes nothing")
	}
	for i, name := range w.Remove {
		if err := checkChanged(name, w.Remove[:i]); err != nil {
			return err
		}
	}
	for i, part := range parts {
		if err := checkItem(part); err != nil {
			return err
		}
		for name := range part {
			if err := checkChanged(name, w.Remove, parts[:i]...); err != nil {
				return err
			}
		}
	}
	for name, v := range w.Add {
		if kind(v) != "N" && kind(v) != "SS" {
			return invalid("ADD of a %s to %q", kind(v), name)
		}
	}
	for name, v := range w.Delete {
		if kind(v) != "SS" {
			return invalid("DELETE of a %s from %q", kind(v), name)
		}
	}
	return nil
}

// checkChanged refuses to change an attribute that is a part of the key, or is changed elsewhere.
func checkChanged(name string, removed []string, others ...Item) error {
	if name == "PK" || name == "SK" {
		return invalid("an Update of a key")
	}
	twice := slices.Contains(removed, name)
	for _, other := range others {
		_, there := other[name]
		twice = twice || there
	}
	if twice {
		return invalid("an Update that changes an attribute twice")
	}
	return checkName(name)
}

// Apply is the item that the update makes of an old one, which stays as it is and may be nil. It is *Invalid to add
// to an attribute of another type, to delete from it, or to leave the 64 bits of a number (DynamoDB itself would go on
// to 38 digits); the new item may be *TooLarge.
func (w Update) Apply(old Item) (Item, error) {
	for _, part := range []Item{w.Add, w.Delete} {
		for name, v := range part {
			there := old[name]
			if there != nil && kind(there) != kind(v) {
				return nil, invalid("the attribute %q is a %s, not a %s", name, kind(there), kind(v))
			}
			if a, b := IntValue(there), IntValue(v); (a+b > a) != (b > 0) {
				return nil, invalid("the sum of %q, %d and %d, has more than 64 bits", name, a, b)
			}
		}
	}
	it := w.applyUnchecked(old)
	if n := ItemSize(it); n > MaxItemBytes {
		return nil, tooLarge("an item of %d bytes", n)
	}
	return it, nil
}

// ValidateKeys refuses keys that cannot be, a key that is there twice, and more keys than at most (0: any number).
func ValidateKeys(keys []Key, most int) error {
	if most > 0 && (len(keys) == 0 || len(keys) > most) {
		return invalid("%d keys in a call for 1 to %d", len(keys), most)
	}
	seen := make(map[Key]bool, len(keys))
	for _, k := range keys {
		if err := checkKey(k); err != nil {
			return err
		}
		if seen[k] {
			return invalid("the item %q twice", k)
		}
		seen[k] = true
	}
	return nil
}

// ValidateGet refuses what Get cannot read.
func ValidateGet(attributes []string, keys []Key) error {
	if err := checkNames(attributes); err != nil {
		return err
	}
	return ValidateKeys(keys, 0)
}

func checkKey(k Key) error {
	if err := checkPart("PK", k.PK, MaxPartitionKeyBytes); err != nil {
		return err
	}
	return checkPart("SK", k.SK, MaxSortKeyBytes)
}

func checkPart(name, s string, most int) error {
	if s == "" || len(s) > most || !utf8.ValidString(s) {
		return invalid("a %s of %d bytes; it is UTF-8 of 1 to %d", name, len(s), most)
	}
	return nil
}

// ValidateRange refuses what Query cannot read.
func ValidateRange(r Range) error {
	if err := checkPart("PK", r.PK, MaxPartitionKeyBytes); err != nil {
		return err
	}
	for _, s := range []string{r.Prefix, r.From, r.To, r.ExclusiveStart} {
		if len(s) > MaxSortKeyBytes || !utf8.ValidString(s) {
			return invalid("a bound of %d bytes; it is UTF-8 of at most %d", len(s), MaxSortKeyBytes)
		}
	}
	switch {
	case r.Prefix != "" && r.From+r.To != "":
		return invalid("both a prefix and an interval")
	case (r.From == "") != (r.To == ""):
		return invalid("an interval with one end")
	case r.From > r.To:
		return invalid("an interval that ends before it begins")
	case r.ExclusiveStart != "" && !r.contains(r.ExclusiveStart):
		return invalid("a page that would begin outside its range")
	case r.Limit < 0:
		return invalid("a limit of %d", r.Limit)
	}
	return checkNames(r.Attributes)
}

func (r Range) contains(sk string) bool {
	return strings.HasPrefix(sk, r.Prefix) && (r.To == "" || r.From <= sk && sk <= r.To)
}

// checkNames refuses attributes that cannot be read; nil stands for all.
func checkNames(names []string) error {
	if names != nil && len(names) == 0 {
		return invalid("no attributes to read")
	}
	for i, name := range names {
		if err := checkName(name); err != nil {
			return err
		}
		if slices.Contains(names[:i], name) {
			return invalid("the attribute %q twice", name)
		}
	}
	return nil
}

// ValidateScan returns *InvalidError if from is neither the zero Key nor a valid key.
func ValidateScan(from Key) error {
	if from == (Key{}) {
		return nil
	}
	return checkKey(from)
}

func checkItem(it Item) error {
	for name, v := range it {
		if err := checkName(name); err != nil {
			return err
		}
		if err := checkValue(name, v); err != nil {
			return err
		}
	}
	return nil
}

// checkName refuses brackets, too: an expression would take what is in them for a place in a list.
func checkName(name string) error {
	if name == "" || !utf8.ValidString(name) || strings.ContainsAny(name, "[]") {
		return invalid("the attribute name %q", name)
	}
	return nil
}

func checkValue(name string, v types.AttributeValue) error {
	switch v := v.(type) {
	case *types.AttributeValueMemberBOOL:
		return nil
	case *types.AttributeValueMemberS:
		if utf8.ValidString(v.Value) {
			return nil
		}
	case *types.AttributeValueMemberN: // Int would not see any other number as it is
		if i, err := strconv.ParseInt(v.Value, 10, 64); err == nil && strconv.FormatInt(i, 10) == v.Value {
			return nil
		}
	case *types.AttributeValueMemberSS:
		if validSet(v.Value) {
			return nil
		}
	}
	return invalid("the value of %q: it is a string of UTF-8, a whole number of 64 bits, a boolean, "+
		"or a set of different non-empty strings", name)
}

func validSet(elements []string) bool {
	if !slices.IsSorted(elements) {
		elements = slices.Sorted(slices.Values(elements))
	}
	for i, s := range elements {
		if s == "" || i > 0 && s == elements[i-1] || !utf8.ValidString(s) {
			return false
		}
	}
	return len(elements) > 0
}

func checkCondition(c Condition) error {
	switch c.Op {
	case OpItemExists, OpItemNotExists:
		return nil
	case OpEquals:
		if err := checkValue(c.Attribute, c.Value); err != nil {
			return err
		}
	case OpAttributeNotExists, OpSetSizeBelow:
	default:
		return invalid("a condition of test %d", c.Op)
	}
	return checkName(c.Attribute)
}

func kind(v types.AttributeValue) string {
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

func invalid(format string, a ...any) error { return &InvalidError{Reason: fmt.Sprintf(format, a...)} }
func tooLarge(format string, a ...any) error {
	return &TooLargeError{Reason: fmt.Sprintf(format, a...)}
}
