package table

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// ValidateWrites returns *InvalidError or *TooLargeError if Write must reject the writes for any content of the table.
func ValidateWrites(writes []Write) error {
	if len(writes) == 0 || len(writes) > MaxTransactionActions {
		return invalidError("a transaction has %d writes; it must have 1 to %d", len(writes), MaxTransactionActions)
	}
	keys, total := make([]Key, len(writes)), 0
	for i, w := range writes {
		n, err := validateWrite(w)
		if err != nil {
			return err
		}
		keys[i] = w.Target()
		total += n
	}
	if total > MaxTransactionBytes {
		return tooLargeError("a transaction of %d bytes; the limit is %d", total, MaxTransactionBytes)
	}
	return ValidateKeys(keys, MaxTransactionActions)
}

// validateWrite returns the minimum size of the new item.
func validateWrite(w Write) (minSize int, err error) {
	switch w := w.(type) {
	case Put:
		minSize, err = ItemSize(w.Item), validateItem(w.Item)
	case Update:
		minSize, err = ItemSize(w.Set)+ItemSize(w.Add), validateUpdate(w)
	case ConditionCheck:
		if len(w.If) == 0 {
			err = invalidError("a ConditionCheck has no condition")
		}
	case Delete:
	default:
		return 0, invalidError("%T is not a kind of write", w)
	}
	for _, c := range w.Conditions() {
		if err == nil {
			err = validateCondition(c)
		}
	}
	if err == nil && minSize > MaxItemBytes {
		err = tooLargeError("an item of %d bytes; the limit is %d", minSize, MaxItemBytes)
	}
	return minSize, err
}

func validateUpdate(w Update) error {
	parts := [...]Item{w.Set, w.Add, w.Delete}
	if len(w.Set)+len(w.Add)+len(w.Delete)+len(w.Remove) == 0 {
		return invalidError("an Update changes nothing")
	}
	for i, name := range w.Remove {
		if err := validateChange(name, w.Remove[:i]); err != nil {
			return err
		}
	}
	for i, part := range parts {
		if err := validateItem(part); err != nil {
			return err
		}
		for name := range part {
			if err := validateChange(name, w.Remove, parts[:i]...); err != nil {
				return err
			}
		}
	}
	for name, v := range w.Add {
		if typeName(v) != "N" && typeName(v) != "SS" {
			return invalidError("Add of the type %s to %q; it must be N or SS", typeName(v), name)
		}
	}
	for name, v := range w.Delete {
		if typeName(v) != "SS" {
			return invalidError("Delete of the type %s from %q; it must be SS", typeName(v), name)
		}
	}
	return nil
}

// validateChange rejects a change of a key attribute, or of an attribute in removed or other parts of the update.
func validateChange(name string, removed []string, otherParts ...Item) error {
	if name == "PK" || name == "SK" {
		return invalidError("an Update changes the key attribute %s", name)
	}
	duplicate := slices.Contains(removed, name)
	for _, part := range otherParts {
		_, found := part[name]
		duplicate = duplicate || found
	}
	if duplicate {
		return invalidError("an Update changes the attribute %q twice", name)
	}
	return validateName(name)
}

// ValidateKeys returns *InvalidError for an invalid key, a duplicate key, and for no keys or more than limit. If limit
// is 0, any number is valid.
func ValidateKeys(keys []Key, limit int) error {
	if limit > 0 && (len(keys) == 0 || len(keys) > limit) {
		return invalidError("a call has %d keys; it must have 1 to %d", len(keys), limit)
	}
	var seen map[Key]bool
	if len(keys) > 1 {
		seen = make(map[Key]bool, len(keys))
	}
	for _, k := range keys {
		if err := validateKey(k); err != nil || len(keys) == 1 {
			return err
		}
		if seen[k] {
			return invalidError("the key %q occurs twice", k)
		}
		seen[k] = true
	}
	return nil
}

// ValidateGet returns *InvalidError if Get must reject the arguments.
func ValidateGet(attributes []string, keys []Key) error {
	if err := validateNames(attributes); err != nil {
		return err
	}
	return ValidateKeys(keys, 0)
}

