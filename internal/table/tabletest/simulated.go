package tabletest

import (
	"context"
	"errors"
	"slices"
	"strings"

	"serverless-scim/internal/table"
)

// place is where an item is, or was.
type place struct {
	table.Key
	item   table.Item   // as of now; nil: none
	seen   table.Item   // as plain reads see it
	writer *Transaction // that has changed it, but not for plain reads
}

// Transaction is a Write on its way, or one that has happened.
type Transaction struct {
	Writes        []table.Write
	Before, After []table.Item // of each write's item, once it has happened
	Request       *Request     // whose it is

	done   bool // its token is known
	old    bool // its token has expired
	hidden int  // items that plain reads do not see yet
	sender *thread
}

// Visible tells whether plain reads see all of it.
func (t *Transaction) Visible() bool { return t.hidden == 0 }

// Peek is an item as it is, and as plain reads see it, and whether these may differ.
func (s *Simulation) Peek(k table.Key) (now, seen table.Item, lagging bool) {
	if p := s.places[k]; p != nil {
		return p.item, p.seen, p.writer != nil
	}
	return nil, nil, false
}

// Store puts items in place at once.
func (s *Simulation) Store(items ...table.Item) {
	for _, it := range items {
		p := s.place(it.Key())
		p.item, p.seen = it, it
	}
}

// place finds a place, or makes it.
func (s *Simulation) place(k table.Key) *place {
	if p := s.places[k]; p != nil {
		return p
	}
	p := &place{Key: k}
	all := s.partitions[k.PK]
	i, _ := slices.BinarySearchFunc(all, k.SK, func(p *place, sk string) int { return strings.Compare(p.SK, sk) })
	s.places[k], s.partitions[k.PK] = p, slices.Insert(all, i, p)
	return p
}

// show lets plain reads see an item.
func (s *Simulation) show(i int) {
	p := s.lagging[i]
	s.Log("all can see %v", p.Key)
	s.lagging = slices.Delete(s.lagging, i, i+1)
	t := p.writer
	p.seen, p.writer = p.item, nil
	if t.hidden--; t.hidden == 0 {
		s.wake(t.sender, t)
	}
}

// call is a step before a call to the table, which may turn out to be after the deadline.
func (s *Simulation) call(ctx context.Context) error {
	s.step()
	r := s.running.process.request
	if !r.Expired && s.chance(s.odds.expire) {
		s.Log("%s is at its deadline", s.running.name)
		s.Expired++
		r.Expired = true
	}
	if err := ctx.Err(); err != nil {
		return &table.TransientError{Err: err}
	}
	return nil
}

// Get reads one key after another.
func (s *Simulation) Get(ctx context.Context, attributes []string, keys ...table.Key) (items []table.Item, err error) {
	if err := table.ValidateGet(attributes, keys); err != nil || len(keys) == 0 {
		return nil, err
	}
	if err := s.call(ctx); err != nil {
		return nil, err
	}
	for i, k := range keys {
		if i > 0 && s.Int(3) == 0 {
			s.step()
		}
		p := s.places[k]
		if p == nil {
			continue
		}
		if p.writer != nil {
			s.Stale++
		}
		if p.seen != nil {
			items = append(items, only(p.seen, attributes))
		}
	}
	s.random.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	if s.Trace != nil {
		s.Log("%s gets %v of %v: %s", s.running.name, attributes, keys, list(items))
	}
	return items, nil
}

// Snapshot waits for the transactions that it meets.
func (s *Simulation) Snapshot(ctx context.Context, keys ...table.Key) (items []table.Item, err error) {
	if err := table.ValidateKeys(keys, table.MaxTransactionActions); err != nil {
		return nil, err
	}
	for {
		if err := s.call(ctx); err != nil {
			return nil, err
		}
		if !s.meets(keys) {
			break
		}
		s.Conflicts++
	}
	for _, k := range keys {
		if p := s.places[k]; p != nil && p.item != nil {
			items = append(items, p.item)
		}
	}
	if s.Trace != nil {
		s.Log("%s snapshots %v: %s", s.running.name, keys, list(items))
	}
	return items, nil
}

// meets tells whether another transaction is at one of the items.
func (s *Simulation) meets(keys []table.Key) bool {
	return slices.ContainsFunc(keys, func(k table.Key) bool { p := s.places[k]; return p != nil && p.writer != nil })
}

// Query reads a page of any size, one item after another.
func (s *Simulation) Query(ctx context.Context, r table.Range) (page table.Page, err error) {
	if err := table.ValidateRange(r); err != nil {
		return page, err
	}
	if r.Backward {
		return page, errors.New("tabletest: a Simulation does not read backward")
	}
	if err := s.call(ctx); err != nil {
		return page, err
	}
	most := 1 + s.Int(s.odds.page)
	if r.Limit > 0 {
		most = min(most, r.Limit)
	}
	from := max(r.Prefix, r.From)
	if r.ExclusiveStart != "" && s.odds.page < 3 && s.Int(8) == 0 {
		page.LastEvaluatedKey = table.Key{PK: r.PK, SK: r.ExclusiveStart} // an empty page that is not the last
		return page, nil
	}
	for last := r.ExclusiveStart; ; {
		if len(page.Items) > 0 && s.Int(8) == 0 {
			s.step()
		}
		p := s.following(r, from, last)
		if p == nil {
			break
		}
		page.Items, last = append(page.Items, only(p.seen, r.Attributes)), p.SK
		if len(page.Items) == most {
			page.LastEvaluatedKey = p.Key
			break
		}
	}
	if s.Trace != nil {
		s.Log("%s queries %+v: %s", s.running.name, r, list(page.Items))
	}
	return page, nil
}

