package directory

import (
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/anishathalye/porcupine"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// naming is a request about who bears which userName. Users are told apart by their titles, which are there before
// anybody knows their ids.
type naming struct {
	verb string // create, rename, delete; find: by name; get: by id
	user string // of find: nobody
	name string // the new one, or the one to find
	of   string // as a view of one name or one user: which
}

// The answers to a naming: done, 404, 409 or unknown; of find the user, of get the name, "" where there is none.
const done = "done"

var allNames = []string{"a", "b", "c"}

// registry is who bears which name, as writes see it: what decides is one transaction, on the head and the name items
// that it changes, so all of them have one order, over all names and users.
func registry() porcupine.Model {
	return porcupine.Model{
		Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
			return [][]porcupine.Operation{slices.DeleteFunc(slices.Clone(all), func(o porcupine.Operation) bool {
				return o.Input.(naming).reads()
			})}
		},
		Init: func() any { return [3]string{} },
		Step: func(state, in, out any) (bool, any) {
			bearers, n := state.([3]string), in.(naming)
			from, to := slices.Index(bearers[:], n.user), slices.Index(allNames, n.name)
			there := n.verb == "create" || from >= 0
			free := to < 0 || to == from || bearers[to] == ""
			switch {
			case out == 404:
				return !there, bearers
			case out == 409:
				return there && !free, bearers
			case !there || !free:
				return out == unknown{}, bearers
			}
			if from >= 0 {
				bearers[from] = ""
			}
			if to >= 0 {
				bearers[to] = n.user
			}
			return true, bearers
		},
	}
}

func (n naming) reads() bool { return n.verb == "find" || n.verb == "get" }

// shown is each name and each user for itself, as reads show them. A name is borne by a user if its name item says so
// and the user's head agrees; a transaction changes the two one after the other, but what a read of both, in this
// order, sees between is what was before the transaction gave the name, or after it took the name away. Not promised,
// and so not asked here: that while a transaction goes on that nobody has been answered yet, two items of it are shown,
// or one is shown and the other met by a write that gets 409, as if they had changed at one instant. So a view has no
// 409 of a name; and between names and users there is no order but that of answers to writes.
func shown() porcupine.Model {
	return porcupine.Model{
		Partition: func(all []porcupine.Operation) (parts [][]porcupine.Operation) {
			views := map[string][]porcupine.Operation{}
			for _, o := range all {
				n := o.Input.(naming)
				for _, n.of = range n.views(o.Output) {
					o.Input = n
					views[n.of] = append(views[n.of], o)
				}
			}
			for _, of := range views {
				parts = append(parts, of)
			}
			return parts
		},
		Init: func() any { return "" },
		Step: func(state, in, out any) (bool, any) {
			n := in.(naming)
			if slices.Contains(allNames, n.of) {
				return n.showName(state.(string), out)
			}
			return n.showUser(state.(string), out)
		},
	}
}

