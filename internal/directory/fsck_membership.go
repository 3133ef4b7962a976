package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"serverless-scim/internal/table"
)

// checkGroupHasEdge checks that a group in the set of a member has it. The edge is the truth.
func (p itemRef) checkGroupHasEdge(l *itemView, g string) finding {
	s, group := l.resource(p, p.id), p.Types.ByID(g)
	if !slices.Contains(s.Groups, g) {
		return finding{}
	}
	if group == nil {
		return finding{problem: fmt.Sprintf("set that names %q", g), whyNotRepaired: "no resource type has such ids"}
	}
	edge := p.keys.Edge(group, g, p.id)
	if l.item(edge) != nil {
		return finding{}
	}
	return newFinding(fmt.Sprintf("set that names the group %s without an edge", g), table.Update{
		Key:    p.key,
		Delete: table.Item{"groups": table.SS(g)},
		Add:    table.Item{"gver": table.N(1)},
		If:     unchangedConditions(l.item(p.key), "gver"),
	}, l.unchangedCheck(edge))
}

// checkEdge checks an edge: it has two ends, and its reverse.
func (p itemRef) checkEdge(l *itemView) finding {
	m := MemberID(p.key)
	rt := p.Types.ByID(m)
	if rt == nil {
		return finding{problem: "edge of a member that is none", whyNotRepaired: "no resource type has such ids"}
	}
	group, other := p.keys.Head(p.rt, p.id), p.keys.Head(rt, m)
	g, it, this := l.item(group), l.item(other), table.SS(p.id)
	remove := table.Delete{Key: p.key, If: unchangedConditions(l.item(p.key))}
	less := table.Update{
		Key: group,
		Set: table.Item{"modified": table.S(p.Timestamp())},
		Add: table.Item{"n": table.N(-1), "sum": table.N(-MemberHash(m)), "ver": table.N(1)},
		If:  unchangedConditions(g, "ver", "gver"),
	}
	reverse := table.Update{Key: other, Add: table.Item{"gver": table.N(1)}, If: unchangedConditions(it, "gver")}
	switch has := slices.Contains(table.StringSetValue(it["groups"]), p.id); {
	case g == nil && has:
		reverse.Delete = table.Item{"groups": this}
		return newFinding("edge under an absent head", remove, reverse, l.unchangedCheck(group))
	case g == nil:
		return newFinding("edge under an absent head", remove, l.unchangedCheck(group))
	case it == nil:
		return newFinding("edge of an absent member", remove, less, l.unchangedCheck(other))
	case m == p.id: // which no request can make, and none could remove
		less.Delete, less.Add["gver"] = table.Item{"groups": this}, table.N(1)
		return newFinding("edge of a group in itself", remove, less)
	case !has:
		reverse.Add["groups"] = this
		return newFinding("edge whose member has not the group in its set", l.unchangedCheck(p.key), reverse, l.unchangedCheck(group))
	}
	return finding{}
}

// checkChangeItem checks that a Change item is one of a change that has taken effect, or that still may, or is being aborted.
func (p itemRef) checkChangeItem(l *itemView) finding {
	id, _, _ := strings.Cut(strings.TrimPrefix(p.key.SK, ChangePrefix), "#")
	k, m := p.keys.IntentMarker(p.rt, p.id, id), IntentMarker{}
	it, s := l.item(k), l.resource(p, p.id)
	err := UnmarshalItem(it, &m)
	if s.err != nil || s.PendingChange == id || err != nil || it != nil && m.State != StateCommitted && m.State != StateSwept {
		return finding{}
	}
	return newFinding("Change item of a change that is neither pending nor prepared",
		table.Delete{Key: p.key, If: unchangedConditions(l.item(p.key))}, l.unchangedCheck(p.keys.Head(p.rt, p.id), "ver"), l.unchangedCheck(k, "state"))
}

// partitionTotals is what the head of a group says of the items in its partition, or what is there.
type partitionTotals struct {
	prefix        string // of their sort keys; "": nothing is said
	items, digest int64
}

