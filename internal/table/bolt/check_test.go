package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"serverless-scim/internal/table"
)

func TestIsBucketKey(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawKey(t), drawKey(t)
		for _, k := range []table.Key{a, b} {
			if got := isBucketKey(bucketKey(a), []byte(k.PK), []byte(k.SK)); got != (k == a) {
				t.Fatalf("the bucket key of %+q, for %+q: %v", a, k, got)
			}
		}
	})
}

// putRow writes an item at a bucket key.
func putRow(t *testing.T, b *Table, key, item []byte) {
	t.Helper()
	if err := b.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(items).Put(key, item) }); err != nil {
		t.Fatal(err)
	}
}

func TestReadingAnItemAtAWrongKeyIsAnError(t *testing.T) {
	t.Parallel()
	wrong := table.Key{PK: head.PK, SK: "t"}
	b := openTest(t, ":memory:")
	putRow(t, b, bucketKey(wrong), encode(put(1).Item))
	_, getErr := b.Get(t.Context(), nil, wrong)
	_, snapshotErr := b.Snapshot(t.Context(), wrong)
	_, queryErr := b.Query(t.Context(), table.Range{PK: head.PK})
	_, backwardErr := b.Query(t.Context(), table.Range{PK: head.PK, Backward: true})
	_, scanErr := b.Scan(t.Context(), table.Key{})
	updateErr := b.Write(t.Context(), table.Update{Key: wrong, Remove: []string{"x"}})
	for _, err := range []error{getErr, snapshotErr, queryErr, backwardErr, scanErr, updateErr} {
		if !errors.Is(err, errWrongKey) || !errors.Is(err, errCorruptItem) {
			t.Errorf("got %v, want errWrongKey", err)
		}
	}
}

func TestKeysOutOfOrderAreAnError(t *testing.T) {
	t.Parallel()
	first, second := table.Item{"PK": table.S("p"), "SK": table.S("a")}, table.Item{"PK": table.S("p"), "SK": table.S("b")}
	for _, direction := range []int{1, -1} {
		p := page{direction: direction}
		for i, it := range []table.Item{first, second, first} {
			if direction < 0 {
				it = []table.Item{second, first, first}[i]
			}
			_, err := p.add(bucketKey(it.Key()), encode(it))
			if i == 2 != errors.Is(err, errWrongOrder) {
				t.Errorf("direction %d, item %d: %v", direction, i, err)
			}
		}
	}
}

// checkFile returns the findings of Check.
func checkFile(t *testing.T, path string, repair bool) (findings []Finding) {
	t.Helper()
	if err := Check(path, repair, func(f Finding) { findings = append(findings, f) }); err != nil {
		t.Fatal(err)
	}
	return findings
}

// readFile returns the items that Get and Scan return, or nil if they fail.
func readFile(t *testing.T, path string, keys []table.Key) (found, scanned []table.Item) {
	t.Helper()
	b, err := Open(path)
	if err != nil {
		return nil, nil
	}
	defer b.Close()
	for _, k := range keys { // one by one, because a Get of adjacent keys does not search for each
		items, err := b.Get(t.Context(), nil, k)
		if err != nil {
			return nil, nil
		}
		found = append(found, items...)
	}
	page, err := b.Scan(t.Context(), table.Key{})
	if err != nil {
		return nil, nil
	}
	return found, page.Items
}

// checkDamagedFile checks and repairs a file, and adds the problems to found. The test fails unless all items are then
// as want.
func checkDamagedFile(t *testing.T, damaged []byte, killed bool, keys []table.Key, want []table.Item, found map[string]int) {
	t.Helper()
	path := newPath(t)
	if err := os.WriteFile(path, damaged, 0o640); err != nil {
		t.Fatal(err)
	}
	findings := checkFile(t, path, false)
	if content, _ := os.ReadFile(path); !bytes.Equal(content, damaged) {
		t.Fatal("a check without repair changed the file")
	}
	if !killed || len(findings) == 0 { // Open rejects a file with findings that was not closed, and does not unlock it
		got, scanned := readFile(t, path, keys)
		if intact := reflect.DeepEqual(got, want) && reflect.DeepEqual(scanned, want); intact == (len(findings) > 0) {
			t.Errorf("%d of %d items are read, but the findings are %v", len(got), len(want), findings)
		}
	}
	for _, f := range checkFile(t, path, true) {
		problem, _, _ := strings.Cut(f.Problem, ` "`)
		if found[problem]++; !f.Repaired {
			t.Errorf("%v is not repaired", f)
		}
	}
	if got, scanned := readFile(t, path, keys); !reflect.DeepEqual(got, want) || !reflect.DeepEqual(scanned, want) {
		t.Errorf("%d of %d items after the repair of %v", len(got), len(want), findings)
	}
	if again := checkFile(t, path, true); again != nil {
		t.Errorf("findings after the repair: %v", again)
	}
	if content, _ := os.ReadFile(path + damagedSuffix); len(findings) > 0 && len(content) != len(damaged) {
		t.Error("the damaged file is not kept")
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
		t.Errorf("the repaired file has the mode %v, %v", info.Mode(), err)
	}
}