// views is the names and users of which a naming, with this answer, shows or changes something.
func (n naming) views(out any) []string {
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

// showName is about the bearer of a name.
func (n naming) showName(bearer string, out any) (bool, any) {
	switch {
	case n.verb == "find":
		return out == bearer, bearer
	case n.of != n.name && bearer == n.user: // deleted, or renamed to another
		return true, ""
	case n.of != n.name:
		return true, bearer
	case bearer == "" || bearer == n.user:
		return true, n.user
	}
	return out == unknown{}, bearer
}

// showUser is about the name of a user.
func (n naming) showUser(name string, out any) (bool, any) {
	switch there := name != ""; {
	case n.verb == "get":
		return out == name, name
	case n.verb == "create":
		return !there, n.name
	case out == 404:
		return !there, name
	case !there:
		return out == unknown{}, name
	}
	return true, n.name
}

// crowd is clients that know each other's users.
type crowd struct {
	*history
	mu    sync.Mutex
	ids   map[string]string // by title
	count int
}

func TestNamesAreLinearizable(t *testing.T) {
	onEachWire(t, func(t *testing.T, tab table.Table, rounds int) {
		for round := 0; round < 4*rounds && !t.Failed(); round++ {
			f := newFixture(t, tab).tenant(fmt.Sprint(round))
			f.Backoff = quick
			c := &crowd{history: &history{fixture: f}, ids: map[string]string{}}
			c.atOnce(4, 12, c.step)
			c.linearizable("who bears a name, to those who write", registry())
			c.linearizable("who bears a name, to those who read", shown())
		}
	})
}

func (c *crowd) step(client int) {
	name := allNames[mathrand.IntN(len(allNames))]
	user, id := c.anybody()
	switch n := mathrand.IntN(10); {
	case n < 2 || user == "":
		c.create(client, name)
	case n < 4:
		c.rename(client, user, id, name)
	case n < 5:
		c.request(client, func(f *fixture) []view {
			return []view{{naming{verb: "delete", user: user}, c.answer(f.Delete(f.ctx, f.user, id, nil), done)}}
		})
	case n < 9:
		c.find(client, name)
	default:
		c.request(client, func(f *fixture) []view {
			r, err := f.Retrieve(f.ctx, f.user, id, scim.Projection{})
			return c.got(user, r, err)
		})
	}
}

func (c *crowd) anybody() (user, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for user, id = range c.ids { // in any order
		break
	}
	return user, id
}

func (c *crowd) know(r *Resource) (user string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	user = r.Object()["title"].(string)
	c.ids[user] = r.ID()
	return user
}

func (c *crowd) create(client int, name string) {
	c.mu.Lock()
	c.count++
	user := fmt.Sprint("user", c.count)
	c.mu.Unlock()
	c.request(client, func(f *fixture) []view {
		r, err := f.Create(f.ctx, f.user, scim.Object{"userName": strings.ToUpper(name), "title": user}, scim.Projection{})
		if err == nil {
			c.know(r)
		}
		return []view{{naming{verb: "create", user: user, name: name}, c.answer(err, done)}}
	})
}

// rename that finds the name there already writes nothing, and is a read of the user.
func (c *crowd) rename(client int, user, id, name string) {
	c.request(client, func(f *fixture) []view {
		ctx, usage := table.WithUsage(f.ctx)
		f.ctx = ctx
		r, err := f.patch(f.user, id, `[{"op":"replace","path":"userName","value":"`+name+`"}]`)
		if err == nil && usage().ItemsWritten == 0 {
			return c.got(user, r, nil)
		}
		return []view{{naming{verb: "rename", user: user, name: name}, c.answer(err, done)}}
	})
}

// find shows the name, and if somebody bears it, that user.
func (c *crowd) find(client int, name string) {
	c.request(client, func(f *fixture) (views []view) {
		l, err := f.search(f.user, `userName eq "`+name+`"`)
		user := ""
		if err == nil && len(l.Resources) > 0 {
			user = c.know(l.Resources[0])
			views = c.got(user, l.Resources[0], nil)
			if shown := views[0].out; shown != name {
				c.Errorf("who was to be called %q is called %q", name, shown)
			}
		}
		if out := c.answer(err, user); out != (unknown{}) {
			views = append(views, view{naming{verb: "find", name: name}, out})
		}
		return views
	})
}

func (c *crowd) got(user string, r *Resource, err error) []view {
	name := ""
	if err == nil {
		name = scim.Fold(r.Object()["userName"].(string))
	} else if c.answer(err, nil) == (unknown{}) {
		return nil
	}
	return []view{{naming{verb: "get", user: user}, name}}
}

// Histories that cannot be are refused, and the like that can be are not: or the test above would show nothing.
func TestWhatIsNotLinearizableIsSeen(t *testing.T) {
	t.Parallel()
	create := func(u, n string, out any) view { return view{naming{verb: "create", user: u, name: n}, out} }
	rename := func(u, n string, out any) view { return view{naming{verb: "rename", user: u, name: n}, out} }
	remove := func(u string, out any) view { return view{naming{verb: "delete", user: u}, out} }
	find := func(n, u string) view { return view{naming{verb: "find", name: n}, u} }
	get := func(u, n string) view { return view{naming{verb: "get", user: u}, n} }
	for what, c := range map[string]struct {
		bad   bool
		steps []view
	}{
		"one bearer":                    {false, []view{create("x", "a", done), create("y", "a", 409)}},
		"two bearers":                   {true, []view{create("x", "a", done), create("y", "a", done)}},
		"taken by nobody":               {true, []view{create("x", "a", 409)}},
		"free again":                    {false, []view{create("x", "a", done), remove("x", done), create("y", "a", done)}},
		"taken by one who is gone":      {true, []view{create("x", "a", done), remove("x", done), create("y", "a", 409)}},
		"taken by one who is elsewhere": {true, []view{create("x", "a", done), rename("x", "b", done), create("y", "a", 409)}},
		"not found":                     {true, []view{create("x", "a", done), find("a", "")}},
		"found after it is gone":        {true, []view{create("x", "a", done), remove("x", done), find("a", "x")}},
		"found under the old name":      {true, []view{create("x", "a", done), rename("x", "b", done), find("a", "x")}},
		"found under the new name":      {false, []view{create("x", "a", done), rename("x", "b", done), find("b", "x")}},
		"the old name shown":            {true, []view{create("x", "a", done), rename("x", "b", done), get("x", "a")}},
		"lost and found":                {false, []view{create("x", "a", unknown{}), find("a", ""), find("a", "x")}},
		"found and lost":                {true, []view{create("x", "a", unknown{}), find("a", "x"), find("a", "")}},
		"deleted perhaps":               {false, []view{create("x", "a", done), remove("x", unknown{}), get("x", "a"), get("x", "")}},
		"deleted perhaps, and back":     {true, []view{create("x", "a", done), remove("x", unknown{}), get("x", ""), get("x", "a")}},
		"renamed, though not there":     {true, []view{rename("x", "a", done)}},
	} {
		all := sequence(c.steps)
		if ok := porcupine.CheckOperations(registry(), all) && porcupine.CheckOperations(shown(), all); ok == c.bad {
			t.Errorf("%s: accepted: %v", what, ok)
		}
	}
}
