// Package directory is the domain: one tenant's users and groups, as items of a table and back. It holds the storage
// protocol: every write is one transaction whose conditions make it right whatever runs beside it, and what is read
// from several items is believed only if it is known to be one state. It answers no request and knows no header; and
// it never writes a member list back, only what changes of it.
package directory

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/errgroup"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// Config is what all directories of a service provider share.
type Config struct {
	Table   table.Table // its calls are counted here
	Types   *scim.Types
	Now     func() time.Time
	Random  io.Reader // for ids and for spreading counts; safe for concurrent use
	Backoff table.Backoff
	Log     *slog.Logger

	Budget  int      // resources that a request tests where no key leads to what it means; 0: the constant Budget
	Cursors *Cursors // nil: made for each directory
	// Bookmarks holds those of walks by startIndex; nil: they stand in the table, where all processes find them.
	Bookmarks *Bookmarks

	Abreast int  // Change items that are applied at once; 0: one, as on DynamoDB, where they meet on the group's head
	Near    bool // the table is in this process: short reads follow each other, and ids tell when they were made

	// StrictMembers refuses what would add members that do not exist. Otherwise they are left out, and logged.
	StrictMembers bool

	// Deprovisioning is asked once by each request that would deactivate or delete a user, before it writes. Its error is
	// that of the request, of which then nothing is written. nil: there is none.
	Deprovisioning func(context.Context) error

	// Together runs calls that do not depend on each other and gives one of their errors when all have ended; nil:
	// goroutines, 16 at most.
	Together func(calls ...func() error) error

	sizes sizes
}

// Directory is the resources of one tenant. Its errors are *scim.Error where the client is to be told something of
// its request, and otherwise what the table returned.
type Directory struct {
	Config
	keys   keys
	base   string
	quoted string // base, as it stands within a string of JSON
}

// New is the directory of a tenant, whose name may be any string, seen from an address: that of the service, before the
// endpoints. It costs nothing.
func New(c Config, tenant, base string) *Directory {
	return c.directory(tenantKeys(tenant), base)
}

// directory is that of a tenant, whose items alone it can reach.
func (c Config) directory(k keys, base string) *Directory {
	d := c.unbound()
	d.Table = table.Within{Table: d.Table, Prefix: k.tenant + "#", Shared: Unfinished}
	quoted, _ := jsontext.AppendQuote(nil, base)
	d.keys, d.base, d.quoted = k, base, string(quoted[1:len(quoted)-1])
	return d
}

// unbound is a directory of no tenant, for what looks at the items of all.
func (c Config) unbound() *Directory {
	if bound, ok := c.Table.(table.Within); ok { // the configuration is that of a directory
		c.Table = bound.Table
	}
	if _, metered := c.Table.(table.Metered); !metered {
		c.Table = table.Metered{Table: c.Table}
	}
	if c.sizes == (sizes{}) {
		const alone = table.MaxActions - 1
		c.sizes = sizes{actions: table.MaxActions, part: maxPart, log: table.MaxActions, snapshot: alone, some: 10 * alone, query: 80}
	}
	if c.Cursors == nil {
		c.Cursors = &Cursors{}
	}
	return &Directory{Config: c}
}

// sizes is how much goes into one call. A simulation makes them small, so that a change of two members is a large one.
type sizes struct {
	actions  int // of a transaction
	part     int // ids in a Change item, and memberships that a drain ends at once
	log      int // Change items in a transaction
	snapshot int // edges read as of one instant, beside the head
	some     int // members that are looked for by Snapshots, however many there are
	query    int // edges that a Query reads for what one costs in a Snapshot: beyond some, all are read if they are few
}

// Precondition tells whether a request may change a resource of this version (If-Match); nil: whatever it is.
type Precondition func(version string) bool

