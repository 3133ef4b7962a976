package table

import "strings"

// A Range selects items of one partition: all of them, those whose sort keys begin with Prefix, or those with sort keys
// from From through To.
type Range struct {
	PK             string
	Prefix         string
	From, To       string   // set both or neither, and not with Prefix
	ExclusiveStart string   // skip through this sort key, in reading order; it must lie in the range
	Backward       bool     // read from the last sort key to the first
	Limit          int      // maximum number of items in the page; 0: no limit
	Attributes     []string // attributes to return, PK and SK only if named; nil: all
}

func (r Range) contains(sk string) bool {
	return strings.HasPrefix(sk, r.Prefix) && (r.To == "" || r.From <= sk && sk <= r.To)
}

// A Page is one page of the result of a Query or a Scan. DynamoDB reads at most 1 MB for a page. A page may be empty
// although more follow.
type Page struct {
	Items []Item

	// LastEvaluatedKey is where the next page begins: pass its SK as Range.ExclusiveStart, or the whole key to Scan. It
	// may be set although no item follows. The zero Key ends the result.
	LastEvaluatedKey Key
}
