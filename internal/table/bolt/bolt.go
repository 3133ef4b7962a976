// Package bolt keeps a table in one file, on go.etcd.io/bbolt: the embedded stand-in for DynamoDB on a laptop and in
// tests. It refuses what DynamoDB refuses, so that what works here works there, and pages and bills as DynamoDB does.
// One process uses a file at a time; there is no server, no cache and no expiry.
package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
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
	volatile string // the path of a file that vanishes

	queue   chan *request
	stopped chan struct{} // closed when the committer has returned

	mu     sync.RWMutex // held for reading by every call, for writing by Close
	closed bool
}

// Open opens a file, and creates it where there is none. The path ":memory:" stands for a new file that nobody else
// sees and that vanishes with Close. A file that another process uses is an error, after a second.
func Open(path string) (*Table, error) {
	options := &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType}
	volatile := ""
	if path == ":memory:" {
		f, err := os.CreateTemp("", "table-*.db")
		if err != nil {
			return nil, fmt.Errorf("bolt: %w", err)
		}
		f.Close()
		path, volatile = f.Name(), f.Name()
		options.NoSync, options.NoGrowSync, options.NoFreelistSync = true, true, true
	}
	db, err := open(path, options)
	if volatile != "" {
		os.Remove(volatile) // where the system refuses while the file is open, Close removes it
	}
	if err != nil {
		return nil, err
	}
	t := &Table{db: db, volatile: volatile, queue: make(chan *request, 256), stopped: make(chan struct{})}
	go t.commit()
	return t, nil
}

func open(path string, options *bbolt.Options) (*bbolt.DB, error) {
	db, err := bbolt.Open(path, 0o600, options)
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return nil, fmt.Errorf("bolt: %s is in use by another process", path)
	}
	if err != nil {
		return nil, fmt.Errorf("bolt: %s: %w", path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(items)
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bolt: %s: %w", path, err), db.Close())
	}
	return db, nil
}

// Close waits for the calls under way and closes the file. Later calls fail.
func (t *Table) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return errClosed
	}
	t.closed = true
	close(t.queue)
	<-t.stopped
	err := t.db.Close()
	if t.volatile != "" {
		os.Remove(t.volatile)
	}
	return err
}

// enter begins a call; unless it fails, t.mu.RUnlock ends it.
func (t *Table) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
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
	return t.db.View(func(tx *bbolt.Tx) error { return read(tx.Bucket(items)) })
}
