package tabletest

import (
	"hash/fnv"
	"slices"
	"strings"

	"serverless-scim/internal/table"
)

// Peek returns the current item, the item that plain reads return, and whether these two may differ.
func (s *Simulation) Peek(k table.Key) (now, visible table.Item, lagging bool) {
	if p := s.places[k]; p != nil {
		return p.item, p.visible, p.writer != nil
	}
	return nil, nil, false
}

// Store stores items, which are visible at once.
func (s *Simulation) Store(items ...table.Item) {
	for _, it := range items {
		p := s.place(it.Key())
		p.item, p.visible = it, it
	}
}

// Backup returns a function that restores the table as it is now, as a restore of DynamoDB does: with new streams, which
// have no records. Neither may be called during Run, or while a transaction is not visible.
func (s *Simulation) Backup() (restore func()) {
	items := map[table.Key]table.Item{}
	for k, p := range s.places {
		items[k] = p.item
	}
	return func() {
		for k, p := range s.places {
			p.item, p.visible = items[k], items[k]
		}
		for _, t := range s.streams {
			t.records, t.handled = nil, 0
		}
		s.DropDelayed()
	}
}

// place returns the place of a key. It creates a missing one.
func (s *Simulation) place(k table.Key) *place {
	if p := s.places[k]; p != nil {
		return p
	}
	p := &place{Key: k}
	partition := s.partitions[k.PK]
	i := searchPlaces(partition, k.SK)
	s.places[k], s.partitions[k.PK] = p, slices.Insert(partition, i, p)
	return p
}

// searchPlaces returns the index of the first place of a partition whose sort key is not less than sk.
func searchPlaces(partition []*place, sk string) int {
	i, _ := slices.BinarySearchFunc(partition, sk, func(p *place, sk string) int { return strings.Compare(p.SK, sk) })
	return i
}

// nextInRange returns the first visible place of a range with a sort key that is at least from and greater than after.
// It returns nil if there is none.
func (s *Simulation) nextInRange(r table.Range, from, after string) *place {
	partition := s.partitions[r.PK]
	for i := searchPlaces(partition, max(from, after)); i < len(partition); i++ {
		p := partition[i]
		if !strings.HasPrefix(p.SK, r.Prefix) || r.To != "" && p.SK > r.To {
			return nil
		}
		if p.visible != nil && p.SK > after {
			return p
		}
	}
	return nil
}

// lastInRange returns a page with the last visible item of a range, if there is one.
func (s *Simulation) lastInRange(r table.Range) (page table.Page) {
	var last *place
	for p := s.nextInRange(r, max(r.Prefix, r.From), ""); p != nil; p = s.nextInRange(r, "", p.SK) {
		if r.ExclusiveStart == "" || p.SK < r.ExclusiveStart {
			last = p
		}
	}
	if last != nil {
		page.Items, page.LastEvaluatedKey = []table.Item{selectAttributes(last.visible, r.Attributes)}, last.Key
	}
	if s.Trace != nil {
		s.Log("%s queries %+v: %s", s.running.name, r, list(page.Items))
	}
	return page
}

func (s *Simulation) sortedPlaces() (places []*place) {
	for _, p := range s.places {
		places = append(places, p)
	}
	slices.SortFunc(places, func(a, b *place) int { return compareKeys(a.Key, b.Key) })
	return places
}

func compareKeys(a, b table.Key) int {
	if c := strings.Compare(a.PK, b.PK); c != 0 {
		return c
	}
	return strings.Compare(a.SK, b.SK)
}

// show makes the current item of a place visible to plain reads, and adds the record of the change to the stream.
// DynamoDB, too, writes the record of an item together with the item, and not with the other items of its transaction.
func (s *Simulation) show(p *place) {
	old := p.visible
	p.visible = p.item
	if s.watched == nil || !s.watched(p.Key) || describeItem(old) == describeItem(p.item) {
		return
	}
	h := fnv.New32a()
	h.Write([]byte(p.PK))
	stream := s.streams[h.Sum32()%streamShards]
	stream.records = append(stream.records, table.Record{Key: p.Key, Old: old, New: p.item, CommittedAt: s.clock})
}

// selectAttributes returns the item with only these attributes; nil selects all.
func selectAttributes(it table.Item, attributes []string) table.Item {
	if attributes == nil {
		return it
	}
	selected := make(table.Item, len(attributes))
	for _, name := range attributes {
		if v, ok := it[name]; ok {
			selected[name] = v
		}
	}
	return selected
}
