package directory

import (
	"reflect"
	"testing"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"serverless-scim/internal/table"
)

// What marshal makes by itself is what attributevalue makes.
func TestItemsAreThoseOfAttributevalue(t *testing.T) {
	t.Parallel()
	key := table.Key{PK: "t#Group#g", SK: "Member#u"}
	for _, v := range []any{key, EdgeItem{key, "User"}, EdgeItem{Key: key}, NameItem{key, "u"}, NameItem{Key: key}} {
		want, err := attributevalue.MarshalMap(v)
		if err != nil || !reflect.DeepEqual(MarshalItem(v), table.Item(want)) {
			t.Errorf("%T: got %v, want %v %v", v, MarshalItem(v), want, err)
		}
	}
}

// Heads and names are read as attributevalue reads them, whatever they hold, and an attribute of another
// type is an error.
func TestFieldsAreThoseOfAttributevalue(t *testing.T) {
	t.Parallel()
	full := HeadItem{Key: table.Key{PK: "t#User#u", SK: "@"}}
	for i, v := 1, reflect.ValueOf(&full).Elem(); i < v.NumField(); i++ {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(v.Type().Field(i).Name)
		case reflect.Int64:
			f.SetInt(int64(i))
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Slice:
			f.Set(reflect.ValueOf([]string{"a", "b"}))
		}
	}
	check := func(it table.Item, mine, theirs any) {
		t.Helper()
		err, want := UnmarshalItem(it, mine), attributevalue.UnmarshalMap(it, theirs)
		if (err == nil) != (want == nil) || err == nil && !reflect.DeepEqual(mine, theirs) {
			t.Errorf("%v:\ngot  %+v %v\nwant %+v %v", it, mine, err, theirs, want)
		}
	}
	check(MarshalItem(full), &HeadItem{}, &HeadItem{})
	check(MarshalItem(HeadItem{Key: full.Key}), &HeadItem{}, &HeadItem{})
	check(MarshalItem(NameItem{full.Key, "u"}), &NameItem{}, &NameItem{})
	for attribute, right := range MarshalItem(full) {
		for _, wrong := range []types.AttributeValue{table.S("1"), table.N(1), table.BOOL(true), table.SS("1")} {
			it := MarshalItem(full)
			it[attribute] = wrong
			key, same := attribute == "PK" || attribute == "SK", reflect.TypeOf(wrong) == reflect.TypeOf(right)
			if err := UnmarshalItem(it, &HeadItem{}); !key && (err == nil) != same {
				t.Errorf("%s as a %T: %v", attribute, wrong, err)
			}
		}
	}
}