func declaredMembers(h *HeadItem) partitionTotals {
	return partitionTotals{EdgePrefix, h.MemberCount, h.MemberDigest}
}

func declaredChangeItems(h *HeadItem) partitionTotals {
	if h.PendingChange == "" {
		return partitionTotals{}
	}
	return partitionTotals{ChangePrefix + h.PendingChange + "#", h.PendingItems, 0}
}

// checkTotals checks what a head says of its partition, however large that is.
func (i *checkRun) checkTotals(ctx context.Context, p itemRef, l *itemView) error {
	s := l.resource(p, p.id)
	for _, of := range []func(*HeadItem) partitionTotals{declaredMembers, declaredChangeItems} {
		if said := of(&s.HeadItem); s.err == nil && said.prefix != "" {
			there, err := i.countPartition(ctx, p, said.prefix)
			if err == nil && there != said {
				err = i.confirmTotals(ctx, p, of)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// countPartition counts what stands under a prefix.
func (i *checkRun) countPartition(ctx context.Context, p itemRef, prefix string) (c partitionTotals, err error) {
	c.prefix = prefix
	for r := (table.Range{PK: p.key.PK, Prefix: prefix, Attributes: []string{"PK", "SK"}}); ; {
		page, err := i.Table.Query(ctx, r)
		if err != nil {
			return c, err
		}
		for _, it := range page.Items {
			if c.items++; prefix == EdgePrefix {
				c.digest += MemberHash(MemberID(it.Key()))
			}
		}
		if r.ExclusiveStart = page.LastEvaluatedKey.SK; r.ExclusiveStart == "" {
			return c, nil
		}
	}
}

// confirmTotals takes a claim for wrong when twice the same was there, and the head the same before, between and after.
// What does not stand still for so long is left to another run.
func (i *checkRun) confirmTotals(ctx context.Context, p itemRef, of func(*HeadItem) partitionTotals) error {
	l, err := i.snapshot(ctx, p.key)
	for n, seen := 0, (partitionTotals{}); err == nil && n < maxConfirmAttempts; n++ {
		before, there := l.resource(p, p.id), partitionTotals{}
		said := of(&before.HeadItem)
		if !before.exists || before.err != nil || said.prefix == "" {
			return nil
		}
		if there, err = i.countPartition(ctx, p, said.prefix); err != nil || there == said {
			return err
		}
		if l, err = i.snapshot(ctx, p.key); err != nil {
			return err
		}
		if after := l.resource(p, p.id); !after.sameTotals(before) {
			seen = partitionTotals{}
		} else if there != seen {
			seen = there
		} else if done, err := i.repairOrReport(ctx, p.key, p.totalsFinding(l, there)); done || err != nil {
			return err
		}
		err = i.waitForVisibility(ctx)
	}
	return err
}

func (s *resourceView) sameTotals(t *resourceView) bool {
	return s.Version == t.Version && s.PendingChange == t.PendingChange && s.PendingItems == t.PendingItems && s.MemberCount == t.MemberCount && s.MemberDigest == t.MemberDigest
}

func (p itemRef) totalsFinding(l *itemView, there partitionTotals) finding {
	h := l.resource(p, p.id)
	u := table.Update{Key: p.key, If: unchangedConditions(l.item(p.key), "ver", "pending", "left", "n", "sum")}
	if there.prefix == EdgePrefix {
		u.Set = table.Item{"n": table.N(there.items), "sum": table.N(there.digest)}
		return newFinding(fmt.Sprintf("n=%d and sum of a group with %d edges", h.MemberCount, there.items), u)
	}
	u.Set = table.Item{"left": table.N(there.items)}
	what := fmt.Sprintf("left=%d of a pending change with %d Change items", h.PendingItems, there.items)
	if there.items < h.PendingItems {
		what += ", memberships may be lost"
	}
	return newFinding(what, u)
}
