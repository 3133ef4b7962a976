// Package bolt implements a table.Table in one local file, with go.etcd.io/bbolt. It replaces DynamoDB on a laptop and in
// tests. It rejects what DynamoDB rejects, and it counts pages and request units as DynamoDB does. A program that works on
// this package therefore also works on DynamoDB. Begin with [Open]. One process at a time can open a file. The package has
// no server, no cache, and no time to live: expired items stay. It keeps a stream of the items that Watch selects.
//
// # Why bbolt
//
// The engine github.com/cockroachdb/pebble/v2 v2.1.7 was measured behind the same contract, in November 2026, with four
// clients that send the requests of Okta. It was to replace bbolt v1.5.0 if it halved the processor time of writes. It does
// not, because bbolt takes less than a third of it:
//
//	                                             pebble        bbolt
//	processor time of the server, create         0.8 to 0.9    1
//	  PATCH, PUT                                 0.9 to 1.0    1
//	  DELETE                                     0.7 to 0.9    1
//	  push of 100 members                        1.3 to 1.4    1
//	  GET, probe, page of 100                    0.9 to 1.6    1
//	processor time of the table alone, write     0.5 to 0.7    1
//	  read of one item                           2.6           1
//	calls of fdatasync for a commit              1             2
//	creates, PATCH, PUT, DELETE in a second      1.3 to 2.1    1
//	pushes in a second                           0.8 to 1.6    1
//	disk for 100,000 users                       195 MB        261 MB
//	memory with 100,000 users                    83 MB         180 MB, of which 158 MB are the mapped file
//	start with 100,000 users                     75 ms         26 ms
//	program local                                43 MB         27 MB
//	processor time to build it                   144 s         64 s
//	modules                                      28 more
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
		NoFreelistSync: true, NoStatistics: true}
	temporary := path == ":memory:"
	if temporary {
		f, err := os.CreateTemp("", "table-*.db")
		if err != nil {
			return nil, fmt.Errorf("bolt: %w", err)
		}
		f.Close()
		path = f.Name()
		fileOptions.NoSync, fileOptions.NoGrowSync = true, true
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
		return errors.Join(err, unmarkClosed(tx))
	})
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", t.path, err), db.Close())
	}
	return nil
}

// openFile opens a file with bbolt. If the file was not closed, bbolt reads all of it to find the free pages.
func openFile(path string, options *bbolt.Options) (*bbolt.DB, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > 0 && !options.ReadOnly {
		if err := verifyUnlessClosed(path); err != nil {
			return nil, err
		}
	}
	return openWithoutCheck(path, options)
}

func openWithoutCheck(path string, options *bbolt.Options) (*bbolt.DB, error) {
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
	return t.catchCorruption(func() error {
		t.db.NoFreelistSync = false // the next start need not read the whole file
		err := t.db.Update(func(tx *bbolt.Tx) error { return errors.Join(t.trimStream(tx), markClosed(tx)) })
		return errors.Join(err, t.db.Close())
	})
}
