package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"serverless-scim/internal/table"
)

// A Finding is a damaged item of a file: an item that cannot be decoded, or that a search for its key does not find.
type Finding struct {
	Key      table.Key // from the item, or from the bucket key if the item cannot be decoded
	Problem  string
	Repaired bool
}

// Check checks each item of the file at path, in the order of the pages, and reports the damaged ones. It returns an
// error if the file does not exist, holds no table, is in use by another process, or has a damaged page.
//
// If repair is true and an item can be repaired, Check writes a new file. Each item then has the key that the item itself
// contains. If two items have the same key, the one that a search finds remains, because it is the newer one. An item that
// cannot be decoded stays as it is. The new file replaces the old one, which remains as path + ".damaged". Check reports
// the findings after that.
func Check(path string, repair bool, report func(Finding)) error {
	info, err := os.Stat(path)
	if err == nil && info.Size() == 0 {
		err = fmt.Errorf("%s is empty, so it holds no table; give the file of a table", path)
	}
	if err != nil {
		return fmt.Errorf("bolt: %w", err)
	}
	t := &Table{path: path, corrupted: make(chan struct{})}
	var findings []Finding
	err = t.catchCorruption(func() error {
		var repairable bool
		if findings, repairable, err = t.check(repair); err != nil || !repair || !repairable {
			return err
		}
		return replaceFile(path, info.Mode())
	})
	if err != nil {
		return fmt.Errorf("bolt: %w", err)
	}
	for _, f := range findings {
		report(f)
	}
	return nil
}

// check returns the findings of the file. If rebuild is true and a finding can be repaired, check also writes the
// repaired file.
func (t *Table) check(rebuild bool) (findings []Finding, repairable bool, err error) {
	options := &bbolt.Options{Timeout: time.Second, ReadOnly: true} // no other process can write meanwhile
	db, err := openFile(t.path, options)
	if err != nil {
		return nil, false, err
	}
	err = db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(items)
		if b == nil {
			return fmt.Errorf("%s holds no table; give the file of a table", t.path)
		}
		for r := range rows(b) {
			if r.problem == "" {
				continue
			}
			f := Finding{Key: r.itemKey(), Problem: r.problem, Repaired: rebuild && !r.undecodable}
			findings = append(findings, f)
			repairable = repairable || !r.undecodable
		}
		if rebuild && repairable {
			return rebuildFile(tx, t.path+repairSuffix)
		}
		return nil
	})
	return findings, repairable, errors.Join(err, db.Close())
}

// A row is an entry of the bucket. Its memory is valid until the transaction of the file ends.
type row struct {
	key         []byte // bucket key
	value       []byte
	item        encodedItem
	undecodable bool   // item is not valid
	problem     string // "": none
}

// rows returns the entries of the bucket in the order of the pages.
func rows(b *bbolt.Bucket) func(yield func(*row) bool) {
	return func(yield func(*row) bool) {
		pages, search := b.Cursor(), b.Cursor()
		r := &row{}
		for r.key, r.value = pages.First(); r.key != nil; r.key, r.value = pages.Next() {
			r.inspect(search)
			if !yield(r) {
				return
			}
		}
	}
}

// inspect decodes the item of the row, and sets problem.
func (r *row) inspect(search *bbolt.Cursor) {
	err := r.item.readAt(r.key, r.value)
	r.undecodable = err != nil && (!errors.Is(err, errWrongKey) || !r.hasKeyAttributes())
	if r.problem = ""; r.undecodable {
		r.problem = "damaged item"
		return
	}
	right := r.rightKey()
	k, v := search.Seek(right)
	found := bytes.Equal(k, right) && (&encodedItem{}).readAt(k, v) == nil
	switch {
	case err != nil && found:
		r.problem = fmt.Sprintf("item with the wrong key %q in the file; a newer item has its key", r.key)
	case err != nil:
		r.problem = fmt.Sprintf("item with the wrong key %q in the file", r.key)
	case found && &v[0] != &r.value[0]:
		r.problem = "item with the key of a newer item"
	case !found:
		r.problem = "item out of order in the file"
	}
}

