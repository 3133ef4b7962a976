package tabletest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"serverless-scim/internal/table"
)

// A rule is one rule of the contract and its check.
type rule struct {
	name     string
	sentence string // the rule, printed if the check fails
	check    func(*subject)
}

// A subject is a table under test, with the test and the context of its calls.
type subject struct {
	*testing.T
	table.Table
	ctx context.Context
}

func (s *subject) write(writes ...table.Write) {
	s.Helper()
	if err := s.Write(s.ctx, writes...); err != nil {
		s.Fatalf("Write: %v", err)
	}
}

// put writes items, with at most 100 in a transaction.
func (s *subject) put(items ...table.Item) {
	s.Helper()
	var writes []table.Write
	for i, it := range items {
		writes = append(writes, table.Put{Item: it})
		if len(writes) == table.MaxTransactionActions || i == len(items)-1 {
			s.write(writes...)
			writes = nil
		}
	}
}

func (s *subject) query(r table.Range) table.Page {
	s.Helper()
	p, err := s.Query(s.ctx, r)
	if err != nil {
		s.Fatalf("Query %+v: %v", r, err)
	}
	return p
}

// readRange reads a range page by page to its end.
func (s *subject) readRange(r table.Range) (items []table.Item, pages int) {
	s.Helper()
	for {
		p := s.query(r)
		items, pages = append(items, p.Items...), pages+1
		if r.Limit > 0 && len(p.Items) > r.Limit {
			s.Errorf("a page has %d items, want at most %d", len(p.Items), r.Limit)
		}
		if p.LastEvaluatedKey == (table.Key{}) {
			return items, pages
		}
		if pages > 1000 {
			s.Fatalf("the range %+v has more than 1000 pages", r)
		}
		r.ExclusiveStart = p.LastEvaluatedKey.SK
	}
}

// scan reads all items, page by page.
func (s *subject) scan() (items []table.Item, pages int) {
	s.Helper()
	for from := (table.Key{}); ; {
		p, err := s.Scan(s.ctx, from)
		if err != nil {
			s.Fatal(err)
		}
		items, pages = append(items, p.Items...), pages+1
		if from = p.LastEvaluatedKey; from == (table.Key{}) {
			return items, pages
		}
	}
}

// checkStored checks the item that is stored at a key; nil means none.
func (s *subject) checkStored(k table.Key, want table.Item) {
	s.Helper()
	got, err := s.Get(s.ctx, nil, k)
	if err != nil {
		s.Fatalf("Get: %v", err)
	}
	var wantItems []table.Item
	if want != nil {
		wantItems = append(wantItems, want)
	}
	s.checkItems("stored", got, wantItems)
}

// checkItems compares items without regard to their order.
func (s *subject) checkItems(what string, got, want []table.Item) {
	s.Helper()
	if g, w := list(got), list(want); g != w {
		s.Errorf("%s:\n got %s\nwant %s", what, g, w)
	}
}

// checkConditionError checks that err is a ConditionError with these items.
func (s *subject) checkConditionError(what string, err error, want map[int]table.Item) {
	s.Helper()
	if got := failedItems(err); got != fmt.Sprint(texts(want)) {
		s.Errorf("%s: %v\n got %s\nwant %v", what, err, got, texts(want))
	}
}

func key(pk, sk string) table.Key { return table.Key{PK: pk, SK: sk} }

// item returns an item with a key and attributes. pairs are names, each with a string, int, bool, or []string.
func item(k table.Key, pairs ...any) table.Item {
	it := table.Item{"PK": table.S(k.PK), "SK": table.S(k.SK)}
	for i := 0; i < len(pairs); i += 2 {
		it[pairs[i].(string)] = value(pairs[i+1])
	}
	return it
}

// ofSize returns an item of n bytes.
func ofSize(k table.Key, n int) table.Item {
	it := item(k, "x", "")
	it["x"] = value(strings.Repeat("x", n-table.ItemSize(it)))
	return it
}

func value(v any) types.AttributeValue {
	switch v := v.(type) {
	case string:
		return table.S(v)
	case int:
		return table.N(int64(v))
	case bool:
		return &types.AttributeValueMemberBOOL{Value: v}
	default:
		return table.SS(v.([]string)...)
	}
}

// is reports whether err is, or wraps, an E.
func is[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}
