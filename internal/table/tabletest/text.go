package tabletest

import (
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"serverless-scim/internal/table"
)

// list returns items as sorted text.
func list(items []table.Item) string {
	texts := make([]string, len(items))
	for i, it := range items {
		texts[i] = text(it)
	}
	slices.Sort(texts)
	return strings.Join(texts, "\n     ")
}

// text returns an item as text. Equal items have equal text.
func text(it table.Item) string {
	if it == nil {
		return "no item"
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(it)) {
		fmt.Fprintf(&b, "%q=", name)
		switch v := it[name].(type) {
		case *types.AttributeValueMemberS:
			b.WriteString(abbreviate(v.Value))
		case *types.AttributeValueMemberN:
			b.WriteString(v.Value)
		case *types.AttributeValueMemberSS:
			fmt.Fprintf(&b, "%+q", v.Value)
		case *types.AttributeValueMemberBOOL:
			fmt.Fprint(&b, v.Value)
		}
		b.WriteByte(' ')
	}
	return b.String()
}

// abbreviate replaces a long string with its beginning, length, and checksum.
func abbreviate(s string) string {
	if len(s) <= 100 {
		return fmt.Sprintf("%+q", s)
	}
	return fmt.Sprintf("%+q…(%d bytes, %08x)", s[:20], len(s), crc32.ChecksumIEEE([]byte(s)))
}

// failedItems returns the items of a ConditionError as text, and "" for any other error.
func failedItems(err error) string {
	var conditionErr *table.ConditionError
	if !errors.As(err, &conditionErr) {
		return ""
	}
	return fmt.Sprint(texts(conditionErr.Items))
}

// texts returns items as text.
func texts(items map[int]table.Item) map[int]string {
	m := map[int]string{}
	for i, it := range items {
		m[i] = text(it)
	}
	return m
}

// outcome returns the result of a Write as text for the trace.
func outcome(err error) string {
	if failed := failedItems(err); failed != "" {
		return "condition failed: " + failed
	}
	return fmt.Sprint(err)
}

// describe returns the writes as text for the trace.
func describe(writes []table.Write) string {
	var b strings.Builder
	for _, w := range writes {
		action := strings.TrimPrefix(fmt.Sprintf("%T", w), "table.")
		fmt.Fprintf(&b, "\n    %s %s %s", action, w.Target().PK, w.Target().SK)
		switch w := w.(type) {
		case table.Put:
			fmt.Fprintf(&b, " {%s}", text(w.Item))
		case table.Update:
			fmt.Fprintf(&b, " set {%s} add {%s} delete {%s} remove %v",
				text(w.Set), text(w.Add), text(w.Delete), w.Remove)
		}
		for _, c := range w.Conditions() {
			value := ""
			if c.Value != nil {
				value = text(table.Item{"": c.Value})
			}
			op := [...]string{"exists", "not exists", "attribute not exists", "equals", "set size below"}[c.Op]
			fmt.Fprintf(&b, " if %s %s%s", op, c.Attribute, value)
		}
	}
	return b.String()
}

// describeItem returns an item as text, and "" for no item.
func describeItem(it table.Item) string {
	if it == nil {
		return ""
	}
	return list([]table.Item{it})
}
