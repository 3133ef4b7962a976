package table

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"pgregory.net/rapid"
)

func TestSizeIsNamesAndValuesInBytes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		it   Item
		want int
	}{
		"nothing":     {nil, 0},
		"text":        {Item{"é": S("aé")}, 2 + 3},
		"empty":       {Item{"a": S("")}, 1},
		"bool":        {Item{"a": &types.AttributeValueMemberBOOL{}}, 1 + 1},
		"set":         {Item{"a": SS("x", "yy")}, 1 + 3},
		"0":           {Item{"a": N(0)}, 1 + 1},
		"7":           {Item{"a": N(7)}, 1 + 2},
		"99":          {Item{"a": N(99)}, 1 + 2},
		"100":         {Item{"a": N(100)}, 1 + 2},
		"101":         {Item{"a": N(101)}, 1 + 3},
		"-101":        {Item{"a": N(-101)}, 1 + 4},
		"all of them": {Item{"PK": S("p"), "SK": S("s"), "n": N(12)}, 3 + 3 + 3},
	} {
		if got := ItemSize(c.it); got != c.want {
			t.Errorf("%s: %d bytes, want %d", name, got, c.want)
		}
	}
}

func TestUpdateLeavesTheOldItemAlone(t *testing.T) {
	t.Parallel()
	old := Item{"PK": S("p"), "SK": S("s"), "set": SS("a", "b"), "more": SS("a")}
	u := Update{Key: old.Key(), Delete: Item{"set": SS("a")}, Add: Item{"more": SS("b")}, Remove: []string{"PK"}}
	if _, err := u.Apply(old); err != nil {
		t.Fatal(err)
	}
	if len(old) != 4 || len(StringSetValue(old["set"])) != 2 || len(StringSetValue(old["more"])) != 1 {
		t.Errorf("the old item became %v", old)
	}
}

func TestSumsKeepTo64Bits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		edge := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, -1, 0, 1, math.MaxInt64}))
		a, b := edge.Draw(t, "a"), edge.Draw(t, "b")
		it, err := Update{Add: Item{"n": N(b)}}.Apply(Item{"n": N(a)})
		sum := new(big.Int).Add(big.NewInt(a), big.NewInt(b))
		var invalid *InvalidError
		if sum.IsInt64() && (err != nil || IntValue(it["n"]) != sum.Int64()) || !sum.IsInt64() && !errors.As(err, &invalid) {
			t.Fatalf("%d + %d: %v, %v", a, b, it["n"], err)
		}
	})
}

// What the call alone shows is refused before anything is sent; the drivers see the rest.
func TestWhatTheCallShowsIsTooLarge(t *testing.T) {
	t.Parallel()
	half := S(strings.Repeat("x", MaxItemBytes/2))
	k := Key{PK: "p", SK: "s"}
	var tooLarge *TooLargeError
	u := Update{Key: k, Set: Item{"a": half}, Add: Item{"b": SS(half.(*types.AttributeValueMemberS).Value)}}
	if err := ValidateWrites([]Write{u}); !errors.As(err, &tooLarge) {
		t.Errorf("an update that sets and adds 400 KB: %v", err)
	}
	u.Add = nil
	if err := ValidateWrites([]Write{u}); err != nil {
		t.Errorf("an update that sets 200 KB: %v", err)
	}
}
