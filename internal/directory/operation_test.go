package directory_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/filter"
	"serverless-scim/internal/patch"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// An operation is a request whose cost is measured.
type operation struct {
	name   string
	before func(context.Context, *directorytest.Company) (target string, err error) // chooses and prepares what do works on
	do     func(ctx context.Context, c *directorytest.Company, target string) error
	after  func(ctx context.Context, c *directorytest.Company, target string) error // undoes do; nil: not needed
}

// measure performs an operation and returns the usage of do.
func (o operation) measure(ctx context.Context, c *directorytest.Company) (table.Usage, error) {
	target, err := o.before(ctx, c)
	if err != nil {
		return table.Usage{}, fmt.Errorf("before: %w", err)
	}
	metered, usage := table.WithUsage(ctx)
	if err := o.do(metered, c, target); err != nil {
		return table.Usage{}, err
	}
	u := usage()
	if o.after != nil {
		err = o.after(ctx, c, target)
	}
	return u, err
}

// chooseNumber returns the number of a random person, for personNumber.
func chooseNumber(_ context.Context, c *directorytest.Company) (string, error) {
	return strconv.Itoa(c.RandomPerson()), nil
}

func personNumber(target string) int {
	i, _ := strconv.Atoi(target)
	return i
}

// choosePerson returns the ID of a random person.
func choosePerson(_ context.Context, c *directorytest.Company) (string, error) {
	return c.People[c.RandomPerson()], nil
}

// chooseNewcomer returns the ID of a random newcomer.
func chooseNewcomer(_ context.Context, c *directorytest.Company) (string, error) {
	return c.Newcomers[rand.IntN(len(c.Newcomers))], nil
}

// createPerson creates a user, adds it to a random team, and returns its ID.
func createPerson(ctx context.Context, c *directorytest.Company) (string, error) {
	r, err := c.Create(ctx, c.User, directorytest.NewPerson(c.NextNumber()), scim.Projection{})
	if err != nil {
		return "", err
	}
	team := c.Teams[c.RandomPerson()/directorytest.TeamSize]
	return r.ID(), modify(ctx, c, c.Group, team, addMembers(r.ID()))
}

// modify sends operations that are given as JSON.
func modify(ctx context.Context, c *directorytest.Company, rt *scim.ResourceType, id, operations string) error {
	ops, err := patch.Decode([]byte(`{"Operations":`+operations+`}`), nil)
	if err == nil {
		_, err = c.Modify(ctx, rt, id, ops, nil, scim.Projection{})
	}
	return err
}

func addMembers(ids ...string) string {
	return `[{"op":"add","path":"members","value":` + directorytest.MembersJSON(ids) + `}]`
}

func removeMembers(ids ...string) string {
	return `[{"op":"remove","path":"members","value":` + directorytest.MembersJSON(ids) + `}]`
}

func removeMemberByPath(id string) string {
	return `[{"op":"remove","path":"members[value eq \"` + id + `\"]"}]`
}

// replaceAttribute replaces an attribute that has a string value.
func replaceAttribute(name, value string) string {
	return `[{"op":"replace","value":{"` + name + `":"` + value + `"}}]`
}

// list requests the first 100 resources that match a filter, without the members of groups, and returns an error unless
// there are exactly as many as wanted. An empty filter matches all resources.
func list(ctx context.Context, c *directorytest.Company, rt *scim.ResourceType, text string, want int) error {
	projection, err := scim.NewProjection(directorytest.Only(rt), "", "members", nil)
	if err != nil {
		return err
	}
	p := directory.ListParams{
		Types: directorytest.Only(rt), StartIndex: 1, Count: 100, Projection: projection, Client: "finder",
	}
	if text != "" {
		if p.Filter, err = filter.Parse(text, nil); err != nil {
			return err
		}
	}
	l, err := c.List(ctx, p)
	if err == nil && len(l.Resources) != want {
		return fmt.Errorf("%s: %d resources, want %d", text, len(l.Resources), want)
	}
	return err
}

