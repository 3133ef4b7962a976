package bolt

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"go.etcd.io/bbolt"

	"serverless-scim/internal/table"
)

var (
	errClosed = errors.New("bolt: the table is closed")
	items     = []byte("items") // name of the bucket of all items
)

// Table is a table.Table in a file. It is safe for concurrent use.
type Table struct {
	db        *bbolt.DB
	path      string
	temporary bool                 // Close removes the file
	watched   func(table.Key) bool // selects the items of the stream; nil: none

	delivered atomic.Pointer[[]byte] // position of the last record that Receive has delivered; nil: none

	corruption atomic.Pointer[error] // first corruption found; nil: none
	corrupted  chan struct{}         // closed when corruption is set

	queue   chan *writeRequest // to commitLoop
	stopped chan struct{}      // closed when commitLoop has returned

	mu     sync.RWMutex // guards closed; not held during a call, because a call on a corrupt file may never return
	closed bool
	calls  sync.WaitGroup // calls in progress; none begins after closed is set
}

// A writeRequest is a Write in the queue of commitLoop. Until done is closed, only commitLoop may use units, err,
// and images.
type writeRequest struct {
	writes      []table.Write
	keepsImages bool
	units       int     // request units to charge
	err         error   // result of the Write
	images      []image // if keepsImages
	done        chan struct{}
}

// beginCall registers a call. If it returns nil, the caller must call t.calls.Done at the end.
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

// view calls read with the bucket of items, in one read transaction of the file.
func (t *Table) view(ctx context.Context, read func(*bbolt.Bucket) error) error {
	return t.viewTx(ctx, func(tx *bbolt.Tx) error { return read(tx.Bucket(items)) })
}

func (t *Table) viewTx(ctx context.Context, read func(*bbolt.Tx) error) error {
	if err := t.beginCall(ctx); err != nil {
		return err
	}
	defer t.calls.Done()
	return t.catchCorruption(func() error { return t.db.View(read) })
}

// catchCorruption calls do and turns a panic into an error. bbolt panics on a corrupt file, and reading a truncated
// file causes a memory fault. Once a table is corrupt, catchCorruption returns that error without calling do, because
// do could wait forever for a lock that bbolt did not release.
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

// setCorruption records err as the corruption of the table, unless one is recorded, and returns err.
func (t *Table) setCorruption(err error) error {
	if t.corruption.CompareAndSwap(nil, &err) {
		close(t.corrupted)
	}
	return err
}

// Corrupted returns a channel that is closed when the file turns out to be corrupt. After that, every new call returns
// an error. Reads in progress may never return, because bbolt does not release its locks. The program must end.
func (t *Table) Corrupted() <-chan struct{} { return t.corrupted }

// CorruptionError returns the error that closed the channel of Corrupted, or nil.
func (t *Table) CorruptionError() error {
	if err := t.corruption.Load(); err != nil {
		return *err
	}
	return nil
}

func tooLargeError(what string, size, limit int) error {
	return &table.TooLargeError{Reason: fmt.Sprintf("%s of %d bytes; the limit is %d", what, size, limit)}
}

// capacityUnits returns the number of blocks of kb KB that n bytes take, at least one.
func capacityUnits(n, kb int) int { return max(1, (n+kb<<10-1)/(kb<<10)) }
