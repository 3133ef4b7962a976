package store_test

import (
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/anishathalye/porcupine"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// A nameOperation is a request on the userNames of users. A user is identified by its title, which a client chooses
// before it knows the ID.
type nameOperation struct {
	verb   string // create, rename, delete; find: by name; get: by ID
	user   string // "" for find
	name   string // the new name, or the name to find
	object string // in the model for reads: the name or the user whose history this is
}

// succeeded is the output of a write that succeeds. Other outputs are 404, 409 and unknownOutcome. The output of find
// is the user, the output of get is the name, and both are "" if there is none.
const succeeded = "succeeded"

var allNames = []string{"a", "b", "c"}

// writesModel returns the model of all names and users, as writes observe them. One transaction on the head and name
// items decides each write, so all writes have one order.
func writesModel() porcupine.Model {
	return porcupine.Model{
		Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
			return [][]porcupine.Operation{slices.DeleteFunc(slices.Clone(all), func(o porcupine.Operation) bool {
				return o.Input.(nameOperation).isRead()
			})}
		},
		Init: func() any { return [3]string{} },
		Step: func(state, in, out any) (bool, any) {
			owners, n := state.([3]string), in.(nameOperation) // owners are the users that have the names
			from, to := slices.Index(owners[:], n.user), slices.Index(allNames, n.name)
			exists := n.verb == "create" || from >= 0
			free := to < 0 || to == from || owners[to] == ""
			switch {
			case out == 404:
				return !exists, owners
			case out == 409:
				return exists && !free, owners
			case !exists || !free:
				return out == unknownOutcome{}, owners
			}
			if from >= 0 {
				owners[from] = ""
			}
			if to >= 0 {
				owners[to] = n.user
			}
			return true, owners
		},
	}
}

func (n nameOperation) isRead() bool { return n.verb == "find" || n.verb == "get" }

// readsModel returns the model of each name and each user, independent of the others, as reads observe them. A find
// returns a user if the name item leads to the user and the user's head item has the name. While a transaction changes
// both items, a find that reads the name item first returns the state before the name was given, or after it was taken
// away.
//
// Two things are not promised, and the model allows them. While a write is not yet confirmed, two reads may observe its
// items as if they had changed at different moments. A 409 may come before a read observes the name, so a 409 is no
// observation of a name.
func readsModel() porcupine.Model {
	return porcupine.Model{
		Partition: func(all []porcupine.Operation) (parts [][]porcupine.Operation) {
			byObject := map[string][]porcupine.Operation{}
			for _, o := range all {
				n := o.Input.(nameOperation)
				for _, n.object = range n.objects(o.Output) {
					o.Input = n
					byObject[n.object] = append(byObject[n.object], o)
				}
			}
			for _, part := range byObject {
				parts = append(parts, part)
			}
			return parts
		},
		Init: func() any { return "" },
		Step: func(state, in, out any) (bool, any) {
			n := in.(nameOperation)
			if slices.Contains(allNames, n.object) {
				return n.stepName(state.(string), out)
			}
			return n.stepUser(state.(string), out)
		},
	}
}

// objects returns the names and users that an operation with this output observes or changes.
func (n nameOperation) objects(out any) []string {
	switch {
	case n.verb == "find":
		return []string{n.name}
	case n.verb == "get" || out == 404:
		return []string{n.user}
	case out == 409:
		return nil
	case n.verb == "create":
		return []string{n.name, n.user}
	}
	return append([]string{n.user}, allNames...)
}

// stepName is the step of the model of a name. The state is the user that has the name, or "".
func (n nameOperation) stepName(owner string, out any) (bool, any) {
	switch {
	case n.verb == "find":
		return out == owner, owner
	case n.object != n.name && owner == n.user: // deleted, or renamed to another name
		return true, ""
	case n.object != n.name:
		return true, owner
	case owner == "" || owner == n.user:
		return true, n.user
	}
	return out == unknownOutcome{}, owner
}

// stepUser is the step of the model of a user. The state is the name of the user, or "" if the user does not exist.
func (n nameOperation) stepUser(name string, out any) (bool, any) {
	switch exists := name != ""; {
	case n.verb == "get":
		return out == name, name
	case n.verb == "create":
		return !exists, n.name
	case out == 404:
		return !exists, name
	case !exists:
		return out == unknownOutcome{}, name
	}
	return true, n.name
}

// nameClients are clients that share the IDs of the users that they create.
type nameClients struct {
	*history
	mu      sync.Mutex
	ids     map[string]string // by title
	created int
}

func TestNamesAreLinearizable(t *testing.T) {
	onEachFaulty(t, func(t *testing.T, tab table.Table, rounds int) {
		for round := 0; round < 4*rounds && !t.Failed(); round++ {
			f := directorytest.New(t, tab).ForTenant(fmt.Sprint(round))
			c := &nameClients{history: newHistory(f), ids: map[string]string{}}
			c.runClients(4, 12, c.step)
			c.checkLinearizable("names, as writes observe them", writesModel())
			c.checkLinearizable("names, as reads observe them", readsModel())
		}
	})
}

func (c *nameClients) step(client int) {
	name := allNames[mathrand.IntN(len(allNames))]
	user, id := c.anyUser()
	switch n := mathrand.IntN(10); {
	case n < 2 || user == "":
		c.create(client, name)
	case n < 4:
		c.rename(client, user, id, name)
	case n < 5:
		c.send(client, func(f *directorytest.Fixture) []observation {
			out := c.outputOf(f.Delete(f.Ctx, f.User, id, nil), succeeded)
			return []observation{{nameOperation{verb: "delete", user: user}, out}}
		})
	case n < 9:
		c.find(client, name)
	default:
		c.send(client, func(f *directorytest.Fixture) []observation {
			r, err := f.Retrieve(f.Ctx, f.User, id, scim.Projection{})
			return c.observeGet(user, r, err)
		})
	}
}