// probe is the search for a user by the value of an attribute.
func probe(name, attribute string, value func(scim.Object) any) operation {
	return operation{name, chooseNumber, func(ctx context.Context, c *directorytest.Company, target string) error {
		return list(ctx, c, c.User, fmt.Sprintf("%s eq %q", attribute, value(directorytest.NewPerson(personNumber(target)))), 1)
	}, nil}
}

// randomTitle returns a title. All titles have the same length, so that the size of a user does not change.
func randomTitle() string { return fmt.Sprintf("%08d", rand.IntN(1e8)) }

// operations holds the operations that cost the same in a directory of any size.
var operations = []operation{
	{"GET user", choosePerson, func(ctx context.Context, c *directorytest.Company, target string) error {
		_, err := c.Retrieve(ctx, c.User, target, scim.Projection{})
		return err
	}, nil},
	probe("probe by userName, hit", "userName", func(o scim.Object) any { return o["userName"] }),
	probe("probe by externalId", "externalId", func(o scim.Object) any { return o["externalId"] }),
	probe("probe by email", "emails.value", func(o scim.Object) any { return o["userName"] }),
	{"probe by userName, miss", chooseNumber, func(ctx context.Context, c *directorytest.Company, target string) error {
		name := directorytest.NewPerson(personNumber(target))["userName"].(string)
		return list(ctx, c, c.User, fmt.Sprintf("userName eq %q", name+".nobody"), 0)
	}, nil},
	{"members.value eq", chooseNumber, func(ctx context.Context, c *directorytest.Company, target string) error {
		i := personNumber(target)
		return list(ctx, c, c.Group, fmt.Sprintf("members.value eq %q", c.People[i]), c.GroupCount(i))
	}, nil},
	{"groups.value eq", chooseNumber, func(ctx context.Context, c *directorytest.Company, target string) error {
		team := c.Teams[personNumber(target)/directorytest.TeamSize]
		return list(ctx, c, c.User, fmt.Sprintf("groups.value eq %q", team), directorytest.TeamSize)
	}, nil},
	{"list of groups without members", chooseNumber, func(ctx context.Context, c *directorytest.Company, _ string) error {
		return list(ctx, c, c.Group, "", 100)
	}, nil},
	{"PATCH user", choosePerson, func(ctx context.Context, c *directorytest.Company, target string) error {
		return modify(ctx, c, c.User, target, replaceAttribute("title", randomTitle()))
	}, nil},
	{"PUT user", chooseNumber, func(ctx context.Context, c *directorytest.Company, target string) error {
		o := directorytest.NewPerson(personNumber(target))
		o["title"] = randomTitle()
		_, err := c.Replace(ctx, c.User, c.People[personNumber(target)], o, nil, scim.Projection{})
		return err
	}, nil},
	{"rename user", chooseNumber, func(ctx context.Context, c *directorytest.Company, target string) error {
		return rename(ctx, c, target, "renamed."+target+"@people.example.com")
	}, func(ctx context.Context, c *directorytest.Company, target string) error {
		return rename(ctx, c, target, directorytest.NewPerson(personNumber(target))["userName"].(string))
	}},
	{"create user", func(_ context.Context, c *directorytest.Company) (string, error) {
		return strconv.Itoa(c.NextNumber()), nil
	}, func(ctx context.Context, c *directorytest.Company, target string) error {
		_, err := c.Create(ctx, c.User, directorytest.NewPerson(personNumber(target)), scim.Projection{})
		return err
	}, nil},
	{"delete user", createPerson, func(ctx context.Context, c *directorytest.Company, target string) error {
		_, err := c.Delete(ctx, c.User, target, nil)
		return err
	}, nil},
}

func rename(ctx context.Context, c *directorytest.Company, target, name string) error {
	return modify(ctx, c, c.User, c.People[personNumber(target)], `[{"op":"replace","path":"userName","value":"`+name+`"}]`)
}

// A groupChange returns the operations of a PATCH request on a group, as JSON. nil: no request.
type groupChange func(c *directorytest.Company, newcomer string) string

