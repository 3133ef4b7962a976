package store_test

import (
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"testing"

	"github.com/anishathalye/porcupine"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// A memberOperation is a request on the members of a group. Each user is one bit.
type memberOperation struct {
	verb  string // add, remove, replace (by PATCH), put, read
	group string
	users uint16
}

// A groupVersion is a group as a response shows it.
type groupVersion struct {
	number int64
	users  uint16
}

// membersModel returns the model of the groups, each independent of the others. A version of a group increments with
// each change of its members, and never otherwise. Every response shows a version with exactly its members.
func membersModel() porcupine.Model {
	return porcupine.Model{
		Partition: func(all []porcupine.Operation) (parts [][]porcupine.Operation) {
			byGroup := map[string][]porcupine.Operation{}
			for _, o := range all {
				g := o.Input.(memberOperation).group
				byGroup[g] = append(byGroup[g], o)
			}
			for _, part := range byGroup {
				parts = append(parts, part)
			}
			return parts
		},
		Init: func() any { return groupVersion{number: 1} },
		Step: func(state, in, out any) (bool, any) {
			old, m := state.(groupVersion), in.(memberOperation)
			next := old
			switch m.verb {
			case "add":
				next.users |= m.users
			case "remove":
				next.users &^= m.users
			case "replace", "put":
				next.users = m.users
			}
			if next.users != old.users {
				next.number++
			}
			// The response to a write shows the version that it led to, or a later one.
			shown, known := out.(groupVersion)
			return !known || shown == next || m.verb != "read" && shown.number > next.number, next
		},
	}
}

// The limits are the default ones, or so small that a change of three members is a large change.
func TestMembershipIsLinearizable(t *testing.T) {
	onEachFaulty(t, func(t *testing.T, tab table.Table, rounds int) {
		for round := 0; round < rounds && !t.Failed(); round++ {
			f := directorytest.New(t, tab).ForTenant(fmt.Sprint(round))
			if round%3 > 0 {
				setLimits(f, store.Limits{
					TransactionActions: 7 - round%3, ChangeItemMembers: 3 - round%3, ChangeItemsPerTransaction: 1 + round%5,
					SnapshotEdges: 2, SnapshotMembers: 2, QueryEdgesPerSnapshotEdge: round % 5,
				})
			}
			c := &memberClients{history: newHistory(f), users: map[string]uint16{}, names: map[string]string{}}
			c.create(6, 2)
			c.runClients(5, 12, c.step)
			c.checkLinearizable(fmt.Sprintf("the members of groups, with the limits %+v", f.Config.Store.Limits), membersModel())
		}
	})
}

// memberClients are clients that change the memberships of the same users in the same groups.
type memberClients struct {
	*history
	groups []string
	names  map[string]string // of groups, by ID
	users  map[string]uint16 // bits, by ID
}

// create creates users and groups. After a transient error it tries another name, because the create may have taken
// effect.
func (c *memberClients) create(users, groups int) {
	for created := 0; created < users+groups; {
		rt, o := c.User, scim.Object{"userName": rand.Text()}
		if created >= users {
			rt, o = c.Group, scim.Object{"displayName": rand.Text()}
		}
		r, err := c.Create(c.Ctx, rt, o, scim.Projection{})
		if table.IsTransient(err) {
			continue
		}
		id := c.Must(r, err).ID()
		if rt == c.User {
			c.users[id] = 1 << created
		} else {
			c.groups, c.names[id] = append(c.groups, id), o["displayName"].(string)
		}
		created++
	}
}

func (c *memberClients) step(client int) {
	m := memberOperation{group: c.groups[mathrand.IntN(len(c.groups))], users: uint16(mathrand.IntN(1 << len(c.users)))}
	m.verb = []string{"add", "add", "remove", "remove", "replace", "put", "read", "read", "read"}[mathrand.IntN(9)]
	c.send(client, func(f *directorytest.Fixture) []observation {
		r, err := c.perform(f, m)
		switch out := c.outputOf(err, succeeded); {
		case err == nil && !r.MembersOmitted:
			shown := c.versionIn(r)
			return []observation{{m, shown}, {memberOperation{verb: "read", group: m.group}, shown}}
		case m.verb == "read":
			return nil
		default:
			return []observation{{m, out}}
		}
	})
}

func (c *memberClients) perform(f *directorytest.Fixture, m memberOperation) (*directory.Resource, error) {
	var members []string
	for id, bit := range c.users {
		if m.users&bit != 0 {
			members = append(members, id)
		}
	}
	switch m.verb {
	case "read":
		if mathrand.IntN(2) == 0 {
			return f.Retrieve(f.Ctx, f.Group, m.group, scim.Projection{})
		}
		l, err := search(f, f.Group, `id eq "`+m.group+`"`)
		if err != nil {
			return nil, err
		}
		return l.Resources[0], nil
	case "put":
		o := directorytest.WithMembers(c.names[m.group], members...)
		return f.Replace(f.Ctx, f.Group, m.group, o, nil, scim.Projection{})
	}
	return f.Patch(f.Group, m.group, patchMembers(m.verb, members...))
}

// versionIn returns the version of the group that a response shows.
func (c *memberClients) versionIn(r *directory.Resource) (v groupVersion) {
	if _, err := fmt.Sscanf(r.Version, `W/"%d"`, &v.number); err != nil {
		c.Error(err)
	}
	for _, id := range directorytest.Values(r, "members") {
		v.users |= c.users[id]
	}
	return v
}

// The model accepts possible histories and rejects impossible ones.
func TestMembersModel(t *testing.T) {
	t.Parallel()
	const u, v = 1, 2
	read := func(number int64, users uint16) observation {
		return observation{memberOperation{verb: "read"}, groupVersion{number, users}}
	}
	type shown = groupVersion
	add, remove := memberOperation{verb: "add", users: u}, memberOperation{verb: "remove", users: u}
	addV, put := memberOperation{verb: "add", users: v}, memberOperation{verb: "put", users: v}
	addBoth := memberOperation{verb: "add", users: u | v}
	for name, c := range map[string]struct {
		accepted bool
		steps    []observation
	}{
		"added and shown":                    {true, []observation{{add, shown{2, u}}, read(2, u)}},
		"added and not shown":                {false, []observation{{add, shown{2, u}}, read(2, 0)}},
		"a lost update":                      {false, []observation{{add, shown{2, u}}, {addV, shown{3, v}}}},
		"a second add changes nothing":       {true, []observation{{add, shown{2, u}}, {add, shown{2, u}}}},
		"a second add increments version":    {false, []observation{{add, shown{2, u}}, {add, shown{3, u}}, read(3, u)}},
		"an add does not increment version":  {false, []observation{{add, shown{1, u}}}},
		"removed":                            {true, []observation{{add, shown{2, u}}, {remove, shown{3, 0}}, read(3, 0)}},
		"partly replaced":                    {false, []observation{{add, shown{2, u}}, {put, shown{3, v}}, read(3, u|v)}},
		"unknown add takes effect later":     {true, []observation{{add, unknownOutcome{}}, read(1, 0), read(2, u)}},
		"unknown add is undone":              {false, []observation{{add, unknownOutcome{}}, read(2, u), read(1, 0)}},
		"a change of two members shown half": {false, []observation{{addBoth, unknownOutcome{}}, read(2, u), read(2, u|v)}},
	} {
		if accepted := porcupine.CheckOperations(membersModel(), sequence(c.steps)); accepted != c.accepted {
			t.Errorf("%s: accepted is %v, want %v", name, accepted, c.accepted)
		}
	}
}
