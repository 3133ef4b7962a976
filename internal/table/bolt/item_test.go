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
	text := rapid.String()
	value := rapid.OneOf(
		rapid.Map(text, table.S),
		rapid.Map(rapid.Int64(), table.N),
		rapid.Map(rapid.SliceOfNDistinct(rapid.StringN(1, -1, -1), 1, 5, rapid.ID), func(s []string) types.AttributeValue {
			return table.SS(s...)
		}),
		rapid.Map(rapid.Bool(), func(b bool) types.AttributeValue { return &types.AttributeValueMemberBOOL{Value: b} }),
	)
	return rapid.MapOfN(rapid.StringN(1, -1, -1), value, 1, 8).Draw(t, "item")
}

// decode reads an item, all of it or some attributes; what it returns shares no memory with b.
func decode(b []byte, attributes []string) (table.Item, error) {
	r := encodedItem{}
	if err := r.read(b); err != nil {
		return nil, err
	}
	return r.item(attributes), nil
}

func TestItemsSurviveEncoding(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		it := drawItem(t)
		b := encode(it)
		got, err := decode(b, nil)
		if err != nil || !reflect.DeepEqual(got, it) {
			t.Fatalf("%v became %v, %v", it, got, err)
		}
		var names []string
		part := table.Item{}
		for name, v := range it {
			if rapid.Bool().Draw(t, "wanted") {
				names, part[name] = append(names, name), v
			}
		}
		if got, err := decode(b, append(names, "\xff")); err != nil || !reflect.DeepEqual(got, part) {
			t.Fatalf("of %v, %q are %v, %v", it, names, got, err)
		}
		r := encodedItem{}
		if err := r.read(b); err != nil || r.size != table.ItemSize(it) {
			t.Fatalf("%v has %d bytes, not %d: %v", it, table.ItemSize(it), r.size, err)
		}
		for i := range b { // a text may be another text; what must not be is a second encoding or a panic
			damaged := bytes.Clone(b)
			damaged[i] ^= byte(rapid.IntRange(1, 255).Draw(t, "damage"))
			onlyEncoding(t, damaged)
		}
		if _, err := decode(b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")], nil); err == nil {
			t.Fatal("a cut item was read")
		}
		if _, err := decode(append(b, 0), nil); err == nil {
			t.Fatal("an item with something behind it was read")
		}
	})
}

func TestOtherEncodingsAreDamage(t *testing.T) {
	t.Parallel()
	whole := []byte{encodingVersion, 2, 1, 'a', typeN, 2, 1, 'b', typeSS, 2, 1, 'x', 1, 'y'}
	if it, err := decode(whole, nil); err != nil || len(it) != 2 {
		t.Fatalf("%v, %v", it, err)
	}
	for what, b := range map[string][]byte{
		"nothing":                {},
		"another version":        {encodingVersion + 1, 0},
		"a name twice":           {encodingVersion, 2, 1, 'a', typeTrue, 1, 'a', typeFalse},
		"names out of order":     {encodingVersion, 2, 1, 'b', typeTrue, 1, 'a', typeTrue},
		"no name":                {encodingVersion, 1, 0, typeTrue},
		"a name not of UTF-8":    {encodingVersion, 1, 1, 255, typeTrue},
		"a text not of UTF-8":    {encodingVersion, 1, 1, 'a', typeS, 1, 255},
		"an unknown type":        {encodingVersion, 1, 1, 'a', 99},
		"an empty set":           {encodingVersion, 1, 1, 'a', typeSS, 0},
		"an element twice":       {encodingVersion, 1, 1, 'a', typeSS, 2, 1, 'x', 1, 'x'},
		"elements out of order":  {encodingVersion, 1, 1, 'a', typeSS, 2, 1, 'y', 1, 'x'},
		"an empty element":       {encodingVersion, 1, 1, 'a', typeSS, 1, 0},
		"a padded number":        {encodingVersion, 1, 1, 'a', typeN, 0x82, 0},
		"a padded length":        {encodingVersion, 1, 0x81, 0, 'a', typeTrue},
		"a number without end":   {encodingVersion, 1, 1, 'a', typeN, 0x82},
		"a length beyond memory": {encodingVersion, 1, 1, 'a', typeS, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1},
		"more than it says":      {encodingVersion, 0, 1, 'a', typeTrue},
	} {
		if it, err := decode(b, nil); !errors.Is(err, errCorruptItem) {
			t.Errorf("%s: %v, %v", what, it, err)
		}
	}
}

func onlyEncoding(t interface{ Fatalf(string, ...any) }, b []byte) {
	if it, err := decode(b, nil); err == nil && !bytes.Equal(encode(it), b) {
		t.Fatalf("%x is a second encoding of %v", b, it)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{encodingVersion, 1, 1, 'a', typeSS, 255, 255, 255, 255, 15})
	f.Add(encode(table.Item{"PK": table.S("p"), "SK": table.S("s"), "n": table.N(math.MinInt64), "set": table.SS("a", "b")}))
	f.Fuzz(func(t *testing.T, b []byte) { onlyEncoding(t, b) })
}