// modifyGroup is a change of the group of a size, with a change that prepares it and a change that undoes it.
func modifyGroup(name string, size int, before, do, after groupChange) operation {
	send := func(change groupChange) func(context.Context, *directorytest.Company, string) error {
		return func(ctx context.Context, c *directorytest.Company, newcomer string) error {
			if change == nil {
				return nil
			}
			return modify(ctx, c, c.Group, c.GroupOfSize[size], change(c, newcomer))
		}
	}
	return operation{name, func(ctx context.Context, c *directorytest.Company) (string, error) {
		newcomer, err := chooseNewcomer(ctx, c)
		if err == nil {
			err = send(before)(ctx, c, newcomer)
		}
		return newcomer, err
	}, send(do), send(after)}
}

func addOne(_ *directorytest.Company, newcomer string) string    { return addMembers(newcomer) }
func removeOne(_ *directorytest.Company, newcomer string) string { return removeMemberByPath(newcomer) }
func addAll(c *directorytest.Company, _ string) string           { return addMembers(c.Newcomers...) }
func removeAll(c *directorytest.Company, _ string) string        { return removeMembers(c.Newcomers...) }

func changeDisplayName(*directorytest.Company, string) string {
	return replaceAttribute("displayName", randomTitle()+randomTitle())
}

// addHundred adds all newcomers to the group of a size.
func addHundred(size int) operation { return modifyGroup("add 100", size, nil, addAll, removeAll) }

// groupOperations returns the operations on the group of a size.
func groupOperations(size int) []operation {
	return []operation{
		{"GET", chooseNewcomer, func(ctx context.Context, c *directorytest.Company, _ string) error {
			r, err := c.Retrieve(ctx, c.Group, c.GroupOfSize[size], scim.Projection{})
			if err != nil {
				return err
			}
			if n := len(directorytest.Values(r, "members")); n != size {
				return fmt.Errorf("%d members, want %d", n, size)
			}
			return nil
		}, nil},
		{"GET without members", chooseNewcomer, func(ctx context.Context, c *directorytest.Company, _ string) error {
			p, err := scim.NewProjection(directorytest.Only(c.Group), "", "members", nil)
			if err == nil {
				_, err = c.Retrieve(ctx, c.Group, c.GroupOfSize[size], p)
			}
			return err
		}, nil},
		{"membership check", func(ctx context.Context, c *directorytest.Company) (string, error) {
			return c.People[len(c.People)-1-rand.IntN(max(1, size))], nil
		}, func(ctx context.Context, c *directorytest.Company, target string) error {
			text := fmt.Sprintf("id eq %q and members eq %q", c.GroupOfSize[size], target)
			return list(ctx, c, c.Group, text, min(1, size))
		}, nil},
		modifyGroup("add 1", size, nil, addOne, removeOne),
		modifyGroup("remove 1", size, addOne, removeOne, nil),
		addHundred(size),
		modifyGroup("rename", size, nil, changeDisplayName, nil),
	}
}

// pageOperations holds the requests for a page of 100 users in a walk through all users.
var pageOperations = []operation{
	pageAt("first by startIndex", 0, false), pageAt("middle by startIndex", 0.5, false), pageAt("last by startIndex", 2, false),
	pageAt("first by cursor", 0, true), pageAt("middle by cursor", 0.5, true), pageAt("last by cursor", 2, true),
}

// pageAt is the request for the page at a fraction of all people. If there is no such page, it is the last page.
func pageAt(name string, fraction float64, byCursor bool) operation {
	return operation{"page of 100 users, " + name, func(ctx context.Context, c *directorytest.Company) (string, error) {
		if _, found := c.Pages[name]; found {
			return name, nil
		}
		p := directory.ListParams{Types: directorytest.Only(c.User), Count: 100, Client: name}
		if !byCursor {
			p.StartIndex = 1
		}
		for listed := 0; ; listed += p.Count {
			c.Pages[name] = p
			l, err := c.List(ctx, p)
			if err != nil {
				return "", err
			}
			more := directorytest.NextPage(&p, l)
			if !more || float64(listed) >= fraction*float64(len(c.People)) {
				return name, nil
			}
		}
	}, func(ctx context.Context, c *directorytest.Company, target string) error {
		l, err := c.List(ctx, c.Pages[target])
		if err == nil && len(l.Resources) == 0 {
			err = fmt.Errorf("the page with startIndex %d is empty", c.Pages[target].StartIndex)
		}
		return err
	}, nil}
}
