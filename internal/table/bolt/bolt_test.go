package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

func openTest(t *testing.T, path string) *Table {
	t.Helper()
	b, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func newPath(t *testing.T) string { return filepath.Join(t.TempDir(), "table.db") }

func TestContract(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) table.Table{
		"memory": func(t *testing.T) table.Table { return openTest(t, ":memory:") },
		"file":   func(t *testing.T) table.Table { return openTest(t, newPath(t)) },
		"partial": func(t *testing.T) table.Table {
			return &tabletest.PartialVisibility{Table: openTest(t, ":memory:")}
		},
		"faults": func(t *testing.T) table.Table { return tabletest.Faults{Table: openTest(t, ":memory:")} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tabletest.Run(t, open)
		})
	}
}

var head = table.Key{PK: "p", SK: "s"}

func put(n int) table.Put {
	return table.Put{Item: table.Item{"PK": table.S(head.PK), "SK": table.S(head.SK), "n": table.N(int64(n))}}
}

func TestReopenedFileKeepsItems(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	first := openTest(t, path)
	if err := errors.Join(first.Write(t.Context(), put(1)), first.Close()); err != nil {
		t.Fatal(err)
	}
	items, err := openTest(t, path).Get(t.Context(), nil, head)
	if err != nil || len(items) != 1 {
		t.Errorf("after reopening: %v, %v", items, err)
	}
}

func TestOpenRejectsFileInUse(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	openTest(t, path)
	if _, err := Open(path); err == nil || err.Error() != "bolt: "+path+" is in use by another process; stop that process first" {
		t.Error(err)
	}
}

