package bolt

import (
	"bytes"
	"strings"

	"serverless-scim/internal/table"
)

// A bucket key is PK, an end mark and SK. PK is escaped so that the end mark (0, 1) cannot occur in it: a zero byte
// becomes (0, 255). So no two keys share a bucket key, a partition is one run of the bucket, and SK orders it.
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

// partitionPart is the part of a bucket key that stands for PK.
func partitionPart(key []byte) []byte {
	i := bytes.Index(key, partitionEnd)
	return key[:i+len(partitionEnd)]
}

// rangeBounds is where a range begins in the bucket, and the first place behind it.
func rangeBounds(r table.Range) (from, to []byte) {
	p := partitionPrefix(r.PK)
	at := func(sk string) []byte { return append(bytes.Clone(p), sk...) }
	if r.To != "" {
		from, to = at(r.From), keyAfter(at(r.To))
	} else {
		from, to = at(r.Prefix), at(r.Prefix)
		to[len(to)-1]++ // it is the end mark or UTF-8, and so not 255
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

// keyAfter is the first possible key after a key.
func keyAfter(key []byte) []byte { return append(key, 0) }
