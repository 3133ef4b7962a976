// Package bolt implements a table.Table in one local file, with go.etcd.io/bbolt. It replaces DynamoDB on a laptop and in
// tests. It rejects what DynamoDB rejects, and it counts pages and request units as DynamoDB does. A program that works on
// this package therefore also works on DynamoDB. Begin with [Open]. One process at a time can open a file. The package has
// no server, no cache, and no time to live: expired items stay. It keeps a stream of the items that Watch selects.
package bolt

import (
	"errors"
	"fmt"
	"os"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// pageSize is the page size of a new file. With items of about 500 bytes, a write costs least at 8 KB: smaller pages
// make the tree deeper, and larger ones take longer to copy.
const pageSize = 8 << 10

// Open opens the file at path, or creates it. The path ":memory:" creates a temporary file that no other caller can
// open, and Close removes it. If another process uses the file, Open returns an error after one second. The options are
// results of Watch.
func Open(path string, options ...func(*Table)) (*Table, error) {
	fileOptions := &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType, PageSize: pageSize,
		NoStatistics: true}
	temporary := path == ":memory:"
	if temporary {
		f, err := os.CreateTemp("", "table-*.db")
		if err != nil {
			return nil, fmt.Errorf("bolt: %w", err)
		}
		f.Close()
		path = f.Name()
		fileOptions.NoSync, fileOptions.NoGrowSync, fileOptions.NoFreelistSync = true, true, true
	}
	t := &Table{path: path, temporary: temporary, corrupted: make(chan struct{}),
		queue: make(chan *writeRequest, 256), stopped: make(chan struct{})}
	for _, set := range options {
		set(t)
	}
	err := t.catchCorruption(func() error { return t.open(fileOptions) })
	if temporary {
		os.Remove(path) // Windows cannot remove an open file; there, Close removes it
	}
	if err != nil {
		return nil, fmt.Errorf("bolt: %w", err)
	}
	go t.commitLoop()
	return t, nil
}

func (t *Table) open(options *bbolt.Options) error {
	db, err := openFile(t.path, options)
	if err != nil {
		return err
	}
	t.db = db
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(items)
		if err == nil && t.watched != nil {
			_, err = tx.CreateBucketIfNotExists(stream)
		}
		return err
	})
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", t.path, err), db.Close())
	}
	return nil
}

func openFile(path string, options *bbolt.Options) (*bbolt.DB, error) {
	db, err := bbolt.Open(path, 0o600, options)
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return nil, fmt.Errorf("%s is in use by another process; stop that process first", path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return db, nil
}

// Close waits for the calls in progress and closes the file. If the file is corrupt, Close returns its error without
// waiting, and the file stays open until the process ends. Later calls return an error.
func (t *Table) Close() error {
	t.mu.Lock()
	closed := t.closed
	t.closed = true
	t.mu.Unlock()
	if closed {
		return errClosed
	}
	result := make(chan error, 1)
	go func() { result <- t.shutDown() }()
	var err error
	select {
	case err = <-result:
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
	return t.catchCorruption(func() (err error) {
		if t.delivered.Load() != nil {
			err = t.db.Update(t.trimStream)
		}
		return errors.Join(err, t.db.Close())
	})
}
