package bolt

import (
	"errors"
	"reflect"
	"testing"

	"serverless-scim/internal/table"
)

// The images of a transaction are the items as Get returns them before and after it, in the order of the writes.
func TestImagesAreTheItemsBeforeAndAfter(t *testing.T) {
	t.Parallel()
	b := openWatched(t, newPath(t))
	key := func(sk string) table.Key { return table.Key{PK: "p", SK: sk} }
	item := func(sk, v string) table.Item {
		return table.Item{"PK": table.S("p"), "SK": table.S(sk), "v": table.S(v), "n": table.N(1)}
	}
	get := func(k table.Key) table.Item {
		items, err := b.Get(t.Context(), nil, k)
		if err != nil {
			t.Fatal(err)
		}
		return append(items, nil)[0]
	}
	if err := b.Write(t.Context(), table.Put{Item: item("a", "1")}, table.Put{Item: item("b", "1")}, table.Put{Item: item("d", "1")}); err != nil {
		t.Fatal(err)
	}
	writes := []table.Write{table.Put{Item: item("z", "2")}, table.Update{Key: key("b"), Add: table.Item{"n": table.N(2)}, Remove: []string{"v"}},
		table.ConditionCheck{Key: key("d"), If: []table.Condition{table.Exists()}}, table.Delete{Key: key("a")},
		table.Update{Key: key("c"), Add: table.Item{"n": table.N(2)}}, table.Delete{Key: key("none")}}
	var want []table.Record
	for _, w := range writes {
		if !isCheck(w) && w.Target().SK != "none" {
			want = append(want, table.Record{Key: w.Target(), Old: get(w.Target())})
		}
	}
	images, err := b.WriteImages(t.Context(), writes...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		want[i].New = get(want[i].Key)
	}
	if err := b.Write(t.Context(), table.Put{Item: item("b", "3")}); err != nil {
		t.Fatal(err) // the images are decoded later, when the file has changed
	}
	if got := images.Decode(); !reflect.DeepEqual(got, want) || images.Bytes == 0 {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// A transaction that fails has no images and writes nothing.
func TestFailedWriteHasNoImages(t *testing.T) {
	t.Parallel()
	b := openWatched(t, newPath(t))
	images, err := b.WriteImages(t.Context(), table.Delete{Key: table.Key{PK: "p", SK: "a"}, If: []table.Condition{table.Exists()}})
	if failed := (*table.ConditionError)(nil); !errors.As(err, &failed) || images.Decode != nil {
		t.Errorf("%v, %v", images, err)
	}
}
