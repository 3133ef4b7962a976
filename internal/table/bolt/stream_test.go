package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"go.etcd.io/bbolt"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

func isWatched(k table.Key) bool { return k.SK == head.SK }

func openWatched(t *testing.T, path string) *Table {
	t.Helper()
	b, err := Open(path, Watch(isWatched))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// receiveAll returns the versions in the new items of the records that Receive delivers.
func receiveAll(t *testing.T, b *Table) (versions []int64) {
	t.Helper()
	for {
		n, err := b.Receive(t.Context(), func(_ context.Context, records []table.Record) error {
			for _, r := range records {
				versions = append(versions, table.IntValue(r.New["n"]))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return versions
		}
	}
}

// Records outlive the process that wrote them, until they are delivered.
func TestStreamSurvivesReopening(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	b := openWatched(t, path)
	for i := range 250 {
		if err := b.Write(t.Context(), put(i)); err != nil {
			t.Fatal(err)
		}
	}
	refused := errors.New("refused")
	if _, err := b.Receive(t.Context(), func(context.Context, []table.Record) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("Receive returned %v, want the error of the handler", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = openWatched(t, path)
	if got := receiveAll(t, b); len(got) != 250 || got[0] != 0 || got[249] != 249 {
		t.Errorf("%d records: %v", len(got), got)
	}
	if got := receiveAll(t, b); len(got) != 0 {
		t.Errorf("delivered again: %v", got)
	}
}

// A repair copies the items into a new file, and must not lose the records that nobody has received.
func TestRepairKeepsStream(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	b := openWatched(t, path)
	for i := range 3 {
		if err := b.Write(t.Context(), put(i)); err != nil {
			t.Fatal(err)
		}
	}
	err := b.db.Update(func(tx *bbolt.Tx) error { // an item at a wrong key, which a repair moves
		misplaced := encode(table.Item{"PK": table.S("p"), "SK": table.S("x")})
		return tx.Bucket(items).Put(bucketKey(table.Key{PK: "q", SK: "x"}), misplaced)
	})
	if err := errors.Join(err, b.Close()); err != nil {
		t.Fatal(err)
	}
	findings := 0
	if err := Check(path, true, func(Finding) { findings++ }); err != nil || findings != 1 {
		t.Fatalf("%d findings, %v", findings, err)
	}
	b = openWatched(t, path)
	if err := b.Write(t.Context(), put(3)); err != nil {
		t.Fatal(err)
	}
	if got := receiveAll(t, b); len(got) != 4 || got[3] != 3 {
		t.Errorf("after a repair, the stream has %v, want 0 to 3", got)
	}
}

// A damaged record is delivered as an error in its place, so that it does not stop the stream.
func TestDamagedRecordIsDelivered(t *testing.T) {
	t.Parallel()
	b := openWatched(t, newPath(t))
	for i := range 3 {
		if err := b.Write(t.Context(), put(i)); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range map[string][]byte{
		"empty": {}, "time alone": {1}, "length too large": {1, 200}, "no items": {1, 0, 0}, "item": {1, 0, 2, 1, 1}, "text": []byte(strings.Repeat("x", 99)),
	} {
		err := b.db.Update(func(tx *bbolt.Tx) error {
			return tx.Bucket(stream).Put(binary.BigEndian.AppendUint64(nil, 2), value)
		})
		if err != nil {
			t.Fatal(err)
		}
		again := errors.New("again")
		_, err = b.Receive(t.Context(), func(_ context.Context, records []table.Record) error {
			if len(records) != 3 || records[0].Err != nil || records[1].Err == nil || records[1].New != nil || records[2].Err != nil {
				t.Errorf("%s: %+v", name, records)
			}
			return again
		})
		if !errors.Is(err, again) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStreamContract(t *testing.T) {
	t.Parallel()
	tabletest.RunStream(t, func(t *testing.T) (table.Table, table.Stream) {
		b, err := Open(newPath(t), Watch(func(k table.Key) bool { return k.SK == tabletest.WatchedSortKey }))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		return b, b
	})
}

// A record has exactly the images that were written, whatever they have in common.
func TestRecordsHaveExactImages(t *testing.T) {
	t.Parallel()
	b := openWatched(t, newPath(t))
	random := rand.New(rand.NewPCG(1, 2))
	values := []types.AttributeValue{table.S("a"), table.S(""), table.S("ab"), table.N(1), table.N(-7), table.SS("a"), table.SS("a", "b"), table.BOOL(true), table.BOOL(false)}
	previous := table.Item(nil)
	for i := range 2000 {
		it := table.Item{"PK": table.S(head.PK), "SK": table.S(head.SK), "i": table.N(int64(i))}
		for _, name := range []string{"A", "a", "aa", "b", "n", "z"} {
			if random.IntN(2) == 0 {
				it[name] = values[random.IntN(len(values))]
			}
		}
		if err := b.Write(t.Context(), table.Put{Item: it}); err != nil {
			t.Fatal(err)
		}
		_, err := b.Receive(t.Context(), func(_ context.Context, records []table.Record) error {
			if len(records) != 1 || !reflect.DeepEqual(records[0].Old, previous) || !reflect.DeepEqual(records[0].New, it) {
				t.Errorf("from %v to %v: %+v", previous, it, records)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		previous = it
	}
}
