package directorytest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/dynamo"
)

// TeamSize is the number of users that are written in one transaction, and share a group if they have one.
const TeamSize = 10

// A Seeder writes very many resources quickly. It takes the writes of real creates, puts those of several resources
// into one transaction, and runs many transactions at the same time. It does not update the counters: AddToCounters
// does.
type Seeder struct {
	*directory.Directory
	Store       *store.Store // of the same tenant
	User, Group *scim.ResourceType
	config      directory.Config
	tenant      string
}

// NewSeeder returns a seeder for a tenant.
func NewSeeder(tab table.Table, tenant string) Seeder {
	types := scim.StandardTypes()
	s := Seeder{User: types.ByName("User"), Group: types.ByName("Group"), tenant: tenant}
	s.config.Store = store.Config{Types: types, Now: time.Now, Random: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	return s.Over(tab)
}

// Seeder returns a seeder for the tenant of the fixture.
func (f *Fixture) Seeder() Seeder {
	return Seeder{
		Directory: f.Directory, Store: f.Store, User: f.User, Group: f.Group, config: f.Config, tenant: f.tenant,
	}
}

// NewUsers writes n users quickly and returns their IDs, sorted. The users are named in the same order.
func (f *Fixture) NewUsers(n int) []string {
	f.Helper()
	s := f.Seeder()
	ids, err := s.Users(f.Ctx, n, func(i int) scim.Object { return scim.Object{"userName": fmt.Sprintf("member%06d", i)} })
	if err == nil {
		err = s.AddToCounters(f.Ctx, f.User, n)
	}
	if err != nil {
		f.Fatal(err)
	}
	return ids
}

// Over returns the seeder for another table.
func (s Seeder) Over(tab table.Table) Seeder {
	s.config.Store.Table = tab
	s.Store, s.Directory = store.New(s.config.Store, s.tenant), directory.New(s.config, s.tenant, BaseURL)
	return s
}

// writers returns the number of concurrent transactions. The embedded table commits all of them with one fsync. An
// emulator executes them one by one, and the driver waits only 3 s for each.
func (s Seeder) writers() int {
	if _, isDynamo := s.config.Store.Table.(*dynamo.Table); isDynamo {
		return 16
	}
	return 128
}

// newIDs returns unused IDs, sorted, so that the embedded table grows at one end.
func (s Seeder) newIDs(rt *scim.ResourceType, n int) ([]string, error) {
	ids := make([]string, n)
	for i := range ids {
		var err error
		if ids[i], err = s.Store.NewID(rt); err != nil {
			return nil, err
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// Users writes n users, which object returns by number, and returns their IDs, sorted. It also writes a group with each
// of the IDs in teams: users 0 to TeamSize-1 are the members of the first team, and so on.
func (s Seeder) Users(ctx context.Context, n int, object func(i int) scim.Object, teams ...string) ([]string, error) {
	ids, err := s.newIDs(s.User, n)
	if err != nil {
		return nil, err
	}
	var g errgroup.Group
	g.SetLimit(s.writers())
	for first := 0; first < n; first += TeamSize {
		g.Go(func() error {
			var all []table.Write
			batch := ids[first:min(first+TeamSize, n)]
			for i, id := range batch {
				w, err := s.createWrites(s.User, id, object(first+i))
				if all = append(all, w...); err != nil {
					return err
				}
			}
			if first/TeamSize < len(teams) {
				team := NewTeam(first)
				addMembers(team, batch)
				w, err := s.createWrites(s.Group, teams[first/TeamSize], team)
				if all = append(all, w...); err != nil {
					return err
				}
			}
			return s.write(ctx, all)
		})
	}
	return ids, g.Wait()
}

// GroupOf writes a group with any number of members and returns its ID.
func (s Seeder) GroupOf(ctx context.Context, name string, members ...string) (string, error) {
	id, err := s.Store.NewID(s.Group)
	if err != nil {
		return "", err
	}
	all, err := s.createWrites(s.Group, id, WithMembers(name, members...))
	if err != nil {
		return "", err
	}
	var g errgroup.Group
	g.SetLimit(s.writers())
	for batch := range slices.Chunk(all, table.MaxTransactionActions) {
		g.Go(func() error { return s.Store.Table.Write(ctx, batch...) })
	}
	return id, g.Wait()
}

// A recorder is a table that records the writes of one transaction of any size. It supports no reads.
type recorder struct {
	table.Table
	writes []table.Write
}

func (r *recorder) Write(_ context.Context, writes ...table.Write) error {
	r.writes = writes
	return nil
}

// createWrites returns the writes of a create, except that of the counter item. The resource gets the given ID, and all
// writes are in one transaction, however many members there are.
func (s Seeder) createWrites(rt *scim.ResourceType, id string, o scim.Object) ([]table.Write, error) {
	random, err := base32.HexEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(id[1:]))
	if err != nil {
		return nil, err
	}
	r, c := &recorder{}, s.config
	c.Store.Table, c.Store.Random = r, io.MultiReader(bytes.NewReader(random), rand.Reader)
	c.Store.Limits, c.Store.Embedded = store.Limits{TransactionActions: math.MaxInt}, false
	projection := scim.MinimalProjection() // with another one, Create would read display names
	if _, err := directory.New(c, s.tenant, BaseURL).Create(context.Background(), rt, o, projection); err != nil {
		return nil, err
	}
	isCounter := func(w table.Write) bool { return w.Target().PK == s.Store.Keys.CounterPartition(rt) }
	return slices.DeleteFunc(r.writes, isCounter), nil
}

// write writes a transaction. A Put and the Updates of the same item are merged into one Put.
func (s Seeder) write(ctx context.Context, writes []table.Write) (err error) {
	index := map[table.Key]int{}
	var all []table.Write
	for _, w := range writes {
		i, exists := index[w.Target()]
		if !exists {
			index[w.Target()], all = len(all), append(all, w)
			continue
		}
		put := all[i].(table.Put)
		if put.Item, err = w.(table.Update).Apply(put.Item); err != nil {
			return err
		}
		all[i] = put
	}
	return s.Store.Table.Write(ctx, all...)
}

// AddToCounters adds n to the number of resources, spread evenly over the counter items.
func (s Seeder) AddToCounters(ctx context.Context, rt *scim.ResourceType, n int) error {
	var all []table.Write
	for shard := range store.CounterShards {
		delta := (n + shard) / store.CounterShards
		all = append(all, table.Update{Key: s.Store.Keys.Counter(rt, byte(shard)), Add: table.Item{"n": table.N(int64(delta))}})
	}
	return s.Store.Table.Write(ctx, all...)
}

// NewTeam returns the group of the team of user number i, without its members.
func NewTeam(i int) scim.Object {
	return scim.Object{"displayName": fmt.Sprintf("team %07d", i/TeamSize), "externalId": fmt.Sprintf("00g%017d", i/TeamSize)}
}
