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

	Budget  int             // resources that a request tests where no key leads to what it means; 0: the constant Budget
	Cursors *CursorKeyCache // nil: made for each directory
	// Bookmarks holds those of walks by startIndex; nil: they stand in the table, where all processes find them.
	Bookmarks *BookmarkCache

	ApplyConcurrency int  // Change items that are applied at once; 0: one, as on DynamoDB, where they meet on the group's head
	InProcess        bool // the table is in this process: short reads follow each other, and ids tell when they were made

	// StrictMembers refuses what would add members that do not exist. Otherwise they are left out, and logged.
	StrictMembers bool

	// Deprovisioning is asked once by each request that would deactivate or delete a user, before it writes. Its error is
	// that of the request, of which then nothing is written. nil: there is none.
	AllowDeprovisioning func(context.Context) error

	// Together runs calls that do not depend on each other and gives one of their errors when all have ended; nil:
	// goroutines, 16 at most.
	Runner func(calls ...func() error) error

	sizes batchLimits
}

// Store is the resources of one tenant. Its errors are *scim.Error where the client is to be told something of
// its request, and otherwise what the table returned.
type Store struct {
	Config
	keys        Keys
	baseURL     string
	baseURLJSON string // base, as it stands within a string of JSON
}

// New is the directory of a tenant, whose name may be any string, seen from an address: that of the service, before the
// endpoints. It costs nothing.
func New(c Config, tenant, base string) *Store {
	return c.ForTenant(NewKeys(tenant), base)
}

// ForTenant is that of a tenant, whose items alone it can reach.
func (c Config) ForTenant(k Keys, base string) *Store {
	d := c.Unscoped()
	d.Table = table.Scoped{Table: d.Table, Prefix: k.tenant + "#", SharedPartition: IntentPartition}
	quoted, _ := jsontext.AppendQuote(nil, base)
	d.keys, d.baseURL, d.baseURLJSON = k, base, string(quoted[1:len(quoted)-1])
	return d
}

// Unscoped is a directory of no tenant, for what looks at the items of all.
func (c Config) Unscoped() *Store {
	if bound, ok := c.Table.(table.Scoped); ok { // the configuration is that of a directory
		c.Table = bound.Table
	}
	if _, metered := c.Table.(table.Metered); !metered {
		c.Table = table.Metered{Table: c.Table}
	}
	if c.sizes == (batchLimits{}) {
		const alone = table.MaxTransactionActions - 1
		c.sizes = batchLimits{transactionActions: table.MaxTransactionActions, changeItemMembers: maxChangeItemMembers, changeItemsPerTransaction: table.MaxTransactionActions, snapshotEdges: alone, snapshotMembers: 10 * alone, queryEdgesPerSnapshotEdge: 80}
	}
	if c.Cursors == nil {
		c.Cursors = &CursorKeyCache{}
	}
	return &Store{Config: c}
}

// batchLimits is how much goes into one call. A simulation makes them small, so that a change of two members is a large one.
type batchLimits struct {
	transactionActions        int // of a transaction
	changeItemMembers         int // ids in a Change item, and memberships that a drain ends at once
	changeItemsPerTransaction int // Change items in a transaction
	snapshotEdges             int // edges read as of one instant, beside the head
	snapshotMembers           int // members that are looked for by Snapshots, however many there are
	queryEdgesPerSnapshotEdge int // edges that a Query reads for what one costs in a Snapshot: beyond some, all are read if they are few
}

// Precondition tells whether a request may change a resource of this version (If-Match); nil: whatever it is.
type Precondition func(version string) bool

// Limits that a request can meet; what is beyond is refused with a detail that says so.
const (
	maxChangeItemMembers = 24       // ids of a Change item: with heads of 120 KB an apply has less than 4 MB, so that it always fits
	maxDocumentBytes     = 64 << 10 // bytes
	MaxNameBytes         = 900      // bytes, folded
	maxIndexedValues     = 20       // values of one attribute by which a resource is found
	maxGroupsPerMember   = 1500     // groups a member can be in
	maxDisplayNames      = 1000     // names of other resources resolved in one answer
	maxDisplayNameBytes  = 1 << 10  // bytes of such a name: an answer may have one many times
	maxReturnedMembers   = 100      // members of a group that the answer to a PATCH shows unasked: clients seldom look at them
	maxPageBytes         = 4 << 20  // bytes of a list
	memberCheckBatch     = 500      // heads of new members read in one call, of which 16 are under way
	CounterShards        = 32       // of a count
	timeLayout           = "2006-01-02T15:04:05.000Z07:00"
)

// RunConcurrently runs calls that do not depend on each other at once, waits for all, and gives one of their errors. None is
// cancelled because another fails: a write in flight must come to its end.
func (d *Store) RunConcurrently(calls ...func() error) error {
	if d.Runner != nil {
		return d.Runner(calls...)
	}
	return runInGoroutines(calls...)
}

// RunShortReads is together for a few short reads. Of a table that is near, each takes less time than to wake who would make it.
func (d *Store) RunShortReads(calls ...func() error) error {
	if !d.InProcess {
		return d.RunConcurrently(calls...)
	}
	return RunSequentially(calls...)
}

func RunSequentially(calls ...func() error) error {
	for _, call := range calls {
		if err := call(); err != nil {
			return err
		}
	}
	return nil
}

func runInGoroutines(calls ...func() error) error {
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

func (d *Store) Timestamp() string { return d.Now().UTC().Format(timeLayout) }

func (d *Store) RandomBytes(n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(d.Random, b)
	return b, err
}

// newID is 16 random bytes: DynamoDB takes 1,000 WCU a second in one place of a partition at most, about 500 creates, and
// reads in many places at once. In a table that is near it begins with the time, in milliseconds of Unix time, as a UUIDv7 does
// (RFC 9562 §5.7): what an import makes stands together there, and is read together.
func (d *Store) newID(rt *scim.ResourceType) (string, error) {
	b, err := d.RandomBytes(16)
	if err != nil {
		return "", err
	}
	if d.InProcess {
		at := binary.BigEndian.AppendUint64(nil, uint64(d.Now().UnixMilli()))
		copy(b, at[2:])
	}
	return rt.NewID([16]byte(b)), nil
}

// MeasureUsage begins to count what the calls of a request to the table cost; the function tells it, for a log.
func MeasureUsage(ctx context.Context) (context.Context, func() slog.Value) {
	ctx, usage := table.WithUsage(ctx)
	return ctx, func() slog.Value {
		u := usage()
		return slog.GroupValue(slog.Int("calls", u.Calls), slog.Int("waits", u.RoundTrips), slog.Int("retries", u.Retries),
			slog.Int("conflicts", u.TransactionConflicts), slog.Float64("readUnits", u.ReadUnits),
			slog.Float64("writeUnits", u.WriteUnits))
	}
}

// IsTransient tells whether an error passes when the request is repeated: throttling, too many others, the deadline.
func IsTransient(err error) bool {
	busy := (*table.TransientError)(nil)
	return errors.As(err, &busy) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

func notFoundError(rt *scim.ResourceType, id string) error {
	return scim.NotFound("There is no %s with the id %q.", rt.Name, id)
}
