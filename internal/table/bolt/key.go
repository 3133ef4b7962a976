package bolt

import (
	"bytes"
	"strings"

	"serverless-scim/internal/table"
)

// A bucket key is PK, partitionEnd, and SK. A zero byte of PK is escaped as (0, 255), so that partitionEnd cannot occur
// in PK. Different keys therefore have different bucket keys, and a partition is contiguous and sorted by SK.
var partitionEnd = []byte{0, 1}

func partitionPrefix(pk string) []byte { return bucketKey(table.Key{PK: pk}) }

func bucketKey(k table.Key) []byte {
	b := make([]byte, 0, len(k.PK)+strings.Count(k.PK, "\x00")+len(partitionEnd)+len(k.SK))
	for part := range strings.SplitAfterSeq(k.PK, "\x00") {
		if b = append(b, part...); strings.HasSuffix(part, "\x00") {
			b = append(b, 255)
		}
	}
	return append(append(b, partitionEnd...), k.SK...)
}

// isBucketKey reports whether key is the bucket key of an item with this PK and SK.
func isBucketKey(key, pk, sk []byte) bool {
	for i := bytes.IndexByte(pk, 0); i >= 0; i = bytes.IndexByte(pk, 0) {
		if !bytes.HasPrefix(key, pk[:i+1]) || len(key) == i+1 || key[i+1] != 255 {
			return false
		}
		key, pk = key[i+2:], pk[i+1:]
	}
	rest, found := bytes.CutPrefix(key, pk)
	if !found {
		return false
	}
	rest, found = bytes.CutPrefix(rest, partitionEnd)
	return found && bytes.Equal(rest, sk)
}

// rangeBounds returns the bucket keys between which a range lies: from is included, to is excluded.
func rangeBounds(r table.Range) (from, to []byte) {
	prefix := partitionPrefix(r.PK)
	at := func(sk string) []byte { return append(bytes.Clone(prefix), sk...) }
	if r.To != "" {
		from, to = at(r.From), keyAfter(at(r.To))
	} else {
		from, to = at(r.Prefix), at(r.Prefix)
		to[len(to)-1]++ // the byte ends partitionEnd or UTF-8 text, so it is not 255
	}
	switch {
	case r.ExclusiveStart == "":
	case r.Backward:
		to = at(r.ExclusiveStart)
	default:
		from = keyAfter(at(r.ExclusiveStart))
	}
	return from, to
}

// keyAfter returns the smallest bucket key greater than key. It may change the array of key.
func keyAfter(key []byte) []byte { return append(key, 0) }
