package bolt

import (
	"bytes"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// The list of free pages is written only when a file is closed. After a large delete it has hundreds of kilobytes, which
// each commit would write: with 60,000 deletes, a delete takes a third more processor time. The bucket closed exists in a
// file that was closed and not opened since. If the process was killed, bbolt starts a goroutine that reads the whole file to
// find the free pages. A damaged page would cause a fault in this goroutine, which would end the process without an
// explanation. Therefore verifyUnlessClosed reads the pages before.
var closed = []byte("closed")

func markClosed(tx *bbolt.Tx) error {
	_, err := tx.CreateBucketIfNotExists(closed)
	return err
}

func unmarkClosed(tx *bbolt.Tx) error {
	if tx.Bucket(closed) == nil {
		return nil
	}
	return tx.DeleteBucket(closed)
}

// verifyUnlessClosed reads every page of a file that was not closed. It panics if a page is damaged, as bbolt does. It
// returns an error if keys are out of order, because bbolt then finds no free pages.
func verifyUnlessClosed(path string) error {
	db, err := openWithoutCheck(path, &bbolt.Options{Timeout: time.Second, ReadOnly: true})
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bbolt.Tx) error {
		if tx.Bucket(closed) != nil {
			return nil
		}
		return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error {
			var last []byte
			return b.ForEach(func(k, _ []byte) error {
				if last != nil && bytes.Compare(last, k) >= 0 {
					return fmt.Errorf("%s: %w", path, errWrongOrder)
				}
				last = k
				return nil
			})
		})
	})
}
