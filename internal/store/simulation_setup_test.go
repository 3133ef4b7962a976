package store_test

import (
	"fmt"
	"log/slog"
	"strings"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// newSchedule returns a schedule with random limits, three users, and two groups that have some members. The limits are
// small, so that most changes of a few members are large changes.
func (s *simulator) newSchedule(seed uint64, trace func(string, ...any)) *schedule {
	c := &schedule{
		Simulation: tabletest.NewSimulation(seed), simulator: s, numbers: map[string]int{},
		names: map[nameID]int{}, index: [2]map[string]numberSet{{}, {}}, counters: map[table.Key]int64{},
		changeItems: map[string]map[string]memberChange{}, intentStates: map[table.Key]string{},
		pendingWrites: map[string][]*tabletest.Transaction{},
	}
	c.Committed, c.RejectExpired = c.observe, isCreate
	if trace != nil {
		c.Trace = func(format string, args ...any) { trace("%s", c.abbreviateIDs(fmt.Sprintf(format, args...))) }
	}
	c.Actions, c.rarity = []int{6, 6, 6, 7, 8, 10}[c.Int(6)], []int{2, 8}[c.Int(2)]
	c.config = store.Config{
		Table: c, Types: s.types, Now: c.Now, Random: c, Backoff: c.Backoff(), Log: slog.New(faultLog{c}),
		Limits: c.randomLimits(),
	}
	c.config.RunInParallel = c.Together
	c.dir = directory.New(directory.Config{Store: c.config}, "t", directorytest.BaseURL)
	c.focus = c.anyNumbers()
	c.focus |= c.anyNumbers()
	if c.requestKinds = allRequestKinds; c.Int(2) == 0 { // only a few kinds of requests
		c.requestKinds = nil
		for range 3 {
			c.requestKinds = append(c.requestKinds, allRequestKinds[c.Int(len(allRequestKinds))])
		}
	}
	c.Log("%+v", c.config.Limits)
	c.fillTable()
	return c
}

// randomLimits draws limits. The order of the draws is part of what a seed means.
func (s *schedule) randomLimits() (l store.Limits) {
	l.TransactionActions = s.Actions
	l.ChangeItemsPerTransaction = 1 + s.Int(s.Actions)
	l.ChangeItemMembers = 1 + s.Int((s.Actions-2)/2)
	l.SnapshotEdges = 1 + s.Int(1+s.Int(s.Actions-1))
	l.QueryEdgesPerSnapshotEdge = []int{0, 1, 80}[s.Int(3)]
	l.ApplyConcurrency = s.Int(4)
	l.SnapshotMembers = l.SnapshotEdges * []int{1, 2, 4}[s.Int(3)]
	return l
}

// abbreviateIDs replaces the IDs in a line of the trace by the numbers of the resources.
func (s *schedule) abbreviateIDs(line string) string {
	for x, id := range s.ids {
		if id != "" {
			line = strings.ReplaceAll(line, id, fmt.Sprintf("<%d>", x))
		}
	}
	return line
}

// isCreate reports whether a transaction creates a resource.
func isCreate(writes []table.Write) bool {
	p, ok := writes[0].(table.Put)
	return ok && p.Target().SK == "@"
}

// fillTable stores three users and two groups.
func (s *schedule) fillTable() {
	s.nextNumbers = [2]int{3, maxUsers + 2}
	const first = numberSet(0b1100111)
	for x := range maxResources {
		s.groupsHistory[x] = map[int64]numberSet{}
		if first.has(x) {
			s.addID(x, s.resourceTypes[typeOf(x)].NewID([16]byte{byte(x)}))
		}
	}
	for g := maxUsers; g < maxUsers+2; g++ {
		s.wantMembers[g] = s.anyNumbers() & first &^ only(g)
	}
	for x := range first.each {
		s.wantDocuments[x] = document{name: string(rune('a' + x%maxUsers))}
		if typeOf(x) == 0 {
			s.wantDocuments[x].externalID = s.anyExternalID(0)
		}
		for _, it := range s.initialItems(x) {
			s.Store(it)
			s.recordItem(it.Key(), it)
		}
	}
	s.created = first
	s.checkInvariants()
}

// initialItems returns the items of a resource, and the counter item of its type as it is after the resource is
// created.
func (s *schedule) initialItems(x int) (items []table.Item) {
	rt, id, doc := s.resourceTypes[typeOf(x)], s.ids[x], s.wantDocuments[x]
	put := func(k table.Key, attributes table.Item) {
		if attributes == nil {
			attributes = table.Item{}
		}
		attributes["PK"], attributes["SK"] = table.S(k.PK), table.S(k.SK)
		items = append(items, attributes)
	}
	o := scim.Object{rt.Storage.NameAttribute: doc.name}
	if doc.externalID != "" {
		o["externalId"] = doc.externalID
		put(table.Key{PK: "t#User#externalId#" + doc.externalID, SK: id}, nil)
	}
	text, _ := store.EncodeDocument(o)
	h := table.Item{"tenant": table.S("t"), "doc": table.S(text), "ver": table.N(1), "gver": table.N(0)}
	h["created"], h["modified"] = table.S("2200-01-01T00:00:00.000Z"), table.S("2200-01-01T00:00:00.000Z")
	h["n"], h["sum"] = table.N(int64(s.wantMembers[x].len())), table.N(s.digest(s.wantMembers[x]))
	if typeOf(x) == 1 {
		h["display"] = table.S(doc.name)
	}
	var groups []string
	for g := range allGroups.each {
		if s.wantMembers[g].has(x) {
			groups = append(groups, s.ids[g])
		}
	}
	if groups != nil {
		h["groups"] = table.SS(groups...)
	}
	put(s.headKey(x), h)
	put(nameKey(nameID{typeOf(x), doc.folded()}), table.Item{"id": table.S(id)})
	put(table.Key{PK: "t#" + rt.Name + "#id#", SK: id}, nil)
	for m := range s.wantMembers[x].each {
		edge := table.Key{PK: s.headKey(x).PK, SK: "Member#" + s.ids[m]}
		put(edge, table.Item{"type": table.S(s.resourceTypes[typeOf(m)].Name)})
	}
	put(table.Key{PK: "t#" + rt.Name + "#count", SK: "0"}, table.Item{"n": table.N(int64(x + 1 - maxUsers*typeOf(x)))})
	return items
}

func (s *schedule) headKey(x int) table.Key {
	return table.Key{PK: [2]string{"t#User#", "t#Group#"}[typeOf(x)] + s.ids[x], SK: "@"}
}

func nameKey(n nameID) table.Key {
	if n.typ == 0 {
		return table.Key{PK: "t#User", SK: "userName#" + string(n.letter)}
	}
	return table.Key{PK: "t#Group", SK: "displayName#" + string(n.letter)}
}
