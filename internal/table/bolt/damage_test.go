package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"serverless-scim/internal/table"
)

// filled is a file of several pages, and its bytes.
func filled(t *testing.T) []byte {
	path := inFile(t)
	b := openTest(t, path)
	for i := range 3 {
		var writes []table.Write
		for j := range 50 {
			it := table.Item{"PK": table.S("p"), "SK": table.S(fmt.Sprint(i, " ", j)), "x": table.S(strings.Repeat("x", 500))}
			writes = append(writes, table.Put{Item: it})
		}
		if err := b.Write(t.Context(), writes...); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestDamagedFileIsAnError(t *testing.T) {
	t.Parallel()
	file := filled(t)
	page, damaged := pageSize, 0
	cases := map[string][]byte{}
	for at := page; at < len(file); at += page {
		cases[fmt.Sprint("cut off at ", at)] = file[:at]
		zero, ones := bytes.Clone(file), bytes.Clone(file)
		copy(zero[at:], make([]byte, page))
		copy(ones[at:], bytes.Repeat([]byte{0xff}, page))
		cases[fmt.Sprint("zero at ", at)], cases[fmt.Sprint("ones at ", at)] = zero, ones
	}
	for name, content := range cases {
		path := inFile(t)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, err := range use(t, path) {
			if !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v", name, err)
			}
			if strings.Contains(err.Error(), path+" is damaged: ") {
				damaged++
			}
		}
	}
	if damaged == 0 {
		t.Error("no damage was met")
	}
}

func TestFileThatIsCutOffInUseIsAnError(t *testing.T) {
	t.Parallel()
	path := inFile(t)
	b := openTest(t, path)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	_, read := b.Get(t.Context(), nil, head)
	for _, err := range []error{read, b.Write(t.Context(), put(1)), b.Close()} {
		if err == nil || !strings.Contains(err.Error(), path+" is damaged: ") {
			t.Error(err)
		}
	}
}

// within fails the test, and leaves it, unless something ends soon.
func within(t *testing.T, what string, do func()) {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		do()
	}()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s hangs", what)
	}
}

// bbolt keeps the locks that it holds when it meets damage. Who waits for one waits for ever, but for reads we need not.
func TestWritesAndCloseOfADamagedFileReturn(t *testing.T) {
	t.Parallel()
	for range 5 {
		path := inFile(t)
		b, err := Open(path) // and nothing else closes it, which would hang where the test has failed
		if err != nil {
			t.Fatal(err)
		}
		var writers sync.WaitGroup
		for i := range 16 {
			writers.Go(func() {
				for b.Write(t.Context(), put(i)) == nil {
				}
			})
			go func() {
				for err := error(nil); err == nil; {
					_, err = b.Get(context.Background(), nil, head)
				}
			}()
		}
		time.Sleep(5 * time.Millisecond)
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
		within(t, "Damaged", func() { <-b.Corrupted() })
		within(t, "a Write", writers.Wait)
		within(t, "Close", func() { err = b.Close() })
		for _, err := range []error{err, b.CorruptionError()} {
			if err == nil || !strings.Contains(err.Error(), path+" is damaged: ") {
				t.Error(err)
			}
		}
	}
}

// Where a read and the committer hang, neither a Write in the queue nor one before it nor Close waits for them.
func TestDamageEndsEveryWaitForTheFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &Table{queue: make(chan *writeRequest, 1), corrupted: make(chan struct{}), stopped: make(chan struct{})}
		if err := b.beginCall(t.Context()); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 3)
		for i := range 2 {
			go func() { ended <- b.Write(t.Context(), put(i)) }()
		}
		synctest.Wait()
		go func() { ended <- b.Close() }()
		synctest.Wait()
		if len(ended) > 0 {
			t.Fatalf("before any damage: %v", <-ended)
		}
		err := b.catchCorruption(func() error { panic("at the file") })
		synctest.Wait()
		if len(ended) < cap(ended) {
			t.Errorf("only %d calls have ended", len(ended))
		}
		for range len(ended) {
			if got := <-ended; got != err {
				t.Errorf("got %v, want %v", got, err)
			}
		}
		b.calls.Done() // or the test would hang, too
		close(b.stopped)
	})
}

// use opens a file, reads it and changes it, and returns what went wrong.
func use(t *testing.T, path string) (wrong []error) {
	b, err := Open(path)
	if err != nil {
		return []error{err}
	}
	_, query := b.Query(t.Context(), table.Range{PK: "p"})
	write := b.Write(t.Context(), put(1), table.Delete{Key: table.Key{PK: "p", SK: "2 49"}})
	for _, err := range []error{query, write, b.Close()} {
		if err != nil {
			wrong = append(wrong, err)
		}
	}
	return wrong
}

func TestDamagedItemIsAnError(t *testing.T) {
	t.Parallel()
	b := openTest(t, ":memory:")
	err := b.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(items).Put(bucketKey(head), []byte("damaged")) })
	if err != nil {
		t.Fatal(err)
	}
	_, get := b.Get(t.Context(), nil, head)
	_, query := b.Query(t.Context(), table.Range{PK: head.PK})
	_, scan := b.Scan(t.Context(), table.Key{})
	update := b.Write(t.Context(), table.Update{Key: head, Remove: []string{"x"}})
	for _, err := range []error{get, query, scan, update} {
		if !errors.Is(err, errCorruptItem) {
			t.Errorf("%v", err)
		}
	}
}
