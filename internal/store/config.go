package store

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"time"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// Config holds what the stores of all tenants share.
type Config struct {
	Table   table.Table // its calls are counted if the context measures usage
	Types   *scim.Types
	Now     func() time.Time
	Random  io.Reader // for IDs and counter shards; safe for concurrent use
	Backoff table.Backoff
	Log     *slog.Logger

	// Embedded says that the table is a file of this process. Short reads then run one after the other, because each
	// takes less time than a switch between goroutines. New IDs begin with the time, so that the resources of an import
	// are stored together. Change items are applied in parallel, and bookmarks are kept in memory.
	Embedded bool

	// StrictMembers rejects a request that adds members that do not exist. Otherwise they are left out, and logged.
	StrictMembers bool

	Origin Origin // of the request that the store serves; the zero value means that there is none
	Limits Limits // the zero value means the default limits

	UndoCreates func(ctx context.Context, s *Store, marker table.Key, ids []string) (done bool, err error) // see directory.Sweep

	// RunInParallel replaces table.RunConcurrently in tests that need a deterministic order. nil: no replacement.
	RunInParallel func(calls ...func() error) error
}

// Limits bounds how much one table call reads or writes. The simulation makes the limits small, so that a change of two
// members is a large change.
type Limits struct {
	TransactionActions        int // actions in one transaction
	ChangeItemMembers         int // members in one change item, and memberships that one step of a finish-delete removes
	ChangeItemsPerTransaction int // change items that one transaction writes
	SnapshotEdges             int // edge items in one snapshot read, which also reads the head item
	SnapshotMembers           int // members that snapshot reads look up; more members are looked up in the whole list
	QueryEdgesPerSnapshotEdge int // edges that a Query reads for the price of one edge in a snapshot read
	ApplyConcurrency          int // change items that are applied in parallel
}

// Limits of one resource. A request beyond a limit is rejected with a detail that names the limit.
const (
	MaxNameBytes       = 900      // bytes of a case-folded name; the sort key of a name item holds 1,024
	maxDocumentBytes   = 64 << 10 // bytes of a document
	maxIndexedValues   = 20       // values of one indexed attribute
	maxGroupsPerMember = 1500     // groups that one member can be in
)

const (
	// maxChangeItemMembers keeps the transaction that applies a change item below 4 MB, even if the head item of each
	// member has 120 KB. So a committed change can always be applied.
	maxChangeItemMembers = 24

	memberCheckBatch = 500 // head items that one call reads to find missing members

	timeLayout = "2006-01-02T15:04:05.000Z07:00"
)

func defaultLimits(embedded bool) Limits {
	const snapshotEdges = table.MaxTransactionActions - 1 // the head item takes one place
	l := Limits{
		TransactionActions:        table.MaxTransactionActions,
		ChangeItemMembers:         maxChangeItemMembers,
		ChangeItemsPerTransaction: table.MaxTransactionActions,
		SnapshotEdges:             snapshotEdges,
		SnapshotMembers:           10 * snapshotEdges,
		QueryEdgesPerSnapshotEdge: 80, // a Query reads 40 edges for one read unit, a snapshot read half an edge
		ApplyConcurrency:          1,  // on DynamoDB, parallel transactions would conflict on the group's head item
	}
	if embedded {
		l.ApplyConcurrency = 16 // one fsync commits them all
	}
	return l
}

// A Store reads and writes the resources of one tenant. It is safe for concurrent use. Its errors are *scim.Error where
// the client must change the request, and otherwise errors of the table.
type Store struct {
	Config
	Keys Keys
}

// New returns the store of a tenant. The name of the tenant may be any string. New makes no table call.
func New(c Config, tenant string) *Store { return c.ForTenant(NewKeys(tenant)) }

// ForTenant returns the store of the tenant that k belongs to. The store cannot reach the items of another tenant.
func (c Config) ForTenant(k Keys) *Store {
	s := c.Unscoped()
	s.Table, s.Keys = table.Scoped{Table: s.Table, Prefix: k.tenant + "#", SharedPartition: IntentPartition}, k
	return s
}

// Unscoped returns a store of no tenant. It can read the items of all tenants, as the sweep and fsck do.
func (c Config) Unscoped() *Store {
	if scoped, ok := c.Table.(table.Scoped); ok { // c is the configuration of a tenant's store
		c.Table = scoped.Table
	}
	if _, metered := c.Table.(table.Metered); !metered {
		c.Table = table.Metered{Table: c.Table}
	}
	if c.Limits == (Limits{}) {
		c.Limits = defaultLimits(c.Embedded)
	}
	return &Store{Config: c}
}

// Timestamp returns the current time in the form of SCIM's dateTime (RFC 7643 §2.3.5).
func (s *Store) Timestamp() string { return s.Now().UTC().Format(timeLayout) }

// RandomBytes returns n random bytes.
func (s *Store) RandomBytes(n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(s.Random, b)
	return b, err
}

// NewID returns an unused resource ID, which holds 16 random bytes. Random IDs spread the writes to AllPartition: one place
// of a DynamoDB partition takes 1,000 write units a second, which is about 500 creates. In an embedded table an ID begins
// with the time in milliseconds, as a UUIDv7 does (RFC 9562 §5.7). An import then writes adjacent keys.
func (s *Store) NewID(rt *scim.ResourceType) (string, error) {
	b, err := s.RandomBytes(16)
	if err != nil {
		return "", err
	}
	if s.Embedded {
		copy(b, binary.BigEndian.AppendUint64(nil, uint64(s.Now().UnixMilli()))[2:])
	}
	return rt.NewID([16]byte(b)), nil
}

// deadlineReserve is the time before the deadline that is kept free for the response.
const deadlineReserve = 3 * time.Second

// DeadlineNear reports whether ctx ends within the deadline reserve. No new step starts then.
func (s *Store) DeadlineNear(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && deadline.Round(0).Sub(s.Now().Round(0)) < deadlineReserve // Round: by the wall clock
}

// IsGroup reports whether resources of the type have members.
func IsGroup(rt *scim.ResourceType) bool { return rt.Storage.MembersAttribute != "" }
