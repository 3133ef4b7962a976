package scim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
)

// Decode returns a resource in canonical form or a client error for any bytes.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{ada, `{"userName":"a","emails":[{"value":"x","primary":"True"}],"name":null}`, `{"a":[[[{"b":1e400}]]]}`,
		"{\"userName\":\"\\ud83d\\ude00\"}", `{"userName":"a","x509Certificates":[{"value":"AA=="}],"` + enterprise + `":"271"}`} {
		f.Add([]byte(body))
	}
	rt := user()
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := rt.Decode(body, nil)
		if err != nil {
			if e, ok := err.(*Error); !ok || e.Status != 400 && e.Status != 413 || e.Detail == "" {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		again, err := rt.Decode([]byte(text(o)), nil)
		if err != nil || !Equal(o, again) {
			t.Fatalf("%q is decoded as %s, which is decoded as %s %v", body, text(o), text(again), err)
		}
	})
}

// Parse and EncodeJSON agree with encoding/json on every text that Parse accepts.
func FuzzParse(f *testing.F) {
	for _, body := range []string{ada, ` {"a" : ["\u00e9", "é", "\"", "", 1.50, -0, true, null, {}, []], "B":{"c":"\u2028 x<y>&z"}} `,
		"\"\u2028\x7f\u2029\"", `"\n\b\f\u0001\/"`, "\"\xff\"", `{"a":1,"A":2}`, `{"a":1,"\u0061":2}`, `[1] 2`, `1e400`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := Parse(body)
		if err != nil {
			return
		}
		var want any
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		if err := d.Decode(&want); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		wanted, err := appendOther(nil, want)
		if err != nil {
			t.Fatal(err)
		}
		for what, v := range map[string]any{"what Parse returns": v, "what encoding/json returns": want} {
			if got, err := EncodeJSON(v); err != nil || !bytes.Equal(got, wanted) {
				t.Fatalf("%q, %s: encoded as %q %v, want %q", body, what, got, err, wanted)
			}
		}
	})
}

// An object has no two names that differ at most in case, however many it has.
func TestDuplicateNames(t *testing.T) {
	t.Parallel()
	for n := range 40 {
		var b bytes.Buffer
		for i := range n {
			fmt.Fprintf(&b, `"Name%d":%d,`, i, i)
		}
		unique := fmt.Sprintf(`{%s"last":0}`, &b)
		if o, err := ParseObject(unique); err != nil || len(o) != n+1 {
			t.Fatalf("%d names: %v", n, err)
		}
		for i := range n {
			if _, err := ParseObject(fmt.Sprintf(`{%s"nAME%d":0}`, &b, i)); err == nil {
				t.Errorf("%d names: name %d twice", n, i)
			}
		}
	}
	if _, err := ParseObject("{\"k\":1,\"\u212a\":2,\"s\":3,\"ſ\":4,\"[\":5,\"{\":6,\"@\":7,\"`\":8}"); err != nil {
		t.Error(err)
	}
}
