package bolt

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"pgregory.net/rapid"

	"serverless-scim/internal/table"
)

func drawItem(t *rapid.T) table.Item {
	elements := rapid.SliceOfNDistinct(rapid.StringN(1, -1, -1), 1, 5, rapid.ID)
	value := rapid.OneOf(
		rapid.Map(rapid.String(), table.S),
		rapid.Map(rapid.Int64(), table.N),
		rapid.Map(elements, func(s []string) types.AttributeValue { return table.SS(s...) }),
		rapid.Map(rapid.Bool(), func(b bool) types.AttributeValue { return &types.AttributeValueMemberBOOL{Value: b} }),
	)
	return rapid.MapOfN(rapid.StringN(1, -1, -1), value, 1, 8).Draw(t, "item")
}

// decode decodes an item with these attributes; nil means all.
func decode(b []byte, attributes []string) (table.Item, error) {
	r := encodedItem{}
	if err := r.read(b); err != nil {
		return nil, err
	}
	return r.item(attributes), nil
}

func TestDecodedItemEqualsEncodedItem(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		it := drawItem(t)
		b := encode(it)
		got, err := decode(b, nil)
		if err != nil || !reflect.DeepEqual(got, it) {
			t.Fatalf("%v was decoded as %v, %v", it, got, err)
		}
		var names []string
		part := table.Item{}
		for name, v := range it {
			if rapid.Bool().Draw(t, "selected") {
				names, part[name] = append(names, name), v
			}
		}
		if got, err := decode(b, append(names, "\xff")); err != nil || !reflect.DeepEqual(got, part) {
			t.Fatalf("decoding of %v with the attributes %q: %v, %v", it, names, got, err)
		}
		r := encodedItem{}
		if err := r.read(b); err != nil || r.size != table.ItemSize(it) {
			t.Fatalf("%v has %d bytes, got %d: %v", it, table.ItemSize(it), r.size, err)
		}
		for i := range b { // a changed byte may encode another item, but not in a second way
			changed := bytes.Clone(b)
			changed[i] ^= byte(rapid.IntRange(1, 255).Draw(t, "change"))
			checkOnlyEncoding(t, changed)
		}
		if _, err := decode(b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")], nil); err == nil {
			t.Fatal("a truncated item was decoded")
		}
		if _, err := decode(append(b, 0), nil); err == nil {
			t.Fatal("an item with a trailing byte was decoded")
		}
	})
}

func TestOtherEncodingsAreCorrupt(t *testing.T) {
	t.Parallel()
	valid := []byte{encodingVersion, 2, 1, 'a', typeN, 2, 1, 'b', typeSS, 2, 1, 'x', 1, 'y'}
	if it, err := decode(valid, nil); err != nil || len(it) != 2 {
		t.Fatalf("%v, %v", it, err)
	}
	for what, b := range map[string][]byte{
		"empty":                 {},
		"another version":       {encodingVersion + 1, 0},
		"duplicate name":        {encodingVersion, 2, 1, 'a', typeTrue, 1, 'a', typeFalse},
		"names out of order":    {encodingVersion, 2, 1, 'b', typeTrue, 1, 'a', typeTrue},
		"empty name":            {encodingVersion, 1, 0, typeTrue},
		"a name not of UTF-8":   {encodingVersion, 1, 1, 255, typeTrue},
		"a string not of UTF-8": {encodingVersion, 1, 1, 'a', typeS, 1, 255},
		"an unknown type":       {encodingVersion, 1, 1, 'a', 99},
		"an empty set":          {encodingVersion, 1, 1, 'a', typeSS, 0},
		"duplicate element":     {encodingVersion, 1, 1, 'a', typeSS, 2, 1, 'x', 1, 'x'},
		"elements out of order": {encodingVersion, 1, 1, 'a', typeSS, 2, 1, 'y', 1, 'x'},
		"an empty element":      {encodingVersion, 1, 1, 'a', typeSS, 1, 0},
		"a padded number":       {encodingVersion, 1, 1, 'a', typeN, 0x82, 0},
		"a padded length":       {encodingVersion, 1, 0x81, 0, 'a', typeTrue},
		"an unfinished number":  {encodingVersion, 1, 1, 'a', typeN, 0x82},
		"a huge length":         {encodingVersion, 1, 1, 'a', typeS, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1},
		"too small a count":     {encodingVersion, 0, 1, 'a', typeTrue},
	} {
		if it, err := decode(b, nil); !errors.Is(err, errCorruptItem) {
			t.Errorf("%s: %v, %v", what, it, err)
		}
	}
}

// checkOnlyEncoding fails the test if b is an encoding of an item, but not the one that encode returns.
func checkOnlyEncoding(t interface{ Fatalf(string, ...any) }, b []byte) {
	if it, err := decode(b, nil); err == nil && !bytes.Equal(encode(it), b) {
		t.Fatalf("%x is a second encoding of %v", b, it)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{encodingVersion, 1, 1, 'a', typeSS, 255, 255, 255, 255, 15})
	f.Add(encode(table.Item{
		"PK": table.S("p"), "SK": table.S("s"), "n": table.N(math.MinInt64), "set": table.SS("a", "b"),
	}))
	f.Fuzz(func(t *testing.T, b []byte) { checkOnlyEncoding(t, b) })
}
