package bolt

import (
	"bytes"
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

func TestItemsSurviveEncoding(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		it := drawItem(t)
		b := encode(it)
		got, err := decode(b)
		if err != nil || !reflect.DeepEqual(got, it) {
			t.Fatalf("%v became %v, %v", it, got, err)
		}
		for i := range b { // a text may be another text; what must not be is a second encoding or a panic
			damaged := bytes.Clone(b)
			damaged[i] ^= byte(rapid.IntRange(1, 255).Draw(t, "damage"))
			onlyEncoding(t, damaged)
		}
		if _, err := decode(b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")]); err == nil {
			t.Fatal("a cut item was read")
		}
		if _, err := decode(append(b, 0)); err == nil {
			t.Fatal("an item with something behind it was read")
		}
	})
}

func onlyEncoding(t interface{ Fatalf(string, ...any) }, b []byte) {
	if it, err := decode(b); err == nil && !bytes.Equal(encode(it), b) {
		t.Fatalf("%x is a second encoding of %v", b, it)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{version, 1, 1, 'a', typeSS, 255, 255, 255, 255, 15})
	f.Add(encode(table.Item{"PK": table.S("p"), "SK": table.S("s"), "n": table.N(math.MinInt64), "set": table.SS("a", "b")}))
	f.Fuzz(func(t *testing.T, b []byte) { onlyEncoding(t, b) })
}
