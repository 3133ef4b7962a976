package directory

import "serverless-scim/internal/table"

const nobody = "u0000000000000000000000000a"

// damage is one thing that is wrong with the healthy table.
type damage struct {
	what  string // a part of the line
	at    func(w *healthy) table.Key
	plant func(w *healthy) []table.Write
	mend  func(w *healthy) []table.Write // what makes of the healthy table the one that is to be; nil: nothing
	open  bool                           // it is reported, and not repaired
}

func one(write func(w *healthy) table.Write) func(w *healthy) []table.Write {
	return func(w *healthy) []table.Write { return []table.Write{write(w)} }
}

func drop(k func(w *healthy) table.Key) func(w *healthy) []table.Write {
	return one(func(w *healthy) table.Write { return table.Delete{Key: k(w)} })
}

func put(v func(w *healthy) any) func(w *healthy) []table.Write {
	return one(func(w *healthy) table.Write { return table.Put{Item: MarshalItem(v(w))} })
}

func damages() []damage {
	alice := func(w *healthy) table.Key { return w.headOf(w.alice) }
	bob := func(w *healthy) table.Key { return w.headOf(w.bob) }
	large := func(w *healthy) table.Key { return w.headOf(w.large) }
	ghost := func(w *healthy) table.Key { return w.userName("ghost") }
	mail := func(w *healthy) table.Key {
		return table.Key{PK: w.keys.IndexPartition(w.user, "emails", "a@example.com"), SK: w.alice}
	}
	stray := func(w *healthy) table.Key {
		return table.Key{PK: w.keys.IndexPartition(w.user, "emails", "x#y@example.com"), SK: w.bob}
	}
	deleted := func(w *healthy) table.Key { return w.keys.IntentMarker(w.user, w.dora, "") }
	sealed := func(w *healthy) table.Key { return w.keys.CursorKey() }
	return []damage{
		{what: "damaged secret of cursors", at: sealed, mend: drop(sealed),
			plant: one(func(w *healthy) table.Write { return w.set(sealed(w), table.Item{"secret": table.S("c2hvcnQ=")}) })},
		{what: "name item without a head that bears it", at: ghost,
			plant: put(func(w *healthy) any { return NameItem{ghost(w), nobody} })},
		{what: "name item without a head that bears it", at: ghost, // another name of one that is there
			plant: put(func(w *healthy) any { return NameItem{ghost(w), w.bob} })},
		{what: "name item without a head that bears it", at: func(w *healthy) table.Key { return w.userName("dora") },
			plant: put(func(w *healthy) any { return NameItem{w.userName("dora"), w.dora} })}, // who is gone
		{what: "name item without a head", at: ghost, plant: put(func(w *healthy) any { return NameItem{ghost(w), w.team} })},
		{what: "damaged name item", at: ghost, open: true,
			plant: one(func(w *healthy) table.Write { return w.set(ghost(w), table.Item{"id": table.SS("x")}) })},
		{what: "head without its name item", at: bob, plant: drop(func(w *healthy) table.Key { return w.userName("bob") })},
		{what: "head whose name is taken by", at: bob, open: true, plant: func(w *healthy) []table.Write {
			return []table.Write{w.set(bob(w), table.Item{"doc": table.S(`{"userName":"Alice"}`)}), table.Delete{Key: w.userName("bob")}}
		}},
		{what: "head without its lookup item", at: alice, plant: drop(mail)},
		{what: "lookup item that its head does not account for", at: stray, plant: put(func(w *healthy) any { return stray(w) })},
		{what: "lookup item that its head does not account for",
			at:    func(w *healthy) table.Key { return table.Key{PK: stray(w).PK, SK: nobody} },
			plant: put(func(w *healthy) any { return table.Key{PK: stray(w).PK, SK: nobody} })},
		{what: "lookup item without a head", at: func(w *healthy) table.Key { return table.Key{PK: stray(w).PK, SK: "x"} },
			plant: put(func(w *healthy) any { return table.Key{PK: stray(w).PK, SK: "x"} })},
		{what: "edge whose member has not the group in its set", at: func(w *healthy) table.Key { return w.edge(w.staff, w.team) },
			plant: one(func(w *healthy) table.Write { return table.Update{Key: w.headOf(w.team), Remove: []string{"groups"}} })},
		{what: "edge whose member has not the group in its set", at: func(w *healthy) table.Key { return w.edge(w.team, w.dora) },
			plant: one(func(w *healthy) table.Write { return table.Update{Key: w.headOf(w.dora), Remove: []string{"groups"}} })},
		{what: "edge of an absent member", at: func(w *healthy) table.Key { return w.edge(w.staff, nobody) },
			plant: func(w *healthy) []table.Write {
				return []table.Write{table.Put{Item: MarshalItem(EdgeItem{w.edge(w.staff, nobody), "User"})},
					table.Update{Key: w.headOf(w.staff), Add: table.Item{"n": table.N(1), "sum": table.N(MemberHash(nobody))}}}
			}},
		{what: "edge of a group in itself", at: func(w *healthy) table.Key { return w.edge(w.team, w.team) },
			plant: func(w *healthy) []table.Write {
				return []table.Write{table.Put{Item: MarshalItem(EdgeItem{w.edge(w.team, w.team), "Group"})},
					table.Update{Key: w.headOf(w.team), Add: table.Item{"n": table.N(1), "sum": table.N(MemberHash(w.team))}}}
			}},
		{what: "edge of a group in itself", at: func(w *healthy) table.Key { return w.edge(w.team, w.team) },
			plant: func(w *healthy) []table.Write {
				return []table.Write{table.Put{Item: MarshalItem(EdgeItem{w.edge(w.team, w.team), "Group"})},
					table.Update{Key: w.headOf(w.team), Add: table.Item{"groups": table.SS(w.team), "n": table.N(1), "sum": table.N(MemberHash(w.team))}}}
			}},
		{what: "edge of a member that is none", at: func(w *healthy) table.Key { return w.edge(w.staff, "x") }, open: true,
			plant: func(w *healthy) []table.Write {
				return []table.Write{table.Put{Item: MarshalItem(EdgeItem{w.edge(w.staff, "x"), "User"})},
					table.Update{Key: w.headOf(w.staff), Add: table.Item{"n": table.N(1), "sum": table.N(MemberHash("x"))}}}
			}},
		{what: "without an edge", at: alice, plant: one(func(w *healthy) table.Write {
			return table.Update{Key: alice(w), Add: table.Item{"groups": table.SS(w.team)}}
		})},
		{what: "without an edge", at: bob, plant: one(func(w *healthy) table.Write { // of a group that is not there
			return table.Update{Key: bob(w), Add: table.Item{"groups": table.SS("g" + nobody[1:])}}
		})},
		{what: "set that names", at: bob, open: true, plant: one(func(w *healthy) table.Write {
			return table.Update{Key: bob(w), Add: table.Item{"groups": table.SS("x")}}
		})},
		{what: "edge under an absent head", at: func(w *healthy) table.Key { return w.edge(w.old, w.bob) },
			plant: func(w *healthy) []table.Write {
				return []table.Write{table.Delete{Key: w.headOf(w.old)}, table.Delete{Key: w.keys.IntentMarker(w.group, w.old, "")}}
			},
			mend: func(w *healthy) []table.Write {
				return []table.Write{table.Delete{Key: w.headOf(w.old)}, table.Delete{Key: w.keys.IntentMarker(w.group, w.old, "")},
					table.Delete{Key: w.edge(w.old, w.bob)}, table.Update{Key: bob(w), Delete: table.Item{"groups": table.SS(w.old)}}}
			}},
		{what: "edge under an absent head", at: func(w *healthy) table.Key { return w.edge("g"+nobody[1:], w.bob) }, // without its reverse
			plant: put(func(w *healthy) any { return EdgeItem{w.edge("g"+nobody[1:], w.bob), "User"} })},
		{what: "edge under an absent head", at: func(w *healthy) table.Key { return w.edge("g"+nobody[1:], nobody) }, // without either end
			plant: put(func(w *healthy) any { return EdgeItem{w.edge("g"+nobody[1:], nobody), "User"} })},
		{what: "sum of a group with 2 edges", at: func(w *healthy) table.Key { return w.headOf(w.staff) }, plant: one(func(w *healthy) table.Write {
			return table.Update{Key: w.headOf(w.staff), Add: table.Item{"n": table.N(1)}}
		})},
		{what: "sum of a group with 1 edges", at: large, plant: one(func(w *healthy) table.Write { // while a change is pending
			return table.Update{Key: large(w), Add: table.Item{"sum": table.N(-1)}}
		})},
		{what: "sum of a group with 1 edges", at: func(w *healthy) table.Key { return w.headOf(w.old) }, plant: one(func(w *healthy) table.Write {
			return table.Update{Key: w.headOf(w.old), Set: table.Item{"n": table.N(0), "sum": table.N(0)}}
		})},
		{what: "pending change without a marker", at: large, plant: drop(func(w *healthy) table.Key { return w.marker("c1") })},
		{what: `pending change with the marker "prepared"`, at: large, plant: one(func(w *healthy) table.Write {
			return w.set(w.marker("c1"), table.Item{"state": table.S(StatePrepared)})
		})},
		{what: `pending change with the marker "swept"`, at: large, plant: one(func(w *healthy) table.Write {
			return w.set(w.marker("c1"), table.Item{"state": table.S(StateSwept), "expires": table.N(1)})
		})},
		{what: "committed marker of a change that is not pending", at: func(w *healthy) table.Key { return w.marker("c9") },
			plant: put(func(w *healthy) any { return IntentMarker{Key: w.marker("c9"), State: StateCommitted, ChangeItems: 1} })},
		{what: "committed marker of a change that is not pending", // of a group that is not there
			at: func(w *healthy) table.Key { return w.keys.IntentMarker(w.group, "g"+nobody[1:], "c9") },
			plant: put(func(w *healthy) any {
				return IntentMarker{Key: w.keys.IntentMarker(w.group, "g"+nobody[1:], "c9"), State: StateCommitted}
			})},
		{what: "damaged marker", at: func(w *healthy) table.Key { return w.marker("c9") }, open: true,
			plant: put(func(w *healthy) any { return IntentMarker{Key: w.marker("c9"), State: "new"} })},
		{what: "latched head without a marker", at: func(w *healthy) table.Key { return w.headOf(w.dora) }, plant: drop(deleted)},
		{what: "marker of a delete that is not under way", at: func(w *healthy) table.Key { return w.keys.IntentMarker(w.user, w.bob, "") },
			plant: put(func(w *healthy) any { return IntentMarker{Key: w.keys.IntentMarker(w.user, w.bob, "")} })},
		{what: "marker of a delete that is not under way", at: func(w *healthy) table.Key { return w.keys.IntentMarker(w.user, nobody, "") },
			plant: put(func(w *healthy) any { return IntentMarker{Key: w.keys.IntentMarker(w.user, nobody, "")} })},
		{what: "left=3 of a pending change with 2 Change items, memberships may be lost", at: large,
			plant: one(func(w *healthy) table.Write { return w.set(large(w), table.Item{"left": table.N(3)}) })},
		{what: "left=1 of a pending change with 2 Change items", at: large,
			plant: one(func(w *healthy) table.Write { return w.set(large(w), table.Item{"left": table.N(1)}) })},
		{what: "Change item of a change that is neither", at: func(w *healthy) table.Key { return w.part("c9", 0) },
			plant: put(func(w *healthy) any { return ChangeItem{Key: w.part("c9", 0), Add: []string{w.bob}} })},
		{what: "Change item of a change that is neither", at: func(w *healthy) table.Key { return w.part("c4", 0) },
			plant: put(func(w *healthy) any { return ChangeItem{Key: w.part("c4", 0), Add: []string{w.bob}} })},
		{what: "counts that are 1 short", at: func(w *healthy) table.Key { return w.keys.Counter(w.user, 0) },
			plant: one(func(w *healthy) table.Write { return w.counted(w.user, -1) })},
		{what: "counts that are -2 short", at: func(w *healthy) table.Key { return w.keys.Counter(w.group, 0) },
			plant: one(func(w *healthy) table.Write { return w.counted(w.group, 2) })},
		{what: `head with the tenant "mallory"`, at: bob, open: true,
			plant: one(func(w *healthy) table.Write { return w.set(bob(w), table.Item{"tenant": table.S("mallory")}) })},
		{what: "damaged head", at: bob, open: true,
			plant: one(func(w *healthy) table.Write { return w.set(bob(w), table.Item{"doc": table.S("{")}) })},
		{what: "damaged head", at: alice, open: true,
			plant: one(func(w *healthy) table.Write {
				return w.set(alice(w), table.Item{"doc": table.S(`{"title":"no name"}`)})
			})},
		{what: "damaged head", at: func(w *healthy) table.Key { return w.headOf(w.staff) }, open: true,
			plant: one(func(w *healthy) table.Write { return w.set(w.headOf(w.staff), table.Item{"ver": table.S("x")}) })},
	}
}
