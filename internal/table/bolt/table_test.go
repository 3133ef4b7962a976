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

// newFileContent returns the content of a file of several pages, which was closed, or whose process was killed.
func newFileContent(t *testing.T, killed bool) []byte {
	path := newPath(t)
	b := openTest(t, path)
	for i := range 3 {
		var writes []table.Write
		for j := range 50 {
			writes = append(writes, table.Put{Item: table.Item{
				"PK": table.S("p"), "SK": table.S(fmt.Sprint(i, " ", j)), "x": table.S(strings.Repeat("x", 500)),
			}})
		}
		if err := b.Write(t.Context(), writes...); err != nil {
			t.Fatal(err)
		}
	}
	unclosed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if killed {
		return unclosed
	}
	return file
}

func TestCorruptFileIsAnError(t *testing.T) {
	t.Parallel()
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprint("killed ", killed), func(t *testing.T) { testCorruptFile(t, newFileContent(t, killed)) })
	}
}

// A file whose process was killed has all items, and can be closed and opened again.
func TestFileOfAKilledProcess(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	if err := os.WriteFile(path, newFileContent(t, true), 0o600); err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		b, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		p, err := b.Query(t.Context(), table.Range{PK: "p"})
		if err != nil || len(p.Items) != 150+n {
			t.Errorf("opened %d times: %d items, %v", n, len(p.Items), err)
		}
		more := table.Item{"PK": table.S("p"), "SK": table.S(fmt.Sprint("more ", n))}
		if err := errors.Join(b.Write(t.Context(), table.Put{Item: more}), b.Close()); err != nil {
			t.Error(err)
		}
	}
}

func testCorruptFile(t *testing.T, file []byte) {
	corrupt := 0
	cases := map[string][]byte{}
	for at := pageSize; at < len(file); at += pageSize {
		cases[fmt.Sprint("truncated at ", at)] = file[:at]
		zero, ones := bytes.Clone(file), bytes.Clone(file)
		copy(zero[at:], make([]byte, pageSize))
		copy(ones[at:], bytes.Repeat([]byte{0xff}, pageSize))
		cases[fmt.Sprint("zero at ", at)], cases[fmt.Sprint("ones at ", at)] = zero, ones
	}
	for name, content := range cases {
		path := newPath(t)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, err := range useErrors(t, path) {
			if !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v", name, err)
			}
			if strings.Contains(err.Error(), path+" is damaged: ") {
				corrupt++
			}
		}
	}
	if corrupt == 0 {
		t.Error("no case led to a corruption error")
	}
}

func TestFileTruncatedInUseIsAnError(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	b := openTest(t, path)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	_, getErr := b.Get(t.Context(), nil, head)
	for _, err := range []error{getErr, b.Write(t.Context(), put(1)), b.Close()} {
		if err == nil || !strings.Contains(err.Error(), path+" is damaged: ") {
			t.Error(err)
		}
	}
}

// requireReturn ends the test if do does not return soon.
func requireReturn(t *testing.T, what string, do func()) {
	t.Helper()
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		do()
	}()
	select {
	case <-returned:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s does not return", what)
	}
}

// When bbolt panics on a corrupt file, it does not release its locks. Writes and Close must return nevertheless.
func TestWritesAndCloseReturnOnCorruptFile(t *testing.T) {
	t.Parallel()
	for range 5 {
		path := newPath(t)
		b, err := Open(path) // no cleanup closes it, because Close could hang if the test fails
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
		requireReturn(t, "the wait for Corrupted", func() { <-b.Corrupted() })
		requireReturn(t, "Write", writers.Wait)
		requireReturn(t, "Close", func() { err = b.Close() })
		for _, err := range []error{err, b.CorruptionError()} {
			if err == nil || !strings.Contains(err.Error(), path+" is damaged: ") {
				t.Error(err)
			}
		}
	}
}

// A corruption ends three waits: of a queued Write, of a Write for a place in the queue, and of Close. The test has no
// commitLoop, as if it hung.
func TestCorruptionEndsEveryWaitForTheFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &Table{queue: make(chan *writeRequest, 1), corrupted: make(chan struct{}), stopped: make(chan struct{})}
		if err := b.beginCall(t.Context()); err != nil {
			t.Fatal(err)
		}
		results := make(chan error, 3)
		for i := range 2 {
			go func() { results <- b.Write(t.Context(), put(i)) }()
		}
		synctest.Wait()
		go func() { results <- b.Close() }()
		synctest.Wait()
		if len(results) > 0 {
			t.Fatalf("a call returned before the corruption: %v", <-results)
		}
		err := b.catchCorruption(func() error { panic("at the file") })
		synctest.Wait()
		if len(results) < cap(results) {
			t.Errorf("only %d calls have returned", len(results))
		}
		for range len(results) {
			if got := <-results; got != err {
				t.Errorf("got %v, want %v", got, err)
			}
		}
		b.calls.Done() // ends the goroutine of Close
		close(b.stopped)
	})
}

// useErrors opens, reads, changes and closes a file, and returns the errors.
func useErrors(t *testing.T, path string) (failures []error) {
	b, err := Open(path)
	if err != nil {
		return []error{err}
	}
	_, queryErr := b.Query(t.Context(), table.Range{PK: "p"})
	writeErr := b.Write(t.Context(), put(1), table.Delete{Key: table.Key{PK: "p", SK: "2 49"}})
	for _, err := range []error{queryErr, writeErr, b.Close()} {
		if err != nil {
			failures = append(failures, err)
		}
	}
	return failures
}

func TestCorruptItemIsAnError(t *testing.T) {
	t.Parallel()
	b := openTest(t, ":memory:")
	err := b.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(items).Put(bucketKey(head), []byte("corrupt")) })
	if err != nil {
		t.Fatal(err)
	}
	_, getErr := b.Get(t.Context(), nil, head)
	_, queryErr := b.Query(t.Context(), table.Range{PK: head.PK})
	_, scanErr := b.Scan(t.Context(), table.Key{})
	updateErr := b.Write(t.Context(), table.Update{Key: head, Remove: []string{"x"}})
	for _, err := range []error{getErr, queryErr, scanErr, updateErr} {
		if !errors.Is(err, errCorruptItem) {
			t.Errorf("got %v, want errCorruptItem", err)
		}
	}
}
