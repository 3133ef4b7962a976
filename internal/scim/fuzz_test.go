package scim

import "testing"

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
