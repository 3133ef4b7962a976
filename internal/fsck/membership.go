package fsck

import (
	"fmt"
	"slices"

	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

const noSuchID = "no resource type has such IDs"

// checkGroupHasEdge checks that the edge item exists for a group in the groups set of a resource. The edge items are
// authoritative, so the repair changes the set.
func (ref itemRef) checkGroupHasEdge(v *itemView, group string) checkResult {
	r, groupType := v.resource(ref, ref.id), ref.store.Types.ByID(group)
	if !slices.Contains(r.head.Groups, group) {
		return checkResult{}
	}
	if groupType == nil {
		return checkResult{problem: fmt.Sprintf("groups set with the invalid ID %q", group), whyNotRepaired: noSuchID}
	}
	edge := ref.store.Keys.Edge(groupType, group, ref.id)
	if v.item(edge) != nil {
		return checkResult{}
	}
	update := table.Update{
		Key:    ref.key,
		Delete: table.Item{"groups": table.SS(group)},
		Add:    table.Item{"gver": table.N(1)},
		If:     unchangedConditions(v.item(ref.key), "gver"),
	}
	store.Origin{}.Stamp(&update)
	return newFinding(fmt.Sprintf("groups set with the group %s, but without the edge item", group),
		update, v.unchangedCheck(edge))
}

// checkEdge checks that the group and the member of an edge item exist, and that the member's groups set has the group.
func (ref itemRef) checkEdge(v *itemView) checkResult {
	const noGroup = "edge item without the head item of its group"
	id := store.MemberID(ref.key)
	memberType := ref.store.Types.ByID(id)
	if memberType == nil {
		return checkResult{problem: "edge item with an invalid member ID", whyNotRepaired: noSuchID}
	}
	groupKey, memberKey := ref.store.Keys.Head(ref.rt, ref.id), ref.store.Keys.Head(memberType, id)
	group, member := v.item(groupKey), v.item(memberKey)
	hasGroup := slices.Contains(table.StringSetValue(member["groups"]), ref.id)
	deleteEdge := table.Delete{Key: ref.key, If: unchangedConditions(v.item(ref.key))}
	groupsUpdate := table.Update{
		Key: memberKey, Add: table.Item{"gver": table.N(1)}, If: unchangedConditions(member, "gver"),
	}
	store.Origin{}.Stamp(&groupsUpdate)
	switch {
	case group == nil && hasGroup:
		groupsUpdate.Delete = table.Item{"groups": table.SS(ref.id)}
		return newFinding(noGroup, deleteEdge, groupsUpdate, v.unchangedCheck(groupKey))
	case group == nil:
		return newFinding(noGroup, deleteEdge, v.unchangedCheck(groupKey))
	case member == nil:
		return newFinding("edge item without the head item of its member",
			deleteEdge, ref.removeFromTotals(group, id), v.unchangedCheck(memberKey))
	case id == ref.id: // no request can add or remove this membership
		update := ref.removeFromTotals(group, id)
		update.Delete, update.Add["gver"] = table.Item{"groups": table.SS(ref.id)}, table.N(1)
		return newFinding("edge item of a group that is its own member", deleteEdge, update)
	case !hasGroup:
		groupsUpdate.Add["groups"] = table.SS(ref.id)
		return newFinding("edge item without its group in the member's groups set",
			v.unchangedCheck(ref.key), groupsUpdate, v.unchangedCheck(groupKey))
	}
	return checkResult{}
}

// removeFromTotals returns the write that takes a member out of the member count and digest of the edge item's group.
func (ref itemRef) removeFromTotals(group table.Item, member string) table.Update {
	u := table.Update{
		Key: ref.store.Keys.Head(ref.rt, ref.id),
		Set: table.Item{"modified": table.S(ref.store.Timestamp())},
		Add: table.Item{"n": table.N(-1), "sum": table.N(-store.MemberHash(member)), "ver": table.N(1)},
		If:  unchangedConditions(group, "ver", "gver"),
	}
	store.Origin{}.Stamp(&u)
	return u
}
