package directory

import (
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"testing"

	"github.com/anishathalye/porcupine"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// membership is a request about the members of a group, which are bits of a set.
type membership struct {
	verb  string // add, remove, replace (by PATCH), put; read
	group string
	users uint16
}

// version is a group as an answer shows it.
type version struct {
	number int64
	users  uint16
}

// groups is each group for itself: its version moves with each change of its members and with nothing else, and every
// answer shows a version with exactly its members.
func groups() porcupine.Model {
	return porcupine.Model{
		Partition: func(all []porcupine.Operation) (parts [][]porcupine.Operation) {
			of := map[string][]porcupine.Operation{}
			for _, o := range all {
				g := o.Input.(membership).group
				of[g] = append(of[g], o)
			}
			for _, part := range of {
				parts = append(parts, part)
			}
			return parts
		},
		Init: func() any { return version{number: 1} },
		Step: func(state, in, out any) (bool, any) {
			now, m := state.(version), in.(membership)
			next := now
			switch m.verb {
			case "add":
				next.users |= m.users
			case "remove":
				next.users &^= m.users
			case "replace", "put":
				next.users = m.users
			}
			if next.users != now.users {
				next.number++
			}
			// The answer to a write shows what it made, or what others made of that meanwhile.
			told, known := out.(version)
			return !known || told == next || m.verb != "read" && told.number > next.number, next
		},
	}
}

// Real sizes, and such that a change of three members is a large one, which its Change items follow.
func TestMembershipIsLinearizable(t *testing.T) {
	onEachWire(t, func(t *testing.T, tab table.Table, rounds int) {
		for round := 0; round < rounds && !t.Failed(); round++ {
			f := newFixture(t, tab).tenant(fmt.Sprint(round))
			f.Backoff = quick
			if round%3 > 0 {
				f.sizes = batchLimits{transactionActions: 7 - round%3, changeItemMembers: 3 - round%3, changeItemsPerTransaction: 1 + round%5, snapshotEdges: 2, snapshotMembers: 2, queryEdgesPerSnapshotEdge: round % 5}
			}
			p := &push{history: &history{fixture: f}, users: map[string]uint16{}, names: map[string]string{}}
			p.populate(6, 2)
			p.atOnce(5, 12, p.step)
			p.linearizable(fmt.Sprintf("the members of groups, with the sizes %+v", f.sizes), groups())
		}
	})
}

// push is clients that push members of the same users to the same groups.
type push struct {
	*history
	groups []string
	names  map[string]string // of groups, by id
	users  map[string]uint16 // by id
}

// populate creates users and groups, however often that is busy; then an earlier attempt may have happened.
func (p *push) populate(users, groups int) {
	for created := 0; created < users+groups; {
		rt, o := p.user, scim.Object{"userName": rand.Text()}
		if created >= users {
			rt, o = p.group, scim.Object{"displayName": rand.Text()}
		}
		r, err := p.Create(p.ctx, rt, o, scim.Projection{})
		if IsTransient(err) {
			continue
		}
		id := p.must(r, err).ID()
		if rt == p.user {
			p.users[id] = 1 << created
		} else {
			p.groups, p.names[id] = append(p.groups, id), o["displayName"].(string)
		}
		created++
	}
}

func (p *push) step(client int) {
	m := membership{group: p.groups[mathrand.IntN(len(p.groups))], users: uint16(mathrand.IntN(1 << len(p.users)))}
	m.verb = []string{"add", "add", "remove", "remove", "replace", "put", "read", "read", "read"}[mathrand.IntN(9)]
	p.request(client, func(f *fixture) []view {
		r, err := p.make(f, m)
		switch out := p.answer(err, done); {
		case err == nil && !r.MembersOmitted:
			out = p.version(r)
			return []view{{m, out}, {membership{verb: "read", group: m.group}, out}}
		case m.verb == "read":
			return nil
		default:
			return []view{{m, out}}
		}
	})
}

func (p *push) make(f *fixture, m membership) (*Resource, error) {
	var some []string
	for id, bit := range p.users {
		if m.users&bit != 0 {
			some = append(some, id)
		}
	}
	switch m.verb {
	case "read":
		if mathrand.IntN(2) == 0 {
			return f.Retrieve(f.ctx, f.group, m.group, scim.Projection{})
		}
		l, err := f.search(f.group, `id eq "`+m.group+`"`)
		if err != nil {
			return nil, err
		}
		return l.Resources[0], nil
	case "put":
		return f.Replace(f.ctx, f.group, m.group, withMembers(p.names[m.group], some...), nil, scim.Projection{})
	}
	return f.patch(f.group, m.group, `[{"op":"`+m.verb+`","path":"members","value":`+list(some)+`}]`)
}

func (p *push) version(r *Resource) (v version) {
	if _, err := fmt.Sscanf(r.Version, `W/"%d"`, &v.number); err != nil {
		p.Error(err)
	}
	for _, id := range values(r, "members") {
		v.users |= p.users[id]
	}
	return v
}

func TestWhatIsNoMembershipIsSeen(t *testing.T) {
	t.Parallel()
	const u, v = 1, 2
	read := func(number int64, users uint16) view { return view{membership{verb: "read"}, version{number, users}} }
	add, remove := membership{verb: "add", users: u}, membership{verb: "remove", users: u}
	put := membership{verb: "put", users: v}
	for what, c := range map[string]struct {
		bad   bool
		steps []view
	}{
		"added":                      {false, []view{{add, version{2, u}}, read(2, u)}},
		"not there":                  {true, []view{{add, version{2, u}}, read(2, 0)}},
		"an update lost":             {true, []view{{add, version{2, u}}, {membership{verb: "add", users: v}, version{3, v}}}},
		"added twice is added once":  {false, []view{{add, version{2, u}}, {add, version{2, u}}}},
		"the version moves too much": {true, []view{{add, version{2, u}}, {add, version{3, u}}, read(3, u)}},
		"the version stays":          {true, []view{{add, version{1, u}}}},
		"removed":                    {false, []view{{add, version{2, u}}, {remove, version{3, 0}}, read(3, 0)}},
		"replaced in part":           {true, []view{{add, version{2, u}}, {put, version{3, v}}, read(3, u|v)}},
		"lost and there":             {false, []view{{add, unknown{}}, read(1, 0), read(2, u)}},
		"there and lost":             {true, []view{{add, unknown{}}, read(2, u), read(1, 0)}},
		"shown in part":              {true, []view{{membership{verb: "add", users: u | v}, unknown{}}, read(2, u), read(2, u|v)}},
	} {
		if ok := porcupine.CheckOperations(groups(), sequence(c.steps)); ok == c.bad {
			t.Errorf("%s: accepted: %v", what, ok)
		}
	}
}
