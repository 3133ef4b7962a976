package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"serverless-scim/internal/table"
)

// belongs checks that a group in the set of a member has it. The edge is the truth.
func (p position) belongs(l *look, g string) verdict {
	s, group := l.resource(p, p.id), p.Types.ByID(g)
	if !slices.Contains(s.Groups, g) {
		return verdict{}
	}
	if group == nil {
		return verdict{wrong: fmt.Sprintf("set that names %q", g), open: "no resource type has such ids"}
	}
	edge := p.keys.edge(group, g, p.id)
	if l.item(edge) != nil {
		return verdict{}
	}
	return wrong(fmt.Sprintf("set that names the group %s without an edge", g), table.Update{
		Key:    p.key,
		Delete: table.Item{"groups": table.SS(g)},
		Add:    table.Item{"gver": table.N(1)},
		If:     unchanged(l.item(p.key), "gver"),
	}, l.same(edge))
}

// edge checks an edge: it has two ends, and its reverse.
func (p position) edge(l *look) verdict {
	m := member(p.key)
	rt := p.Types.ByID(m)
	if rt == nil {
		return verdict{wrong: "edge of a member that is none", open: "no resource type has such ids"}
	}
	group, other := p.keys.head(p.rt, p.id), p.keys.head(rt, m)
	g, it, this := l.item(group), l.item(other), table.SS(p.id)
	remove := table.Delete{Key: p.key, If: unchanged(l.item(p.key))}
	less := table.Update{
		Key: group,
		Set: table.Item{"modified": table.S(p.now())},
		Add: table.Item{"n": table.N(-1), "sum": table.N(-digest(m)), "ver": table.N(1)},
		If:  unchanged(g, "ver", "gver"),
	}
	reverse := table.Update{Key: other, Add: table.Item{"gver": table.N(1)}, If: unchanged(it, "gver")}
	switch has := slices.Contains(table.Strings(it["groups"]), p.id); {
	case g == nil && has:
		reverse.Delete = table.Item{"groups": this}
		return wrong("edge under an absent head", remove, reverse, l.same(group))
	case g == nil:
		return wrong("edge under an absent head", remove, l.same(group))
	case it == nil:
		return wrong("edge of an absent member", remove, less, l.same(other))
	case m == p.id: // which no request can make, and none could remove
		less.Delete, less.Add["gver"] = table.Item{"groups": this}, table.N(1)
		return wrong("edge of a group in itself", remove, less)
	case !has:
		reverse.Add["groups"] = this
		return wrong("edge whose member has not the group in its set", l.same(p.key), reverse, l.same(group))
	}
	return verdict{}
}

// change checks that a Change item is one of a change that has taken effect, or that still may, or is being aborted.
func (p position) change(l *look) verdict {
	id, _, _ := strings.Cut(strings.TrimPrefix(p.key.SK, changePrefix), "#")
	k, m := p.keys.marker(p.rt, p.id, id), marker{}
	it, s := l.item(k), l.resource(p, p.id)
	err := unmarshal(it, &m)
	if s.damage != nil || s.Pending == id || err != nil || it != nil && m.State != committed && m.State != swept {
		return verdict{}
	}
	return wrong("Change item of a change that is neither pending nor prepared",
		table.Delete{Key: p.key, If: unchanged(l.item(p.key))}, l.same(p.keys.head(p.rt, p.id), "ver"), l.same(k, "state"))
}

// claim is what the head of a group says of the items in its partition, or what is there.
type claim struct {
	prefix string // of their sort keys; "": nothing is said
	n, sum int64
}

func claimMembers(h *head) claim { return claim{memberPrefix, h.N, h.Sum} }

func claimChanges(h *head) claim {
	if h.Pending == "" {
		return claim{}
	}
	return claim{changePrefix + h.Pending + "#", h.Left, 0}
}

// claims checks what a head says of its partition, however large that is.
func (i *inspection) claims(ctx context.Context, p position, l *look) error {
	s := l.resource(p, p.id)
	for _, of := range []func(*head) claim{claimMembers, claimChanges} {
		if said := of(&s.head); s.damage == nil && said.prefix != "" {
			there, err := i.there(ctx, p, said.prefix)
			if err == nil && there != said {
				err = i.confirmClaim(ctx, p, of)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// there counts what stands under a prefix.
func (i *inspection) there(ctx context.Context, p position, prefix string) (c claim, err error) {
	c.prefix = prefix
	for r := (table.Range{PK: p.key.PK, Prefix: prefix, Attributes: []string{"PK", "SK"}}); ; {
		page, err := i.Table.Query(ctx, r)
		if err != nil {
			return c, err
		}
		for _, it := range page.Items {
			if c.n++; prefix == memberPrefix {
				c.sum += digest(member(it.Key()))
			}
		}
		if r.After = page.Next.SK; r.After == "" {
			return c, nil
		}
	}
}

// confirmClaim takes a claim for wrong when twice the same was there, and the head the same before, between and after.
// What does not stand still for so long is left to another run.
func (i *inspection) confirmClaim(ctx context.Context, p position, of func(*head) claim) error {
	l, err := i.snapshot(ctx, p.key)
	for n, seen := 0, (claim{}); err == nil && n < looks; n++ {
		before, there := l.resource(p, p.id), claim{}
		said := of(&before.head)
		if !before.there || before.damage != nil || said.prefix == "" {
			return nil
		}
		if there, err = i.there(ctx, p, said.prefix); err != nil || there == said {
			return err
		}
		if l, err = i.snapshot(ctx, p.key); err != nil {
			return err
		}
		if after := l.resource(p, p.id); !after.claimsAs(before) {
			seen = claim{}
		} else if there != seen {
			seen = there
		} else if done, err := i.settle(ctx, p.key, p.disproved(l, there)); done || err != nil {
			return err
		}
		err = i.rest(ctx)
	}
	return err
}

func (s *sighting) claimsAs(t *sighting) bool {
	return s.Ver == t.Ver && s.Pending == t.Pending && s.Left == t.Left && s.N == t.N && s.Sum == t.Sum
}

func (p position) disproved(l *look, there claim) verdict {
	h := l.resource(p, p.id)
	u := table.Update{Key: p.key, If: unchanged(l.item(p.key), "ver", "pending", "left", "n", "sum")}
	if there.prefix == memberPrefix {
		u.Set = table.Item{"n": table.N(there.n), "sum": table.N(there.sum)}
		return wrong(fmt.Sprintf("n=%d and sum of a group with %d edges", h.N, there.n), u)
	}
	u.Set = table.Item{"left": table.N(there.n)}
	what := fmt.Sprintf("left=%d of a pending change with %d Change items", h.Left, there.n)
	if there.n < h.Left {
		what += ", memberships may be lost"
	}
	return wrong(what, u)
}