// Limits that a request can meet; what is beyond is refused with a detail that says so.
const (
	maxPart     = 24       // ids of a Change item: with heads of 120 KB an apply has less than 4 MB, so that it always fits
	maxDocument = 64 << 10 // bytes
	maxName     = 900      // bytes, folded
	maxLookups  = 20       // values of one attribute by which a resource is found
	maxGroups   = 1500     // groups a member can be in
	maxShown    = 1000     // names of other resources resolved in one answer
	maxDisplay  = 1 << 10  // bytes of such a name: an answer may have one many times
	maxReadBack = 100      // members of a group that the answer to a PATCH shows unasked: clients seldom look at them
	maxAttempts = 100      // of a request that meets others
	maxPage     = 4 << 20  // bytes of a list
	vetted      = 500      // heads of new members read in one call, of which 16 are under way
	shards      = 32       // of a count
	timeLayout  = "2006-01-02T15:04:05.000Z07:00"
)

// errLost says that a write met another one and is to be planned again.
var errLost = errors.New("directory: lost a race")

// retry runs an attempt again while it loses races, until the deadline.
func (d *Directory) retry(ctx context.Context, attempt func() error) error {
	for n := range maxAttempts {
		err := attempt()
		if !errors.Is(err, errLost) {
			return err
		}
		if err := d.Backoff.Wait(ctx, n); err != nil {
			return &table.Busy{Err: errors.Join(errLost, err)}
		}
	}
	return &table.Busy{Err: errLost}
}

// together runs calls that do not depend on each other at once, waits for all, and gives one of their errors. None is
// cancelled because another fails: a write in flight must come to its end.
func (d *Directory) together(calls ...func() error) error {
	if d.Together != nil {
		return d.Together(calls...)
	}
	return together(calls...)
}

// beside is together for a few short reads. Of a table that is near, each takes less time than to wake who would make it.
func (d *Directory) beside(calls ...func() error) error {
	if !d.Near {
		return d.together(calls...)
	}
	return inTurn(calls...)
}

func inTurn(calls ...func() error) error {
	for _, call := range calls {
		if err := call(); err != nil {
			return err
		}
	}
	return nil
}

func together(calls ...func() error) error {
	if len(calls) == 0 {
		return nil
	}
	var g errgroup.Group
	g.SetLimit(16)
	var panicked atomic.Pointer[any]
	guarded := func(call func() error) error {
		defer func() {
			if p := recover(); p != nil {
				panicked.Store(&p)
			}
		}()
		return call()
	}
	last := len(calls) - 1 // is left to the caller, who would only wait
	for _, call := range calls[:last] {
		g.Go(func() error { return guarded(call) })
	}
	err := guarded(calls[last])
	err = cmp.Or(g.Wait(), err)
	if p := panicked.Load(); p != nil {
		panic(*p) // where the caller can recover
	}
	return err
}

func (d *Directory) now() string { return d.Now().UTC().Format(timeLayout) }

func (d *Directory) random(n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(d.Random, b)
	return b, err
}

// newID is 16 random bytes: DynamoDB takes 1,000 WCU a second in one place of a partition at most, about 500 creates, and
// reads in many places at once. In a table that is near it begins with the time, in milliseconds of Unix time, as a UUIDv7 does
// (RFC 9562 §5.7): what an import makes stands together there, and is read together.
func (d *Directory) newID(rt *scim.ResourceType) (string, error) {
	b, err := d.random(16)
	if err != nil {
		return "", err
	}
	if d.Near {
		at := binary.BigEndian.AppendUint64(nil, uint64(d.Now().UnixMilli()))
		copy(b, at[2:])
	}
	return rt.NewID([16]byte(b)), nil
}

// Measure begins to count what the calls of a request to the table cost; the function tells it, for a log.
func Measure(ctx context.Context) (context.Context, func() slog.Value) {
	ctx, usage := table.WithUsage(ctx)
	return ctx, func() slog.Value {
		u := usage()
		return slog.GroupValue(slog.Int("calls", u.Calls), slog.Int("waits", u.Waits), slog.Int("retries", u.Retries),
			slog.Int("conflicts", u.Conflicts), slog.Float64("readUnits", u.ReadUnits),
			slog.Float64("writeUnits", u.WriteUnits))
	}
}

// IsBusy tells whether an error passes when the request is repeated: throttling, too many others, the deadline.
func IsBusy(err error) bool {
	busy := (*table.Busy)(nil)
	return errors.As(err, &busy) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

func notFound(rt *scim.ResourceType, id string) error {
	return scim.NotFound("There is no %s with the id %q.", rt.Name, id)
}
