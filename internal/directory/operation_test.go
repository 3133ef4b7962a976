package directory

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/patch"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// operation is something that a client does, to one of many: what it is done to is chosen before, and what it did is
// undone after, where that matters.
type operation struct {
	name   string
	before func(context.Context, *company) (string, error)
	do     func(context.Context, *company, string) error
	after  func(context.Context, *company, string) error
}

// once does an operation and tells what it cost by itself.
func (o operation) once(ctx context.Context, c *company) (table.Usage, error) {
	on, err := o.before(ctx, c)
	if err != nil {
		return table.Usage{}, fmt.Errorf("before: %w", err)
	}
	metered, usage := table.WithUsage(ctx)
	if err := o.do(metered, c, on); err != nil {
		return table.Usage{}, err
	}
	u := usage()
	if o.after != nil {
		err = o.after(ctx, c, on)
	}
	return u, err
}

// over is the company seen over another table.
func (c *company) over(tab table.Table) *company {
	d := *c
	d.seeder = c.seeder.over(tab)
	return &d
}

func somebody(_ context.Context, c *company) (string, error) { return strconv.Itoa(c.anyone()), nil }

// number is a person from what somebody chose.
func number(on string) int {
	i, _ := strconv.Atoi(on)
	return i
}

func someID(_ context.Context, c *company) (string, error) { return c.people[c.anyone()], nil }

func newcomer(_ context.Context, c *company) (string, error) {
	return c.newcomers[rand.IntN(len(c.newcomers))], nil
}

// hire makes one more user, in a team.
func hire(ctx context.Context, c *company) (string, error) {
	*c.next++
	r, err := c.Create(ctx, c.user, person(*c.next), scim.Projection{})
	if err != nil {
		return "", err
	}
	id := r.ID()
	return id, c.patch(ctx, c.group, c.teams[c.anyone()/team], `[{"op":"add","path":"members","value":`+list([]string{id})+`}]`)
}

func (c *company) patch(ctx context.Context, rt *scim.ResourceType, id, operations string) error {
	ops, err := patch.Decode([]byte(`{"Operations":` + operations + `}`))
	if err == nil {
		_, err = c.Modify(ctx, rt, id, ops, nil, scim.Projection{})
	}
	return err
}

// find asks for a page of 100, without the members of groups, and for an answer of so many.
func (c *company) find(ctx context.Context, rt *scim.ResourceType, text string, want int) error {
	p, err := scim.NewProjection(only(rt), "", "members")
	if err != nil {
		return err
	}
	q := Params{Types: only(rt), StartIndex: 1, Count: 100, Projection: p, Client: "finder"}
	if text != "" {
		if q.Filter, err = filter.Parse(text); err != nil {
			return err
		}
	}
	l, err := c.List(ctx, q)
	if err == nil && len(l.Resources) != want {
		return fmt.Errorf("%s: %d resources, want %d", text, len(l.Resources), want)
	}
	return err
}

// finds is the search for users by an attribute of one of them.
func finds(name, attribute string, value func(scim.Object) any) operation {
	return operation{name, somebody, func(ctx context.Context, c *company, on string) error {
		return c.find(ctx, c.user, fmt.Sprintf("%s eq %q", attribute, value(person(number(on)))), 1)
	}, nil}
}

// title is a change of a user that leaves its size.
func title() string { return fmt.Sprintf("%08d", rand.IntN(1e8)) }

func modifies(rt string, operations func(on string) string) func(context.Context, *company, string) error {
	return func(ctx context.Context, c *company, on string) error {
		return c.patch(ctx, c.Types.ByName(rt), on, operations(on))
	}
}

// operations are those that cost the same whatever the number of resources.
var operations = []operation{
	{"GET user", someID, func(ctx context.Context, c *company, on string) error {
		_, err := c.Retrieve(ctx, c.user, on, scim.Projection{})
		return err
	}, nil},
	finds("probe by userName, hit", "userName", func(o scim.Object) any { return o["userName"] }),
	finds("probe by externalId", "externalId", func(o scim.Object) any { return o["externalId"] }),
	finds("probe by email", "emails.value", func(o scim.Object) any { return o["userName"] }),
	{"probe by userName, miss", somebody, func(ctx context.Context, c *company, on string) error {
		return c.find(ctx, c.user, fmt.Sprintf("userName eq %q", person(number(on))["userName"].(string)+".nobody"), 0)
	}, nil},
	{"members.value eq", somebody, func(ctx context.Context, c *company, on string) error {
		return c.find(ctx, c.group, fmt.Sprintf("members.value eq %q", c.people[number(on)]), c.groupsOf(number(on)))
	}, nil},
	{"groups.value eq", somebody, func(ctx context.Context, c *company, on string) error {
		return c.find(ctx, c.user, fmt.Sprintf("groups.value eq %q", c.teams[number(on)/team]), team)
	}, nil},
	{"list of groups without members", somebody, func(ctx context.Context, c *company, _ string) error {
		return c.find(ctx, c.group, "", 100)
	}, nil},
	{"PATCH user", someID, modifies("User", func(string) string {
		return `[{"op":"replace","value":{"title":"` + title() + `"}}]`
	}), nil},
	{"PUT user", somebody, func(ctx context.Context, c *company, on string) error {
		o := person(number(on))
		o["title"] = title()
		_, err := c.Replace(ctx, c.user, c.people[number(on)], o, nil, scim.Projection{})
		return err
	}, nil},
	{"rename user", somebody, func(ctx context.Context, c *company, on string) error {
		return c.patch(ctx, c.user, c.people[number(on)], `[{"op":"replace","path":"userName","value":"renamed.`+on+`@people.example.com"}]`)
	}, func(ctx context.Context, c *company, on string) error {
		name := person(number(on))["userName"].(string)
		return c.patch(ctx, c.user, c.people[number(on)], `[{"op":"replace","path":"userName","value":"`+name+`"}]`)
	}},
	{"create user", func(_ context.Context, c *company) (string, error) { *c.next++; return strconv.Itoa(*c.next), nil },
		func(ctx context.Context, c *company, on string) error {
			_, err := c.Create(ctx, c.user, person(number(on)), scim.Projection{})
			return err
		}, nil},
	{"delete user", hire, func(ctx context.Context, c *company, on string) error {
		_, err := c.Delete(ctx, c.user, on, nil)
		return err
	}, nil},
}