// following is the first item of a range, from a sort key or behind another.
func (s *Simulation) following(r table.Range, from, after string) *place {
	all := s.partitions[r.PK]
	i, _ := slices.BinarySearchFunc(all, max(from, after), func(p *place, sk string) int { return strings.Compare(p.SK, sk) })
	for ; i < len(all); i++ {
		p := all[i]
		if !strings.HasPrefix(p.SK, r.Prefix) || r.To != "" && p.SK > r.To {
			return nil
		}
		if p.seen != nil && p.SK > after {
			return p
		}
	}
	return nil
}

func only(it table.Item, attributes []string) table.Item {
	if attributes == nil {
		return it
	}
	some := make(table.Item, len(attributes))
	for _, name := range attributes {
		if v, ok := it[name]; ok {
			some[name] = v
		}
	}
	return some
}

// Scan reads a page of any size.
func (s *Simulation) Scan(ctx context.Context, from table.Key) (page table.Page, err error) {
	if err := table.ValidateScan(from); err != nil {
		return page, err
	}
	if err := s.call(ctx); err != nil {
		return page, err
	}
	most := 1 + s.Int(10*s.odds.page)
	for _, p := range s.all() {
		if p.seen == nil || compare(p.Key, from) <= 0 {
			continue
		}
		if page.Items = append(page.Items, p.seen); len(page.Items) == most {
			page.LastEvaluatedKey = p.Key
			break
		}
	}
	return page, nil
}

func (s *Simulation) all() (all []*place) {
	for _, p := range s.places {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *place) int { return compare(a.Key, b.Key) })
	return all
}

func compare(a, b table.Key) int {
	if c := strings.Compare(a.PK, b.PK); c != 0 {
		return c
	}
	return strings.Compare(a.SK, b.SK)
}

// Write sends a transaction until its outcome is known: the same one with the same token.
func (s *Simulation) Write(ctx context.Context, writes ...table.Write) error {
	if err := table.ValidateWrites(writes); err != nil {
		return err
	}
	t := &Transaction{Writes: writes, Request: s.running.process.request, sender: s.running}
	for {
		if err := s.send(ctx, t); err != nil {
			return err
		}
		if s.chance(s.odds.lose) {
			s.Log("%s gets no answer", s.running.name)
			s.Lost++
			s.lose(t)
			continue
		}
		err := s.execute(t)
		if err == errConflict {
			s.Conflicts++
			continue
		}
		if err == nil && t.hidden > 0 {
			if s.chance(s.odds.expire) {
				t.Request.Expired, t.Request.Unknown = true, true
				return &table.TransientError{Err: context.DeadlineExceeded}
			}
			s.await(t) // others have the time to see it in part
		}
		if s.Trace != nil {
			s.Log("%s is told %s", s.running.name, outcome(err))
		}
		return err
	}
}

func (s *Simulation) send(ctx context.Context, t *Transaction) error {
	s.running.sending = t
	err := s.call(ctx)
	s.running.sending = nil
	return err
}

// lose loses the answer to a transaction, which has happened, is on its way, or never left.
func (s *Simulation) lose(t *Transaction) {
	t.Request.Unknown = true
	if s.Int(2) == 0 {
		s.late = append(s.late, t)
	}
	if s.Int(2) == 0 {
		s.execute(t)
	}
}

// arrive lets a late transaction arrive, or get lost for good.
func (s *Simulation) arrive(i int) {
	t := s.late[i]
	s.late = slices.Delete(s.late, i, i+1)
	if s.Int(4) == 0 {
		return
	}
	if t.old && !s.RejectExpired(t.Writes) {
		t = &Transaction{Writes: t.Writes, Request: t.Request, old: true}
	}
	known := t.done
	switch err := s.execute(t); {
	case err == errConflict:
		s.late = append(s.late, t)
	case err == nil && !known:
		s.Log("late: the one above")
		s.Late++
	}
}

var errConflict = errors.New("tabletest: TransactionConflict")

// execute is what the table does with a transaction that arrives.
func (s *Simulation) execute(t *Transaction) error {
	if t.done {
		return nil
	}
	if len(t.Writes) > s.Actions {
		s.Fail("a transaction of %d actions: %s", len(t.Writes), describe(t.Writes))
	}
	places := make([]*place, len(t.Writes))
	before := make([]table.Item, len(t.Writes))
	for i, w := range t.Writes {
		places[i] = s.place(w.Target())
		if before[i] = places[i].item; places[i].writer != nil {
			return errConflict
		}
	}
	after, err := plan(t.Writes, before)
	if err != nil {
		return s.incomplete(err)
	}
	t.done, t.Before, t.After = true, before, after
	slow := s.chance(s.odds.slow)
	for i, p := range places {
		if p.item = after[i]; slow {
			p.writer, s.lagging = t, append(s.lagging, p)
			t.hidden++
		} else {
			p.seen = p.item
		}
	}
	if s.Trace != nil {
		s.Log("happens: %s", describe(t.Writes))
	}
	s.Committed(t)
	return nil
}

// incomplete leaves out some of the reasons why a transaction was refused.
func (s *Simulation) incomplete(err error) error {
	refused := (*table.ConditionError)(nil)
	if errors.As(err, &refused) {
		for i := 0; i < s.Actions && len(refused.Items) > 1; i++ {
			if s.Int(4) == 0 {
				delete(refused.Items, i)
			}
		}
	}
	return err
}
