package bolt

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"serverless-scim/internal/table"
)

func drawPart(t *rapid.T, name string) string {
	return rapid.StringOfN(rapid.RuneFrom([]rune("\x00\x01a\u00ff\U0010ffff")), 1, 5, -1).Draw(t, name)
}

func drawKey(t *rapid.T) table.Key {
	return table.Key{PK: drawPart(t, "PK"), SK: drawPart(t, "SK")}
}

func TestBucketKeysAreDistinctAndOrdered(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawKey(t), drawKey(t)
		order := bytes.Compare(bucketKey(a), bucketKey(b))
		if (order == 0) != (a == b) {
			t.Fatalf("%+q and %+q share a bucket key", a, b)
		}
		if a.PK == b.PK && order != strings.Compare(a.SK, b.SK) {
			t.Fatalf("%+q and %+q are out of order", a, b)
		}
		if bytes.Equal(partitionPart(bucketKey(a)), partitionPart(bucketKey(b))) != (a.PK == b.PK) {
			t.Fatalf("%+q and %+q: partitionPart is wrong", a, b)
		}
	})
}

func TestRangeBoundsContainExactlyTheRange(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k := drawKey(t)
		r := table.Range{PK: drawPart(t, "PK"), Backward: rapid.Bool().Draw(t, "backward")}
		switch rapid.IntRange(0, 2).Draw(t, "part") {
		case 0:
			r.Prefix = drawPart(t, "prefix")
		case 1:
			r.From, r.To = drawPart(t, "from"), drawPart(t, "to")
		}
		if rapid.Bool().Draw(t, "has start") {
			r.ExclusiveStart = drawPart(t, "after")
		}
		inside := k.PK == r.PK && strings.HasPrefix(k.SK, r.Prefix) && (r.To == "" || r.From <= k.SK && k.SK <= r.To)
		afterStart := r.ExclusiveStart == "" || !r.Backward && k.SK > r.ExclusiveStart ||
			r.Backward && k.SK < r.ExclusiveStart
		if table.ValidateRange(r) != nil {
			t.Skip("the range is invalid")
		}
		from, to := rangeBounds(r)
		at := bucketKey(k)
		if got := bytes.Compare(from, at) <= 0 && bytes.Compare(at, to) < 0; got != (inside && afterStart) {
			t.Fatalf("%+q in %+v: %v", k, r, got)
		}
	})
}

// partitionPart returns the part of a bucket key up to and including partitionEnd.
func partitionPart(key []byte) []byte {
	i := bytes.Index(key, partitionEnd)
	return key[:i+len(partitionEnd)]
}