func TestOpenRejectsOtherFiles(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	if err := os.WriteFile(path, []byte(strings.Repeat("no table", 10_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
}

func TestMemoryIsPrivateAndRemoved(t *testing.T) {
	t.Parallel()
	a, b := openTest(t, ":memory:"), openTest(t, ":memory:")
	if err := a.Write(t.Context(), put(1)); err != nil {
		t.Fatal(err)
	}
	if items, err := b.Get(t.Context(), nil, head); err != nil || len(items) > 0 {
		t.Errorf("another table in memory has the items %v, %v", items, err)
	}
	if _, err := os.Stat(a.path); !errors.Is(err, os.ErrNotExist) && runtime.GOOS != "windows" {
		t.Errorf("the open file %s still has a name: %v", a.path, err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(a.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s exists after Close: %v", a.path, err)
	}
}

func TestCloseWaitsForCallsAndEndsLaterOnes(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	b := openTest(t, path)
	var wg sync.WaitGroup
	var mu sync.Mutex
	written := map[string]bool{}
	for i := range 32 {
		wg.Go(func() {
			for n := 0; ; n++ {
				sk := fmt.Sprint(i, " ", n)
				err := b.Write(context.Background(), table.Put{Item: table.Item{"PK": table.S("p"), "SK": table.S(sk)}})
				if err != nil {
					if !errors.Is(err, errClosed) {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				written[sk] = true
				mu.Unlock()
			}
		})
	}
	for n := 0; n < 32; {
		mu.Lock()
		n = len(written)
		mu.Unlock()
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if _, err := b.Get(t.Context(), nil, head); !errors.Is(err, errClosed) {
		t.Errorf("Get after Close: %v", err)
	}
	if err := b.Close(); !errors.Is(err, errClosed) {
		t.Errorf("Close after Close: %v", err)
	}
	p, err := openTest(t, path).Query(t.Context(), table.Range{PK: "p"})
	if err != nil || len(p.Items) != len(written) {
		t.Errorf("%d writes succeeded, but %d items are stored: %v", len(written), len(p.Items), err)
	}
}

// DynamoDB documents this charge. Some emulators do not make it, so tabletest cannot check it.
func TestMissingItemsAreCharged(t *testing.T) {
	t.Parallel()
	b := openTest(t, ":memory:")
	missing := table.Key{PK: "p", SK: "missing"}
	for name, c := range map[string]struct {
		call        func(context.Context) error
		read, write float64
	}{
		"Get":      {func(ctx context.Context) error { _, err := b.Get(ctx, nil, missing, head); return err }, 2, 0},
		"Snapshot": {func(ctx context.Context) error { _, err := b.Snapshot(ctx, missing); return err }, 2, 0},
		"Query":    {func(ctx context.Context) error { _, err := b.Query(ctx, table.Range{PK: "missing"}); return err }, 1, 0},
		"Delete":   {func(ctx context.Context) error { return b.Write(ctx, table.Delete{Key: missing}) }, 0, 2},
	} {
		ctx, usage := table.WithUsage(t.Context())
		err := c.call(ctx)
		if u := usage(); err != nil || u.ReadUnits != c.read || u.WriteUnits != c.write {
			t.Errorf("%s: %v, %+v, want %v read and %v write units", name, err, u, c.read, c.write)
		}
	}
}

// DynamoDB counts the size of whole items, even if a write changes little of them. Emulators count the size of the
// call.
func TestTransactionLimitCountsWholeItems(t *testing.T) {
	t.Parallel()
	b := openTest(t, ":memory:")
	var keys []table.Key
	var updates []table.Write
	for i := range 11 {
		it := table.Item{
			"PK": table.S("p"), "SK": table.S(fmt.Sprint(i)), "x": table.S(strings.Repeat("x", 390<<10)),
		}
		if err := b.Write(t.Context(), table.Put{Item: it}); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, it.Key())
		updates = append(updates, table.Update{Key: it.Key(), Remove: []string{"x"}})
	}
	_, tooManyErr := b.Snapshot(t.Context(), keys...)
	_, fitsErr := b.Snapshot(t.Context(), keys[:10]...)
	var tooLarge *table.TooLargeError
	if !errors.As(tooManyErr, &tooLarge) || fitsErr != nil {
		t.Errorf("Snapshot of 4.2 MB: %v; of 3.8 MB: %v", tooManyErr, fitsErr)
	}
	if err := b.Write(t.Context(), updates...); !errors.As(err, &tooLarge) {
		t.Errorf("Write to items of 4.2 MB: %v", err)
	}
	if err := b.Write(t.Context(), updates[:10]...); err != nil {
		t.Errorf("Write to items of 3.8 MB: %v", err)
	}
}

// DynamoDB documents this charge. An emulator charges for the returned attributes only.
func TestReadOfAttributesIsChargedForWholeItem(t *testing.T) {
	t.Parallel()
	b := openTest(t, ":memory:")
	it := table.Item{"PK": table.S("p"), "SK": table.S("s"), "x": table.S(strings.Repeat("x", 9000))}
	if err := b.Write(t.Context(), table.Put{Item: it}); err != nil {
		t.Fatal(err)
	}
	ctx, usage := table.WithUsage(t.Context())
	_, getErr := b.Get(ctx, []string{"PK"}, it.Key())
	_, queryErr := b.Query(ctx, table.Range{PK: "p", Attributes: []string{"PK"}})
	if u := usage(); getErr != nil || queryErr != nil || u.ReadUnits != 3+3 {
		t.Errorf("%v, %v, %v units, want 3 for each read of 9 KB", getErr, queryErr, u.ReadUnits)
	}
}

func TestFailedTransactionIsCharged(t *testing.T) {
	t.Parallel()
	b := openTest(t, ":memory:")
	ctx, usage := table.WithUsage(t.Context())
	exists := []table.Condition{table.Exists()}
	err := b.Write(ctx, put(1), table.ConditionCheck{Key: table.Key{PK: "p", SK: "missing"}, If: exists})
	var conditionErr *table.ConditionError
	if u := usage(); !errors.As(err, &conditionErr) || u.WriteUnits != 4 {
		t.Errorf("%v, %v units, want 4 for two writes of less than 1 KB", err, u.WriteUnits)
	}
}
