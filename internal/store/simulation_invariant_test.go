package store_test

import (
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// checkVersions checks that a write of a head item increments the versions that it must.
func (s *schedule) checkVersions(k table.Key, old, updated *headState) {
	if !old.exists || !updated.exists {
		return
	}
	if (old.groups != updated.groups) != (old.groupsVersion != updated.groupsVersion) ||
		updated.groupsVersion < old.groupsVersion || updated.version < old.version {
		s.Fail("%v: groups %v with groups version %d became %v with %d",
			k, old.groups, old.groupsVersion, updated.groups, updated.groupsVersion)
	}
	if (old.text != updated.text || updated.deleting != old.deleting) && old.version == updated.version {
		s.Fail("%v: the resource changed, but not its version %d", k, updated.version)
	}
}

// checkInvariants checks what must hold after every transaction.
func (s *schedule) checkInvariants() {
	visible := s.visible()
	var groupsOf [maxResources]numberSet
	for g := range allGroups.each {
		for m := range s.edges[g].each {
			groupsOf[m] |= only(g)
		}
		s.checkGroup(g, visible)
	}
	var counts [2]int64
	names := 0
	for x := range maxResources {
		h := &s.heads[x]
		if h.groups != groupsOf[x] || h.exists && h.version == 0 || typeOf(x) == 0 && s.edges[x] != 0 {
			s.Fail("%d has the groups set %v, but edge items in %v", x, h.groups, groupsOf[x])
		}
		s.checkIndex(x)
		if !h.isVisible() {
			continue
		}
		counts[typeOf(x)]++
		names++
		if owner, ok := s.names[nameID{typeOf(x), h.folded()}]; !ok || owner != x {
			s.Fail("%d does not own its name %q", x, h.name)
		}
		if h.document != s.wantDocuments[x] {
			s.Fail("%d is %q, want %q", x, h.document, s.wantDocuments[x])
		}
		s.recordVersion(x)
	}
	if names != len(s.names) || counts != s.resourceCounts {
		s.Fail("%d name items of %d resources; counters %v of %v resources", len(s.names), names, s.resourceCounts, counts)
	}
}

func (s *schedule) checkIndex(x int) {
	h := &s.heads[x]
	if s.index[typeOf(x)][""].has(x) != h.isVisible() {
		s.Fail("%d: visible is %v, but the index of all resources says otherwise", x, h.isVisible())
	}
	for _, externalID := range []string{"x", "y"} {
		if indexed := s.index[typeOf(x)][externalID].has(x); indexed != (h.isVisible() && h.externalID == externalID) {
			s.Fail("%d with externalId %q: the index item for %q exists: %v", x, h.externalID, externalID, indexed)
		}
	}
}

// checkGroup checks the member count and digest of a group, and that the group has the wanted members once its pending
// change is applied.
func (s *schedule) checkGroup(g int, visible numberSet) {
	h, members := &s.heads[g], s.edges[g]
	matches := int(h.memberCount) == members.len() && h.digest == s.digest(members)
	if !h.exists && members != 0 || h.exists && !matches {
		s.Fail("group %d: member count %d and digest %d, but members %v", g, h.memberCount, h.digest, members)
	}
	if !h.isVisible() {
		return
	}
	items := int64(len(s.changeItems[h.pendingChange]))
	if final := s.finalMembers(g, visible); final != s.wantMembers[g] || items != h.pendingItems {
		s.Fail("group %d must have %v, has %v, with %d change items of %d it will have %v",
			g, s.wantMembers[g], members, items, h.pendingItems, final)
	}
}

// finalMembers returns the members of a group once its pending change is applied.
func (s *schedule) finalMembers(g int, visible numberSet) numberSet {
	members := s.edges[g]
	for _, c := range s.changeItems[s.heads[g].pendingChange] {
		members = (members | c.add&visible) &^ c.remove
	}
	return members
}

func (s *schedule) digest(set numberSet) (sum int64) {
	for x := range set.each {
		hash, ok := s.hashes[s.ids[x]]
		if !ok {
			hash = store.MemberHash(s.ids[x])
			s.hashes[s.ids[x]] = hash
		}
		sum += hash
	}
	return sum
}

// recordVersion records the state of a resource at its version, and checks that this version had no other state before.
func (s *schedule) recordVersion(x int) {
	h, members, previous := &s.heads[x], s.edges[x], &s.previousHeads[x]
	for int64(len(s.versions[x])) <= h.version {
		s.versions[x] = append(s.versions[x], versionState{})
	}
	v := &s.versions[x][h.version]
	if !v.recorded {
		*v = versionState{document: h.document, initialMembers: s.wantMembers[x], recorded: true}
	}
	if v.document != h.document {
		s.Fail("%d changed from %q to %q, but kept version %d", x, v.document, h.document, h.version)
	}
	if h.pendingItems == 0 {
		if v.complete && v.members != members {
			s.Fail("the members of group %d changed from %v to %v, but version %d did not", x, v.members, members, h.version)
		}
		v.complete, v.members = true, members
	}
	if h.pendingChange == "" && previous.exists && previous.pendingChange == "" && previous.version != h.version &&
		previous.text == h.text && s.previousEdges[x] == members {
		s.Fail("%d: the version was incremented, but nothing changed", x)
	}
	if groups, ok := s.groupsHistory[x][h.groupsVersion]; ok && groups != h.groups {
		s.Fail("%d: the groups changed from %v to %v, but groups version %d did not", x, groups, h.groups, h.groupsVersion)
	}
	s.groupsHistory[x][h.groupsVersion] = h.groups
	*previous, s.previousEdges[x] = *h, members
}

// checkIdle checks that the sweeps have finished every intent.
func (s *schedule) checkIdle() {
	for x := range maxResources {
		if h := &s.heads[x]; h.pendingChange != "" || h.pendingItems != 0 || h.deleting {
			s.Fail("%d is unfinished: pending change %q, deleting %v", x, h.pendingChange, h.deleting)
		}
	}
	for k, state := range s.intentStates {
		if state != "swept" {
			s.Fail("an intent marker remains: %v, %s", k, state)
		}
	}
	for changeID, items := range s.changeItems {
		if len(items) > 0 {
			s.Fail("change items of %s remain", changeID)
		}
	}
}
