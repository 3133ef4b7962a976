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
	db        *bbolt.DB
	path      string
	temporary bool // the file vanishes

	corruption atomic.Pointer[error] // what was met first
	corrupted  chan struct{}         // closed when there is damage

	queue   chan *writeRequest
	stopped chan struct{} // closed when the committer has returned

	mu     sync.RWMutex // guards closed, and is never held for longer: a call may hang in a damaged file
	closed bool
	calls  sync.WaitGroup // under way; none begins once the table is closed
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
	t := &Table{path: path, temporary: volatile, corrupted: make(chan struct{}),
		queue: make(chan *writeRequest, 256), stopped: make(chan struct{})}
	err := t.catchCorruption(func() error { return t.open(options) })
	if volatile {
		os.Remove(path) // where the system refuses while the file is open, Close removes it
	}
	if err != nil {
		return nil, fmt.Errorf("bolt: %w", err)
	}
	go t.commitLoop()
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

// catchCorruption makes an error of a panic, which is how bbolt tells of a damaged file, and of a fault, which is how the system
// tells of one that was cut off. After damage nothing is tried again: a lock may be left that would be waited for.
func (t *Table) catchCorruption(do func() error) (err error) {
	if err := t.CorruptionError(); err != nil {
		return err
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = t.setCorruption(fmt.Errorf("%s is damaged: %v", t.path, p))
		}
	}()
	return do()
}

// setCorruption makes an error the damage of the table, unless it has one.
func (t *Table) setCorruption(err error) error {
	if t.corruption.CompareAndSwap(nil, &err) {
		close(t.corrupted)
	}
	return err
}

// Corrupted is closed when the file has turned out to be damaged. From then on every call fails, but reads that had begun
// may never return: bbolt leaves locks behind, which nobody else can open. The process can only end.
func (t *Table) Corrupted() <-chan struct{} { return t.corrupted }

// CorruptionError is why Damaged is closed, and nil before.
func (t *Table) CorruptionError() error {
	if err := t.corruption.Load(); err != nil {
		return *err
	}
	return nil
}

// Close waits for the calls under way and closes the file, unless that is damaged: then it waits for nothing, and the
// file ends with the process. Later calls fail.
func (t *Table) Close() error {
	t.mu.Lock()
	closed := t.closed
	t.closed = true
	t.mu.Unlock()
	if closed {
		return errClosed
	}
	ended := make(chan error, 1)
	go func() { ended <- t.shutDown() }()
	var err error
	select {
	case err = <-ended:
	case <-t.corrupted:
		err = t.CorruptionError()
	}
	if t.temporary {
		os.Remove(t.path)
	}
	return err
}

func (t *Table) shutDown() error {
	t.calls.Wait()
	close(t.queue)
	<-t.stopped
	return t.catchCorruption(t.db.Close)
}

// beginCall begins a call; unless it fails, t.calls.Done ends it.
func (t *Table) beginCall(ctx context.Context) error {
	if err := table.CheckDeadline(ctx); err != nil {
		return &table.TransientError{Err: err}
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.closed {
		return errClosed
	}
	t.calls.Add(1)
	return nil
}

// view runs a call that reads, in one read transaction.
func (t *Table) view(ctx context.Context, read func(*bbolt.Bucket) error) error {
	if err := t.beginCall(ctx); err != nil {
		return err
	}
	defer t.calls.Done()
	return t.catchCorruption(func() error {
		return t.db.View(func(tx *bbolt.Tx) error { return read(tx.Bucket(items)) })
	})
}
