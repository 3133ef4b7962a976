package capture

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"serverless-scim/internal/console/traffic"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
)

// An exchange has the same items on a table that knows its images and on one that does not.
func TestItemsOfAnExchange(t *testing.T) {
	t.Parallel()
	item := table.Item{"PK": table.S("p"), "SK": table.S("a"), "n": table.N(1)}
	other := table.Item{"PK": table.S("p"), "SK": table.S("b"), "n": table.N(1)}
	steps := [][]table.Write{
		{table.Put{Item: item, If: []table.Condition{table.NotExists()}}, table.Put{Item: other}},
		{table.Update{Key: item.Key(), Add: table.Item{"n": table.N(1)}}, table.ConditionCheck{Key: other.Key(), If: []table.Condition{table.Exists()}}},
		{table.Delete{Key: other.Key()}, table.Delete{Key: item.Key(), If: []table.Condition{table.NotExists()}}}, // fails
		{table.Delete{Key: other.Key()}},
	}
	changed := table.Item{"PK": table.S("p"), "SK": table.S("a"), "n": table.N(2)}
	want := []traffic.ItemChange{{Key: item.Key(), New: item, Transaction: 1}, {Key: other.Key(), New: other, Transaction: 1},
		{Key: item.Key(), Old: item, New: changed, Transaction: 2}, {Key: other.Key(), Old: other, Transaction: 3}}
	for name, hide := range map[string]bool{"with images": false, "without": true} {
		file, err := bolt.Open(filepath.Join(t.TempDir(), "table"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { file.Close() })
		tab := table.Table(file)
		if hide {
			tab = struct{ table.Table }{file}
		}
		c := New(time.Now, "/scim/v2")
		h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			for i, writes := range steps {
				if err := Table(tab).Write(r.Context(), writes...); (err != nil) != (i == 2) {
					t.Errorf("%s: step %d: %v", name, i, err)
				}
			}
		})
		e := c.Send(h, httptest.NewRecorder(), httptest.NewRequest("POST", "/scim/v2/Users", nil))
		if !reflect.DeepEqual(e.Items, want) {
			t.Errorf("%s:\n got %v\nwant %v", name, e.Items, want)
		}
	}
}

// An exchange has at most 200 items.
func TestItemsAreBounded(t *testing.T) {
	t.Parallel()
	file, err := bolt.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		for i := range 5 {
			var writes []table.Write
			for j := range 99 {
				writes = append(writes, table.Put{Item: table.Item{"PK": table.S("p"), "SK": table.S(string(rune('a'+i)) + string(rune('0'+j)))}})
			}
			if err := Table(file).Write(r.Context(), writes...); err != nil {
				t.Error(err)
			}
		}
	})
	c := New(time.Now, "/scim/v2")
	if e := c.Send(h, httptest.NewRecorder(), httptest.NewRequest("POST", "/scim/v2/Users", nil)); len(e.Items) != maxKeptItems {
		t.Errorf("%d items, want %d", len(e.Items), maxKeptItems)
	}
}
