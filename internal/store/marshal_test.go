package store

import (
	"reflect"
	"testing"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"serverless-scim/internal/table"
)

func TestMarshalItemMatchesAttributevalue(t *testing.T) {
	t.Parallel()
	key := table.Key{PK: "t#Group#g", SK: "Member#u"}
	full := fullHead()
	for _, v := range []any{key, EdgeItem{key, "User"}, EdgeItem{Key: key}, NameItem{key, "u"}, NameItem{Key: key}, &full, &HeadItem{Key: key}} {
		want, err := attributevalue.MarshalMap(v)
		if err != nil || !reflect.DeepEqual(MarshalItem(v), table.Item(want)) {
			t.Errorf("%T: got %v, want %v %v", v, MarshalItem(v), want, err)
		}
	}
}

// fullHead returns a head item in which no field is zero.
func fullHead() HeadItem {
	h := HeadItem{Key: table.Key{PK: "t#User#u", SK: "@"}, Origin: Origin{"request", "token", OperationPut}}
	for i, v := 1, reflect.ValueOf(&h).Elem(); i < v.NumField(); i++ {
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
	return h
}

// UnmarshalItem decodes head and name items as attributevalue does. An attribute of another type is an error.
func TestUnmarshalItemMatchesAttributevalue(t *testing.T) {
	t.Parallel()
	full := fullHead()
	check := func(it table.Item, got, want any) {
		t.Helper()
		err, wantErr := UnmarshalItem(it, got), attributevalue.UnmarshalMap(it, want)
		if (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%v:\ngot  %+v %v\nwant %+v %v", it, got, err, want, wantErr)
		}
	}
	check(MarshalItem(full), &HeadItem{}, &HeadItem{})
	check(MarshalItem(HeadItem{Key: full.Key}), &HeadItem{}, &HeadItem{})
	check(MarshalItem(NameItem{full.Key, "u"}), &NameItem{}, &NameItem{})
	for attribute, value := range MarshalItem(full) {
		if attribute == "PK" || attribute == "SK" {
			continue
		}
		for _, other := range []types.AttributeValue{table.S("1"), table.N(1), table.BOOL(true), table.SS("1")} {
			it := MarshalItem(full)
			it[attribute] = other
			sameType := reflect.TypeOf(other) == reflect.TypeOf(value)
			if err := UnmarshalItem(it, &HeadItem{}); (err == nil) != sameType {
				t.Errorf("%s as a %T: %v", attribute, other, err)
			}
		}
	}
}
