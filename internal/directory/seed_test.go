package directory

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/dynamo"
)

// seeder makes very many resources: it writes what creates would write straight into the table, for several resources
// in one transaction, with many transactions under way, and moves the counts once.
type seeder struct {
	*Store
	user, group *scim.ResourceType
}

func newSeeder(tab table.Table, tenant string) seeder {
	types := scim.StandardTypes()
	c := Config{Table: tab, Types: types, Now: time.Now, Random: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	return seeder{New(c, tenant, base), types.ByName("User"), types.ByName("Group")}
}

// over is the same directory over another table.
func (s seeder) over(tab table.Table) seeder {
	c := s.Config
	c.Table = tab
	s.Store = c.ForTenant(s.keys, base)
	return s
}

const team = 10 // users that are made together, and have a group for themselves

// writers is how many transactions are under way: the embedded table writes them all with one fsync, while an emulator
// does one after the other, and the driver waits 3 s for each.
func (s seeder) writers() int {
	if _, dynamo := s.Config.Unscoped().Table.(table.Metered).Table.(*dynamo.Table); dynamo {
		return 16
	}
	return 128
}

// newIDs are in order, so that the embedded table grows at one end.
func (s seeder) newIDs(rt *scim.ResourceType, n int) ([]string, error) {
	ids := make([]string, n)
	for i := range ids {
		var err error
		if ids[i], err = s.newID(rt); err != nil {
			return nil, err
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// users makes users that are in no group, or where there are teams each in that of its number. It gives their ids.
func (s seeder) users(ctx context.Context, n int, object func(i int) scim.Object, teams ...string) ([]string, error) {
	ids, err := s.newIDs(s.user, n)
	if err != nil {
		return nil, err
	}
	var g errgroup.Group
	g.SetLimit(s.writers())
	for from := 0; from < n; from += team {
		g.Go(func() error {
			var all []table.Write
			some := ids[from:min(from+team, n)]
			for i, id := range some {
				w, err := s.creates(s.user, id, object(from+i))
				if all = append(all, w...); err != nil {
					return err
				}
			}
			if from/team < len(teams) {
				w, err := s.creates(s.group, teams[from/team], teamOf(from), some...)
				if all = append(all, w...); err != nil {
					return err
				}
			}
			return s.write(ctx, all)
		})
	}
	return ids, g.Wait()
}

// groupOf makes a group of any size.
func (s seeder) groupOf(ctx context.Context, name string, members ...string) (string, error) {
	id, err := s.newID(s.group)
	if err != nil {
		return "", err
	}
	all, err := s.creates(s.group, id, scim.Object{"displayName": name}, members...)
	if err != nil {
		return "", err
	}
	var g errgroup.Group
	g.SetLimit(s.writers())
	for some := range slices.Chunk(all, table.MaxTransactionActions) {
		g.Go(func() error { return s.Table.Write(ctx, some...) })
	}
	return id, g.Wait()
}

// creates is what a create writes if it finds room in one transaction, but for the count.
func (s seeder) creates(rt *scim.ResourceType, id string, o scim.Object, members ...string) ([]table.Write, error) {
	h, err := s.newHead(rt, id, o)
	if err != nil {
		return nil, err
	}
	e, err := s.createMutation(rt, id, h, o)
	if err != nil {
		return nil, err
	}
	e.add, e.AttemptState = members, NewAttemptState()
	return slices.DeleteFunc(s.buildTransaction(e).writes, func(w table.Write) bool { return w.Target().PK == s.keys.CounterPartition(rt) }), nil
}

// write does a transaction; what it makes and then changes is one Put.
func (s seeder) write(ctx context.Context, writes []table.Write) (err error) {
	at := map[table.Key]int{}
	var all []table.Write
	for _, w := range writes {
		i, there := at[w.Target()]
		if !there {
			at[w.Target()], all = len(all), append(all, w)
			continue
		}
		put := all[i].(table.Put)
		if put.Item, err = w.(table.Update).Apply(put.Item); err != nil {
			return err
		}
		all[i] = put
	}
	return s.Table.Write(ctx, all...)
}

// counted moves the number of resources, in all the items that so many creates would have moved.
func (s seeder) counted(ctx context.Context, rt *scim.ResourceType, n int) error {
	var all []table.Write
	for shard := range CounterShards {
		by := (n + shard) / CounterShards
		all = append(all, table.Update{Key: s.keys.Counter(rt, byte(shard)), Add: table.Item{"n": table.N(int64(by))}})
	}
	return s.Table.Write(ctx, all...)
}

// person is a user as Okta sends one, of about 1 KB and less. They are in the order of their numbers by name.
func person(i int) scim.Object {
	given := []string{"Maria", "James", "Aisha", "Pedro", "Freya", "Chloe"}[i%6]
	family := []string{"Andersson", "Fernandez", "Kobayashi", "Hernandez"}[i/6%4]
	login := fmt.Sprintf("%07d.%s.%s@people.example.com", i, given, family)
	return scim.Object{
		"userName": login, "externalId": fmt.Sprintf("00u%017d", i), "displayName": given + " " + family, "active": true,
		"name":   scim.Object{"givenName": given, "familyName": family, "formatted": given + " " + family},
		"emails": []any{scim.Object{"value": login, "type": "work", "primary": true}},
		"locale": "en-US", "timezone": "America/Los_Angeles", "preferredLanguage": "en-US", "title": "00000000",
		"phoneNumbers": []any{scim.Object{"value": fmt.Sprintf("+1 555 %07d", i), "type": "work"}},
		"addresses": []any{scim.Object{"type": "work", "streetAddress": "100 Universal City Plaza", "locality": "Hollywood",
			"region": "CA", "postalCode": "91608", "country": "US"}},
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": scim.Object{
			"employeeNumber": fmt.Sprintf("%08d", i), "department": "Engineering", "organization": "Example"},
	}
}

// teamOf is the group of a user's team.
func teamOf(i int) scim.Object {
	return scim.Object{"displayName": fmt.Sprintf("team %07d", i/team), "externalId": fmt.Sprintf("00g%017d", i/team)}
}

// company is people in teams, of whom the last are also in groups of some sizes, and a hundred newcomers in none.
type company struct {
	seeder
	raw       table.Table
	people    []string // by number
	teams     []string
	newcomers []string
	sized     map[int]string
	modest    int // people who are in no group but their team; if there are none, all
	places    map[string]string
	next      *int // the number of who was hired last
}

// newCompany makes n people, n a multiple of ten, and a group of each size.
func newCompany(ctx context.Context, tab table.Table, tenant string, n int, sizes ...int) (c *company, err error) {
	s := newSeeder(tab, tenant)
	c = &company{seeder: s, raw: tab, sized: map[int]string{}, places: map[string]string{}, next: new(n + 100)}
	if c.teams, err = s.newIDs(s.group, n/team); err != nil {
		return nil, err
	}
	all, err := s.users(ctx, n+100, person, c.teams...)
	if err != nil {
		return nil, err
	}
	c.people, c.newcomers, c.modest = all[:n], all[n:], n
	for _, size := range sizes {
		if c.sized[size], err = s.groupOf(ctx, fmt.Sprintf("group of %d", size), c.people[n-size:]...); err != nil {
			return nil, err
		}
		c.modest = min(c.modest, n-size)
	}
	if c.modest == 0 {
		c.modest = n
	}
	if err := s.counted(ctx, s.user, n+100); err != nil {
		return nil, err
	}
	return c, s.counted(ctx, s.group, len(c.teams)+len(sizes))
}

// anyone is the number of a person.
func (c *company) anyone() int { return mathrand.IntN(c.modest) }

// groupsOf is how many groups a person is in.
func (c *company) groupsOf(i int) int {
	n := 1
	for size := range c.sized {
		if i >= len(c.people)-size {
			n++
		}
	}
	return n
}

// What is seeded is what creates would have written.
func TestSeeds(t *testing.T) {
	onEach(t, func(t *testing.T, tab table.Table) {
		c, err := newCompany(t.Context(), tab, "test", 300, 0, 100, 200)
		if err != nil {
			t.Fatal(err)
		}
		f := newFixture(t, tab)
		f.quiet()
		f.has(c.sized[200], c.people[100:])
		if g := f.groups(c.people[299]); len(g) != 3 || !slices.Contains(g, c.teams[29]) {
			t.Errorf("the last of the people is in %v", g)
		}
		made := f.must(f.Create(f.ctx, f.user, person(1234567), scim.Projection{}))
		seeded := f.must(f.Retrieve(f.ctx, f.user, c.newcomers[0], scim.Projection{}))
		if size, want := len(fmt.Sprint(seeded.Object())), len(fmt.Sprint(made.Object())); size != want {
			t.Errorf("a seeded user has %d bytes and one that is created %d", size, want)
		}
		if l := f.find(f.user, `emails.value eq "`+person(7)["userName"].(string)+`"`); l.TotalResults != 1 || l.Resources[0].Object()["id"] != c.people[7] {
			t.Errorf("an email finds %d users", l.TotalResults)
		}
	})
}