// changesMembers is an operation on newcomers of a group and another that takes it back.
func changesMembers(name string, size int, before, do, after func(c *company, on string) string) operation {
	send := func(operations func(*company, string) string) func(context.Context, *company, string) error {
		return func(ctx context.Context, c *company, on string) error {
			if operations == nil {
				return nil
			}
			return c.patch(ctx, c.group, c.sized[size], operations(c, on))
		}
	}
	return operation{name, func(ctx context.Context, c *company) (string, error) {
		on, err := newcomer(ctx, c)
		if err == nil {
			err = send(before)(ctx, c, on)
		}
		return on, err
	}, send(do), send(after)}
}

func add(_ *company, on string) string {
	return `[{"op":"add","path":"members","value":` + list([]string{on}) + `}]`
}

func remove(_ *company, on string) string {
	return `[{"op":"remove","path":"members[value eq \"` + on + `\"]"}]`
}

func addAll(c *company, _ string) string {
	return `[{"op":"add","path":"members","value":` + list(c.newcomers) + `}]`
}

func removeAll(c *company, _ string) string {
	return `[{"op":"remove","path":"members","value":` + list(c.newcomers) + `}]`
}

// addsAll is the add of a hundred members to a group.
func addsAll(size int) operation { return changesMembers("add 100", size, nil, addAll, removeAll) }

// groupOperations are those on the group of a size.
func groupOperations(size int) []operation {
	return []operation{
		{"GET", newcomer, func(ctx context.Context, c *company, _ string) error {
			r, err := c.Retrieve(ctx, c.group, c.sized[size], scim.Projection{})
			if err == nil && len(values(r, "members")) != size {
				return fmt.Errorf("%d members, want %d", len(values(r, "members")), size)
			}
			return err
		}, nil},
		{"GET without members", newcomer, func(ctx context.Context, c *company, _ string) error {
			p, err := scim.NewProjection(only(c.group), "", "members")
			if err == nil {
				_, err = c.Retrieve(ctx, c.group, c.sized[size], p)
			}
			return err
		}, nil},
		{"membership check", func(ctx context.Context, c *company) (string, error) {
			return c.people[len(c.people)-1-rand.IntN(max(1, size))], nil
		}, func(ctx context.Context, c *company, on string) error {
			return c.find(ctx, c.group, fmt.Sprintf("id eq %q and members eq %q", c.sized[size], on), min(1, size))
		}, nil},
		changesMembers("add 1", size, nil, add, remove),
		changesMembers("remove 1", size, add, remove, nil),
		addsAll(size),
		changesMembers("rename", size, nil, func(*company, string) string {
			return `[{"op":"replace","value":{"displayName":"` + title() + title() + `"}}]`
		}, nil),
	}
}

// pageAt is a page of 100 users at a part of the way, of a walk that went there.
func pageAt(name string, part float64, byCursor bool) operation {
	query := func(c *company) Params {
		q := Params{Types: only(c.user), Count: 100, Client: name}
		if !byCursor {
			q.StartIndex = 1
		}
		return q
	}
	return operation{"page of 100 users, " + name, func(ctx context.Context, c *company) (string, error) {
		if c.places[name] == "" {
			q := query(c)
			for n := 0; ; n += q.Count {
				last := q
				l, err := c.List(ctx, q)
				if err != nil {
					return "", err
				}
				if more := following(&q, l); !more || float64(n) >= part*float64(len(c.people)) {
					c.places[name] = strconv.Itoa(last.StartIndex) + " " + last.Cursor
					break
				}
			}
		}
		return c.places[name], nil
	}, func(ctx context.Context, c *company, on string) error {
		q := query(c)
		if _, err := fmt.Sscan(on, &q.StartIndex); err != nil {
			return err
		}
		fmt.Sscan(on, new(int), &q.Cursor) // none at the beginning
		l, err := c.List(ctx, q)
		if err == nil && len(l.Resources) == 0 {
			err = fmt.Errorf("an empty page at %s", on)
		}
		return err
	}, nil}
}

// following makes a query that of the next page, as a client does, and tells whether there is one.
func following(q *Params, l *ListResult) (more bool) {
	if q.StartIndex == 0 {
		q.Cursor = l.NextCursor
		return l.NextCursor != ""
	}
	q.StartIndex += len(l.Resources)
	return len(l.Resources) > 0 && q.StartIndex <= l.TotalResults
}

var pages = []operation{
	pageAt("first by startIndex", 0, false), pageAt("middle by startIndex", 0.5, false), pageAt("last by startIndex", 2, false),
	pageAt("first by cursor", 0, true), pageAt("middle by cursor", 0.5, true), pageAt("last by cursor", 2, true),
}