// A flipped bit in any key of the file, also in the keys that lead to pages, is found unless it has no effect. The
// repair restores every item.
func TestCheckFindsAndRepairsFlippedBitsOfKeys(t *testing.T) {
	t.Parallel()
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprint("killed ", killed), func(t *testing.T) {
			t.Parallel()
			testFlippedBitsOfKeys(t, killed)
		})
	}
}

func testFlippedBitsOfKeys(t *testing.T, killed bool) {
	file := newFileContent(t, killed)
	found := map[string]int{}
	var keys []table.Key
	for i := range 3 {
		for j := range 50 {
			keys = append(keys, table.Key{PK: "p", SK: fmt.Sprint(i, " ", j)})
		}
	}
	slices.SortFunc(keys, func(a, b table.Key) int { return strings.Compare(a.SK, b.SK) })
	path := newPath(t)
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	want, _ := readFile(t, path, keys)
	if findings := checkFile(t, path, true); findings != nil || len(want) != len(keys) {
		t.Fatalf("%d intact items, findings %v", len(want), findings)
	}
	prefix := []byte("p\x00\x01")
	for n, at := 0, bytes.Index(file, prefix); at >= 0; n++ {
		damaged := bytes.Clone(file)
		damaged[at+[]int{0, 1, 2, 3, 5}[n%5]] ^= 1 << (n % 7)
		if n%4 == 0 {
			checkDamagedFile(t, damaged, killed, keys, want, found)
		}
		next := bytes.Index(file[at+1:], prefix)
		if at += 1 + next; next < 0 {
			break
		}
	}
	if found["item with the wrong key"] == 0 || found["item out of order in the file"] == 0 {
		t.Errorf("the findings lack a kind: %v", found)
	}
}

func TestCheckKeepsTheNewerItem(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	b := openTest(t, path)
	putRow(t, b, bucketKey(table.Key{PK: head.PK, SK: "a"}), encode(put(1).Item))
	putRow(t, b, bucketKey(head), encode(put(2).Item))
	putRow(t, b, []byte("undecodable"), []byte("x"))
	b.Close()
	for _, repair := range []bool{false, true} {
		want := []Finding{
			{head, `item with the wrong key "p\x00\x01a" in the file; a newer item has its key`, repair},
			{table.Key{PK: "undecodable"}, "damaged item", false},
		}
		if got := checkFile(t, path, repair); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	b = openTest(t, path)
	if got, _ := b.Get(t.Context(), nil, head); len(got) != 1 || !reflect.DeepEqual(got[0], put(2).Item) {
		t.Errorf("the newer item was replaced: %v", got)
	}
	b.Close()
	if got := checkFile(t, path, false); len(got) != 1 {
		t.Errorf("only the undecodable item must remain, got %v", got)
	}
}

// A file that an earlier repair kept is not overwritten.
func TestCheckKeepsAnEarlierDamagedFile(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	b := openTest(t, path)
	putRow(t, b, []byte("wrong"), encode(put(1).Item))
	b.Close()
	if err := os.WriteFile(path+damagedSuffix, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Check(path, true, func(Finding) {}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want that the file exists", err)
	}
	if got := checkFile(t, path, false); len(got) != 1 || got[0].Repaired {
		t.Errorf("the file must be as before, got %v", got)
	}
}

func TestCheckOfNoTableIsAnError(t *testing.T) {
	t.Parallel()
	missing, empty, other, used := newPath(t), newPath(t), newPath(t), newPath(t)
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(other, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	openTest(t, used)
	for path, want := range map[string]string{
		missing: "no such file", empty: "is empty", other: "holds no table", used: "is in use by another process",
	} {
		before, _ := os.ReadFile(path)
		for _, repair := range []bool{false, true} {
			err := Check(path, repair, func(f Finding) { t.Error(f) })
			if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
				t.Errorf("want %q, got %v", want, err)
			}
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Errorf("%s has changed", path)
		}
	}
	if _, err := os.Stat(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the missing file was created: %v", err)
	}
}
