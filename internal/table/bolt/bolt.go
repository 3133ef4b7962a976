// Package bolt keeps a table in one file, on go.etcd.io/bbolt: the embedded stand-in for DynamoDB on a laptop and in
// tests. It refuses what DynamoDB refuses, so that what works here works there, and pages and bills as DynamoDB does.
// One process uses a file at a time; there is no server, no cache and no expiry.
package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"serverless-scim/internal/table"
)

var (
	errClosed = errors.New("bolt: the table is closed")
	items     = []byte("items") // the one bucket
)

// Table is a table.Table in a file.
type Table struct {
	db       *bbolt.DB
	path     string
	volatile bool                  // the file vanishes
	damaged  atomic.Pointer[error] // what guard met first

	queue   chan *request
	stopped chan struct{} // closed when the committer has returned

	mu     sync.RWMutex // held for reading by every call, for writing by Close
	closed bool
}

// pageSize is that of a new file. Items of half a KB make a tree of smaller pages so deep, and of larger ones so slow to
// copy, that a write costs more.
const pageSize = 8 << 10

// Open opens a file, and creates it where there is none. The path ":memory:" stands for a new file that nobody else
// sees and that vanishes with Close. A file that another process uses is an error, after a second.
func Open(path string) (*Table, error) {
	options := &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType, PageSize: pageSize}
	volatile := path == ":memory:"
	if volatile {
		f, err := os.CreateTemp("", "table-*.db")
		if err != nil {
			return nil, fmt.Errorf("bolt: %w", err)
		}
		f.Close()
		path = f.Name()
		options.NoSync, options.NoGrowSync, options.NoFreelistSync = true, true, true
	}
	t := &Table{path: path, volatile: volatile, queue: make(chan *request, 256), stopped: make(chan struct{})}
	err := t.guard(func() error { return t.open(options) })
	if volatile {
		os.Remove(path) // where the system refuses while the file is open, Close removes it
	}
	if err != nil {
		return nil, fmt.Errorf("bolt: %w", err)
	}
	go t.commit()
	return t, nil
}

func (t *Table) open(options *bbolt.Options) error {
	db, err := bbolt.Open(t.path, 0o600, options)
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return fmt.Errorf("%s is in use by another process", t.path)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", t.path, err)
	}
	t.db = db
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(items)
		return err
	})
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", t.path, err), db.Close())
	}
	return nil
}

// guard makes an error of a panic, which is how bbolt tells of a damaged file, and of a fault, which is how the system
// tells of one that was cut off. After damage nothing is tried again: a lock may be left that would be waited for.
func (t *Table) guard(do func() error) (err error) {
	if damaged := t.damaged.Load(); damaged != nil {
		return *damaged
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s is damaged: %v", t.path, p)
			t.damaged.Store(&err)
		}
	}()
	return do()
}

// Close waits for the calls under way and closes the file, unless that is damaged: then it ends with the process. Later
// calls fail.
func (t *Table) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return errClosed
	}
	t.closed = true
	close(t.queue)
	<-t.stopped
	err := t.guard(t.db.Close)
	if t.volatile {
		os.Remove(t.path)
	}
	return err
}

// enter begins a call; unless it fails, t.mu.RUnlock ends it.
func (t *Table) enter(ctx context.Context) error {
	if err := table.Ended(ctx); err != nil {
		return &table.Busy{Err: err}
	}
	t.mu.RLock()
	if t.closed {
		t.mu.RUnlock()
		return errClosed
	}
	return nil
}

// view runs a call that reads, in one read transaction.
func (t *Table) view(ctx context.Context, read func(*bbolt.Bucket) error) error {
	if err := t.enter(ctx); err != nil {
		return err
	}
	defer t.mu.RUnlock()
	return t.guard(func() error {
		return t.db.View(func(tx *bbolt.Tx) error { return read(tx.Bucket(items)) })
	})
}