func validateKey(k Key) error {
	if err := validateKeyPart("PK", k.PK, MaxPartitionKeyBytes); err != nil {
		return err
	}
	return validateKeyPart("SK", k.SK, MaxSortKeyBytes)
}

func validateKeyPart(name, s string, maxBytes int) error {
	if s == "" || len(s) > maxBytes || !utf8.ValidString(s) {
		return invalidError("%s has %d bytes; it must be UTF-8 of 1 to %d bytes", name, len(s), maxBytes)
	}
	return nil
}

// ValidateRange returns *InvalidError if Query must reject the range.
func ValidateRange(r Range) error {
	if err := validateKeyPart("PK", r.PK, MaxPartitionKeyBytes); err != nil {
		return err
	}
	for _, s := range []string{r.Prefix, r.From, r.To, r.ExclusiveStart} {
		if len(s) > MaxSortKeyBytes || !utf8.ValidString(s) {
			return invalidError("a bound has %d bytes; it must be UTF-8 of at most %d bytes", len(s), MaxSortKeyBytes)
		}
	}
	switch {
	case r.Prefix != "" && r.From+r.To != "":
		return invalidError("a range has both Prefix and From or To")
	case (r.From == "") != (r.To == ""):
		return invalidError("a range has only one of From and To")
	case r.From > r.To:
		return invalidError("From is greater than To")
	case r.ExclusiveStart != "" && !r.contains(r.ExclusiveStart):
		return invalidError("ExclusiveStart is outside the range")
	case r.Limit < 0:
		return invalidError("the limit %d is negative", r.Limit)
	}
	return validateNames(r.Attributes)
}

// validateNames checks the names of attributes to read; nil means all.
func validateNames(names []string) error {
	if names != nil && len(names) == 0 {
		return invalidError("the list of attributes is empty; nil means all")
	}
	for i, name := range names {
		if err := validateName(name); err != nil {
			return err
		}
		if slices.Contains(names[:i], name) {
			return invalidError("the attribute %q occurs twice", name)
		}
	}
	return nil
}

// ValidateScan returns *InvalidError if from is neither the zero Key nor a valid key.
func ValidateScan(from Key) error {
	if from == (Key{}) {
		return nil
	}
	return validateKey(from)
}

func validateItem(it Item) error {
	for name, v := range it {
		if err := validateName(name); err != nil {
			return err
		}
		if err := validateValue(name, v); err != nil {
			return err
		}
	}
	return nil
}

// validateName also rejects brackets, because an expression would read them as an index of a list.
func validateName(name string) error {
	if name == "" || !utf8.ValidString(name) || strings.IndexByte(name, '[') >= 0 || strings.IndexByte(name, ']') >= 0 {
		return invalidError("%q is not a valid attribute name", name)
	}
	return nil
}

func validateValue(name string, v types.AttributeValue) error {
	switch v := v.(type) {
	case *types.AttributeValueMemberBOOL:
		return nil
	case *types.AttributeValueMemberS:
		if utf8.ValidString(v.Value) {
			return nil
		}
	case *types.AttributeValueMemberN: // IntValue reads only this form correctly
		if i, err := strconv.ParseInt(v.Value, 10, 64); err == nil && strconv.FormatInt(i, 10) == v.Value {
			return nil
		}
	case *types.AttributeValueMemberSS:
		if isValidSet(v.Value) {
			return nil
		}
	}
	return invalidError("the value of %q must be a UTF-8 string, a whole number of 64 bits, a boolean, "+
		"or a set of different non-empty strings", name)
}

// isValidSet reports whether the elements are different, non-empty UTF-8 strings, and at least one.
func isValidSet(elements []string) bool {
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

func validateCondition(c Condition) error {
	switch c.Op {
	case OpItemExists, OpItemNotExists:
		return nil
	case OpEquals:
		if err := validateValue(c.Attribute, c.Value); err != nil {
			return err
		}
	case OpAttributeNotExists, OpSetSizeBelow:
	default:
		return invalidError("unknown condition %d", c.Op)
	}
	return validateName(c.Attribute)
}