func (c *nameClients) anyUser() (user, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for user, id = range c.ids { // in random order
		break
	}
	return user, id
}

// addUser stores the ID of a user, and returns the title.
func (c *nameClients) addUser(r *directory.Resource) (user string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	user = directorytest.Object(r)["title"].(string)
	c.ids[user] = r.ID()
	return user
}

func (c *nameClients) create(client int, name string) {
	c.mu.Lock()
	c.created++
	user := fmt.Sprint("user", c.created)
	c.mu.Unlock()
	c.send(client, func(f *directorytest.Fixture) []observation {
		r, err := f.Create(f.Ctx, f.User, scim.Object{"userName": strings.ToUpper(name), "title": user}, scim.Projection{})
		if err == nil {
			c.addUser(r)
		}
		return []observation{{nameOperation{verb: "create", user: user, name: name}, c.outputOf(err, succeeded)}}
	})
}

// rename renames a user. A rename that writes nothing, because the user has the name already, is a read of the user.
func (c *nameClients) rename(client int, user, id, name string) {
	c.send(client, func(f *directorytest.Fixture) []observation {
		ctx, usage := table.WithUsage(f.Ctx)
		r, err := withContext(ctx, f).Patch(f.User, id, `[{"op":"replace","path":"userName","value":"`+name+`"}]`)
		if err == nil && usage().ItemsWritten == 0 {
			return c.observeGet(user, r, nil)
		}
		return []observation{{nameOperation{verb: "rename", user: user, name: name}, c.outputOf(err, succeeded)}}
	})
}

// find observes the name, and the user that has it, if there is one.
func (c *nameClients) find(client int, name string) {
	c.send(client, func(f *directorytest.Fixture) (observations []observation) {
		l, err := search(f, f.User, `userName eq "`+name+`"`)
		user := ""
		if err == nil && len(l.Resources) > 0 {
			user = c.addUser(l.Resources[0])
			observations = c.observeGet(user, l.Resources[0], nil)
			if shown := observations[0].out; shown != name {
				c.Errorf("the search for %q found a user named %q", name, shown)
			}
		}
		if out := c.outputOf(err, user); out != (unknownOutcome{}) {
			observations = append(observations, observation{nameOperation{verb: "find", name: name}, out})
		}
		return observations
	})
}

// observeGet returns the observation of a response that shows a user, or of its error.
func (c *nameClients) observeGet(user string, r *directory.Resource, err error) []observation {
	name := ""
	if err == nil {
		name = scim.Fold(directorytest.Object(r)["userName"].(string))
	} else if c.outputOf(err, nil) == (unknownOutcome{}) {
		return nil
	}
	return []observation{{nameOperation{verb: "get", user: user}, name}}
}

// The models accept possible histories and reject impossible ones.
func TestNameModels(t *testing.T) {
	t.Parallel()
	create := func(u, n string, out any) observation {
		return observation{nameOperation{verb: "create", user: u, name: n}, out}
	}
	rename := func(u, n string, out any) observation {
		return observation{nameOperation{verb: "rename", user: u, name: n}, out}
	}
	remove := func(u string, out any) observation { return observation{nameOperation{verb: "delete", user: u}, out} }
	find := func(n, u string) observation { return observation{nameOperation{verb: "find", name: n}, u} }
	get := func(u, n string) observation { return observation{nameOperation{verb: "get", user: u}, n} }
	x := create("x", "a", succeeded)
	xUnknown, removeUnknown := create("x", "a", unknownOutcome{}), remove("x", unknownOutcome{})
	for name, c := range map[string]struct {
		accepted bool
		steps    []observation
	}{
		"one owner":                         {true, []observation{x, create("y", "a", 409)}},
		"two owners":                        {false, []observation{x, create("y", "a", succeeded)}},
		"409 for a free name":               {false, []observation{create("x", "a", 409)}},
		"a freed name":                      {true, []observation{x, remove("x", succeeded), create("y", "a", succeeded)}},
		"409 after the owner was deleted":   {false, []observation{x, remove("x", succeeded), create("y", "a", 409)}},
		"409 after the owner was renamed":   {false, []observation{x, rename("x", "b", succeeded), create("y", "a", 409)}},
		"not found":                         {false, []observation{x, find("a", "")}},
		"found after the delete":            {false, []observation{x, remove("x", succeeded), find("a", "x")}},
		"found by the old name":             {false, []observation{x, rename("x", "b", succeeded), find("a", "x")}},
		"found by the new name":             {true, []observation{x, rename("x", "b", succeeded), find("b", "x")}},
		"the old name shown":                {false, []observation{x, rename("x", "b", succeeded), get("x", "a")}},
		"unknown create takes effect later": {true, []observation{xUnknown, find("a", ""), find("a", "x")}},
		"unknown create is undone":          {false, []observation{xUnknown, find("a", "x"), find("a", "")}},
		"unknown delete takes effect later": {true, []observation{x, removeUnknown, get("x", "a"), get("x", "")}},
		"unknown delete is undone":          {false, []observation{x, removeUnknown, get("x", ""), get("x", "a")}},
		"rename of a missing user":          {false, []observation{rename("x", "a", succeeded)}},
	} {
		steps := sequence(c.steps)
		accepted := porcupine.CheckOperations(writesModel(), steps) && porcupine.CheckOperations(readsModel(), steps)
		if accepted != c.accepted {
			t.Errorf("%s: accepted is %v, want %v", name, accepted, c.accepted)
		}
	}
}