// hasKeyAttributes reports whether the item contains a key.
func (r *row) hasKeyAttributes() bool {
	return len(r.item.stringValue("PK")) > 0 && len(r.item.stringValue("SK")) > 0
}

// rightKey returns the bucket key that the item requires.
func (r *row) rightKey() []byte { return bucketKey(r.item.key()) }

// itemKey returns the key of the item, from the bucket key if the item cannot be decoded.
func (r *row) itemKey() table.Key {
	if !r.undecodable {
		return r.item.key()
	}
	pk, sk, _ := bytes.Cut(r.key, partitionEnd)
	return table.Key{PK: strings.ReplaceAll(string(pk), "\x00\xff", "\x00"), SK: string(sk)}
}

const (
	repairSuffix  = ".repair"
	damagedSuffix = ".damaged"

	rowsPerCommit = 10_000 // of a rebuild; limits its memory
)

// rebuildFile writes the items and the stream of a file to a new file.
func rebuildFile(tx *bbolt.Tx, path string) (err error) {
	b := tx.Bucket(items)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) { // of an interrupted repair
		return err
	}
	db, err := openFile(path, &bbolt.Options{
		Timeout: time.Second, FreelistType: bbolt.FreelistMapType, PageSize: pageSize, NoSync: true,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	w := &rowWriter{db: db}
	for _, intact := range []bool{true, false} { // intact rows first, because they are newer
		for r := range rows(b) {
			if intact != (r.problem == "") {
				continue
			}
			key := r.key
			if !r.undecodable {
				key = r.rightKey()
			}
			if err := w.add(key, r.value); err != nil {
				return errors.Join(err, w.rollback())
			}
		}
	}
	if err := w.commit(); err != nil {
		return err
	}
	if err := db.Update(func(to *bbolt.Tx) error { return copyStream(tx, to) }); err != nil {
		return err
	}
	return db.Sync()
}

// copyStream copies the records that Receive has not delivered yet.
func copyStream(from, to *bbolt.Tx) error {
	source := from.Bucket(stream)
	if source == nil {
		return nil
	}
	b, err := to.CreateBucketIfNotExists(stream)
	if err != nil {
		return err
	}
	if err := b.SetSequence(source.Sequence()); err != nil {
		return err
	}
	return source.ForEach(b.Put)
}

// A rowWriter writes rows in large transactions of the file.
type rowWriter struct {
	db   *bbolt.DB
	tx   *bbolt.Tx // nil: none begun
	rows int       // in tx
}

// add writes a row unless its key is already in the file.
func (w *rowWriter) add(key, value []byte) error {
	if err := w.begin(); err != nil {
		return err
	}
	b := w.tx.Bucket(items)
	if b.Get(key) != nil {
		return nil
	}
	if err := b.Put(key, value); err != nil {
		return err
	}
	if w.rows++; w.rows < rowsPerCommit {
		return nil
	}
	return w.commit()
}

func (w *rowWriter) begin() (err error) {
	if w.tx != nil {
		return nil
	}
	if w.tx, err = w.db.Begin(true); err != nil {
		return err
	}
	_, err = w.tx.CreateBucketIfNotExists(items)
	return err
}

func (w *rowWriter) commit() error {
	if w.tx == nil {
		return nil
	}
	tx := w.tx
	w.tx, w.rows = nil, 0
	return tx.Commit()
}

func (w *rowWriter) rollback() error {
	if w.tx == nil {
		return nil
	}
	return w.tx.Rollback()
}

// replaceFile replaces the file at path with the repaired one. At any time, path is one of the two files.
func replaceFile(path string, mode os.FileMode) error {
	if err := os.Link(path, path+damagedSuffix); err != nil {
		return fmt.Errorf("cannot keep the damaged file; move %s elsewhere if it exists: %w", path+damagedSuffix, err)
	}
	if err := os.Chmod(path+repairSuffix, mode); err != nil {
		return err
	}
	if err := os.Rename(path+repairSuffix, path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil && runtime.GOOS != "windows" { // Windows cannot sync a folder
		return err
	}
	return nil
}
