package fsck_test

import (
	"slices"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// IDs of resources that do not exist.
const (
	absentUser  = "u0000000000000000000000000a"
	absentGroup = "g0000000000000000000000000a"
)

// An inconsistency is one problem in a sample, and how to create it.
type inconsistency struct {
	problem    string        // part of the reported line
	key        table.Key     // of the reported item
	create     []table.Write // one transaction
	repaired   []table.Write // makes a consistent sample equal to the repaired one; nil: they are equal already
	reportOnly bool          // there is no repair
}

func inconsistencies(s *sample) []inconsistency {
	return slices.Concat(nameInconsistencies(s), indexInconsistencies(s), headInconsistencies(s), edgeInconsistencies(s),
		groupsInconsistencies(s), totalsInconsistencies(s), markerInconsistencies(s), changeItemInconsistencies(s))
}

func writes(w ...table.Write) []table.Write { return w }

// put returns the write of one item of the item layout.
func put(v any) []table.Write { return writes(table.Put{Item: store.MarshalItem(v)}) }

func putName(k table.Key, id string) []table.Write {
	return put(store.NameItem{Key: k, ResourceID: id})
}

func putEdge(k table.Key, memberType string) []table.Write {
	return put(store.EdgeItem{Key: k, Type: memberType})
}

func remove(k table.Key) []table.Write { return writes(table.Delete{Key: k}) }

func setText(k table.Key, attribute, value string) []table.Write {
	return writes(table.Update{Key: k, Set: table.Item{attribute: table.S(value)}})
}

func setNumber(k table.Key, attribute string, value int64) []table.Write {
	return writes(table.Update{Key: k, Set: table.Item{attribute: table.N(value)}})
}

func nameInconsistencies(s *sample) []inconsistency {
	stray, bob, dora := s.userName("stray"), s.head(s.bob), s.userName("dora")
	takeName := table.Update{Key: bob, Set: table.Item{"doc": table.S(`{"userName":"Alice"}`)}}
	return []inconsistency{
		{problem: "name item without a head item that has the name", key: stray, create: putName(stray, absentUser)},
		{problem: "name item without a head item that has the name", key: stray, create: putName(stray, s.bob)},
		{problem: "name item without a head item that has the name", key: dora, create: putName(dora, s.dora)},
		{problem: "name item with an invalid resource ID", key: stray, create: putName(stray, s.team)},
		{problem: "corrupt name item", key: stray, reportOnly: true,
			create: writes(table.Update{Key: stray, Set: table.Item{"id": table.SS("x")}})},
		{problem: "head item without its name item", key: bob, create: remove(s.userName("bob"))},
		{problem: "head item whose name is taken by", key: bob, reportOnly: true,
			create: writes(takeName, table.Delete{Key: s.userName("bob")})},
	}
}

func indexInconsistencies(s *sample) []inconsistency {
	const unusedValue = "x#y@example.com"
	stray := s.emailIndex(unusedValue, s.bob)
	absent, invalid := s.emailIndex(unusedValue, absentUser), s.emailIndex(unusedValue, "x")
	return []inconsistency{
		{problem: "head item without its index item", key: s.head(s.alice),
			create: remove(s.emailIndex("a@example.com", s.alice))},
		{problem: "index item without a head item that has the value", key: stray, create: put(stray)},
		{problem: "index item without a head item that has the value", key: absent, create: put(absent)},
		{problem: "index item with an invalid resource ID", key: invalid, create: put(invalid)},
	}
}

func headInconsistencies(s *sample) []inconsistency {
	alice, bob, staff, cursorKey := s.head(s.alice), s.head(s.bob), s.head(s.staff), s.Store.Keys.CursorKey()
	return []inconsistency{
		{problem: "corrupt head item", key: bob, reportOnly: true, create: setText(bob, "doc", "{")},
		{problem: "corrupt head item", key: alice, reportOnly: true, create: setText(alice, "doc", `{"title":"no name"}`)},
		{problem: "corrupt head item", key: staff, reportOnly: true, create: setText(staff, "ver", "x")},
		{problem: `head item with the tenant "mallory"`, key: bob, reportOnly: true,
			create: setText(bob, "tenant", "mallory")},
		{problem: "corrupt cursor key", key: cursorKey,
			create: setText(cursorKey, "secret", "c2hvcnQ="), repaired: remove(cursorKey)},
		{problem: "counter items whose sum must change by +1", key: s.Store.Keys.Counter(s.User, 0),
			create: addToCounter(s, s.User, -1)},
		{problem: "counter items whose sum must change by -2", key: s.Store.Keys.Counter(s.Group, 0),
			create: addToCounter(s, s.Group, 2)},
	}
}

func addToCounter(s *sample, rt *scim.ResourceType, n int64) []table.Write {
	return writes(table.Update{Key: s.Store.Keys.Counter(rt, 9), Add: table.Item{"n": table.N(n)}})
}

func edgeInconsistencies(s *sample) []inconsistency {
	var (
		noMember     = s.edge(s.staff, absentUser)
		itself       = s.edge(s.team, s.team)
		invalid      = s.edge(s.staff, "x")
		noGroup      = s.edge(absentGroup, s.bob)
		neither      = s.edge(absentGroup, absentUser)
		old          = s.edge(s.old, s.bob)
		selfInGroups = countMember(s.head(s.team), s.team)
		deleteMarker = table.Delete{Key: s.Store.Keys.IntentMarker(s.Group, s.old, "")}
		deleteOld    = writes(table.Delete{Key: s.head(s.old)}, deleteMarker)
		bobLeavesOld = table.Update{Key: s.head(s.bob), Delete: table.Item{"groups": table.SS(s.old)}}
	)
	selfInGroups.Add["groups"] = table.SS(s.team)
	return []inconsistency{
		{problem: "edge item without its group in the member's groups set", key: s.edge(s.staff, s.team),
			create: writes(table.Update{Key: s.head(s.team), Remove: []string{"groups"}})},
		{problem: "edge item without its group in the member's groups set", key: s.edge(s.team, s.dora),
			create: writes(table.Update{Key: s.head(s.dora), Remove: []string{"groups"}})},
		{problem: "edge item without the head item of its member", key: noMember,
			create: append(putEdge(noMember, "User"), countMember(s.head(s.staff), absentUser))},
		{problem: "edge item of a group that is its own member", key: itself,
			create: append(putEdge(itself, "Group"), countMember(s.head(s.team), s.team))},
		{problem: "edge item of a group that is its own member", key: itself,
			create: append(putEdge(itself, "Group"), selfInGroups)},
		{problem: "edge item with an invalid member ID", key: invalid, reportOnly: true,
			create: append(putEdge(invalid, "User"), countMember(s.head(s.staff), "x"))},
		{problem: "edge item without the head item of its group", key: old, create: deleteOld,
			repaired: append(slices.Clip(deleteOld), table.Delete{Key: old}, bobLeavesOld)},
		{problem: "edge item without the head item of its group", key: noGroup, create: putEdge(noGroup, "User")},
		{problem: "edge item without the head item of its group", key: neither, create: putEdge(neither, "User")},
	}
}

// countMember returns the write that adds a member to the member count and digest of a group.
func countMember(group table.Key, member string) table.Update {
	return table.Update{Key: group, Add: table.Item{"n": table.N(1), "sum": table.N(store.MemberHash(member))}}
}

func groupsInconsistencies(s *sample) []inconsistency {
	add := func(k table.Key, group string) []table.Write {
		return writes(table.Update{Key: k, Add: table.Item{"groups": table.SS(group)}})
	}
	alice, bob := s.head(s.alice), s.head(s.bob)
	return []inconsistency{
		{problem: "groups set with the group " + s.team + ", but without the edge item", key: alice,
			create: add(alice, s.team)},
		{problem: "groups set with the group " + absentGroup + ", but without the edge item", key: bob,
			create: add(bob, absentGroup)},
		{problem: `groups set with the invalid ID "x"`, key: bob, reportOnly: true, create: add(bob, "x")},
	}
}

func totalsInconsistencies(s *sample) []inconsistency {
	staff, large, old := s.head(s.staff), s.head(s.large), s.head(s.old)
	return []inconsistency{
		{problem: "n=3 or sum does not match 2 edge items", key: staff,
			create: writes(table.Update{Key: staff, Add: table.Item{"n": table.N(1)}})},
		{problem: "n=1 or sum does not match 1 edge items", key: large, // while a change is pending
			create: writes(table.Update{Key: large, Add: table.Item{"sum": table.N(-1)}})},
		{problem: "n=0 or sum does not match 1 edge items", key: old, // while the group is being deleted
			create: writes(table.Update{Key: old, Set: table.Item{"n": table.N(0), "sum": table.N(0)}})},
		{problem: "left=3 does not match 2 change items of the pending change, memberships may be lost", key: large,
			create: setNumber(large, "left", 3)},
		{problem: "left=1 does not match 2 change items of the pending change", key: large,
			create: setNumber(large, "left", 1)},
	}
}

func markerInconsistencies(s *sample) []inconsistency {
	const (
		notPending = "committed intent marker of a change that is not pending"
		noDelete   = "intent marker of a delete that is not in progress"
	)
	large, pending, stray := s.head(s.large), s.marker("c1"), s.marker("c9")
	absent := s.Store.Keys.IntentMarker(s.Group, absentGroup, "c9")
	bob, absentDelete := s.userDeleteMarker(s.bob), s.userDeleteMarker(absentUser)
	expire := table.Update{Key: pending, Set: table.Item{"state": table.S(store.StateSwept), "expires": table.N(1)}}
	return []inconsistency{
		{problem: "pending change without its intent marker", key: large, create: remove(pending)},
		{problem: `pending change whose intent marker has the state "prepared"`, key: large,
			create: setText(pending, "state", store.StatePrepared)},
		{problem: `pending change whose intent marker has the state "swept"`, key: large, create: writes(expire)},
		{problem: notPending, key: stray,
			create: put(store.IntentMarker{Key: stray, State: store.StateCommitted, ChangeItems: 1})},
		{problem: notPending, key: absent, create: put(store.IntentMarker{Key: absent, State: store.StateCommitted})},
		{problem: "corrupt intent marker", key: stray, reportOnly: true,
			create: put(store.IntentMarker{Key: stray, State: "new"})},
		{problem: "deleting head item without its intent marker", key: s.head(s.dora),
			create: remove(s.userDeleteMarker(s.dora))},
		{problem: noDelete, key: bob, create: put(store.IntentMarker{Key: bob})},
		{problem: noDelete, key: absentDelete, create: put(store.IntentMarker{Key: absentDelete})},
	}
}

func changeItemInconsistencies(s *sample) []inconsistency {
	const problem = "change item of a change that is neither pending nor prepared nor being aborted"
	noMarker, swept := s.changeItem("c9", 0), s.changeItem("c4", 0)
	return []inconsistency{
		{problem: problem, key: noMarker, create: put(store.ChangeItem{Key: noMarker, Add: []string{s.bob}})},
		{problem: problem, key: swept, create: put(store.ChangeItem{Key: swept, Add: []string{s.bob}})},
	}
}
