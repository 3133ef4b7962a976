// Package tabletest is the contract of table.Table as a suite of tests that every driver passes whole, and decorators
// that show what no emulator does: lost answers, and transactions that plain reads see in part. It tests no speed.
package tabletest

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"serverless-scim/internal/table"
)

// A rule is one sentence of the contract and what shows that a table keeps it.
type rule struct {
	name     string
	sentence string
	check    func(*subject)
}

// Run checks every rule, each on a table of its own: open returns an empty one and cleans up after the test.
func Run(t *testing.T, open func(*testing.T) table.Table) {
	for _, r := range slices.Concat(readRules(), writeRules(), conditionRules(), limitRules(), queryRules(),
		concurrentRules(), meterRules(), modelRules()) {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			t.Cleanup(func() {
				if t.Failed() {
					t.Log("the rule: " + r.sentence)
				}
			})
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Minute)
			t.Cleanup(cancel)
			r.check(&subject{T: t, Table: open(t), ctx: ctx})
		})
	}
}

// subject is a table under test.
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

// put writes items, as many at a time as go into a transaction.
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

// holds checks what is stored under a key; nil: nothing.
func (s *subject) holds(k table.Key, want table.Item) {
	s.Helper()
	got, err := s.Get(s.ctx, nil, k)
	if err != nil {
		s.Fatalf("Get: %v", err)
	}
	var wanted []table.Item
	if want != nil {
		wanted = append(wanted, want)
	}
	s.same("stored", got, wanted)
}

// same compares items without regard to their order.
func (s *subject) same(what string, got, want []table.Item) {
	s.Helper()
	if g, w := list(got), list(want); g != w {
		s.Errorf("%s:\n got %s\nwant %s", what, g, w)
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

// walk reads a range page by page to its end.
func (s *subject) walk(r table.Range) (items []table.Item, pages int) {
	s.Helper()
	for {
		p := s.query(r)
		items, pages = append(items, p.Items...), pages+1
		if r.Limit > 0 && len(p.Items) > r.Limit {
			s.Errorf("a page of %d items with the limit %d", len(p.Items), r.Limit)
		}
		if p.LastEvaluatedKey == (table.Key{}) {
			return items, pages
		}
		if pages > 1000 {
			s.Fatalf("the range %+v does not end", r)
		}
		r.ExclusiveStart = p.LastEvaluatedKey.SK
	}
}

// is tells whether err is, or wraps, an E.
func is[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

func key(pk, sk string) table.Key { return table.Key{PK: pk, SK: sk} }

// item makes an item of a key and pairs of a name and a string, int, bool or []string.
func item(k table.Key, pairs ...any) table.Item {
	it := table.Item{"PK": table.S(k.PK), "SK": table.S(k.SK)}
	for i := 0; i < len(pairs); i += 2 {
		it[pairs[i].(string)] = value(pairs[i+1])
	}
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

// list is items as text, sorted.
func list(items []table.Item) string {
	texts := make([]string, len(items))
	for i, it := range items {
		texts[i] = text(it)
	}
	slices.Sort(texts)
	return strings.Join(texts, "\n     ")
}

// text is an item as text, the same for equal ones.
func text(it table.Item) string {
	if it == nil {
		return "nothing"
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(it)) {
		fmt.Fprintf(&b, "%q=", name)
		switch v := it[name].(type) {
		case *types.AttributeValueMemberS:
			b.WriteString(short(v.Value))
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

// short stands for a long string with its beginning, length and checksum.
func short(s string) string {
	if len(s) <= 100 {
		return fmt.Sprintf("%+q", s)
	}
	return fmt.Sprintf("%+q…(%d bytes, %08x)", s[:20], len(s), crc32.ChecksumIEEE([]byte(s)))
}
