package scim

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

var standardTypes = StandardTypes()

func user() *ResourceType  { return standardTypes.ByName("User") }
func group() *ResourceType { return standardTypes.ByName("Group") }

// text returns a value as JSON with sorted names.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestDecodeReturnsCanonicalForm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rule, body, want string }{
		{"names take the schema's spelling", `{"USERNAME":"a","Name":{"GIVENNAME":"b"}}`, `{"name":{"givenName":"b"},"userName":"a"}`},
		{"null, [] and {} are unassigned (RFC 7643 §2.5)", `{"userName":"a","title":null,"emails":[],"name":{},"phoneNumbers":[null]}`, `{"userName":"a"}`},
		{"attributes that only the server writes are ignored, even with a wrong type", `{"userName":"a","id":7,"meta":"04-12-2018","groups":"x","schemas":{}}`, `{"userName":"a"}`},
		{"the password is not stored", `{"userName":"a","password":"secret"}`, `{"userName":"a"}`},
		{"unknown attributes and schemas are ignored", `{"userName":"a","shoeSize":9,"urn:x:y":{"z":1},"emails":[{"value":"b","q":1}]}`, `{"emails":[{"value":"b"}],"userName":"a"}`},
		{"extensions are under their URN", `{"userName":"a","` + strings.ToUpper(enterprise) + `":{"DEPARTMENT":"d","manager":{"value":"m","displayName":"x"}}}`,
			`{"` + enterprise + `":{"department":"d","manager":{"value":"m"}},"userName":"a"}`},
		{"OneLogin sends URNs from before the RFCs", `{"schemas":["urn:scim:schemas:core:2.0"],"userName":"a","urn:scim:schemas:extension:enterprise:2.0":{"department":"d"}}`,
			`{"` + enterprise + `":{"department":"d"},"userName":"a"}`},
		{"OneLogin sends one e-mail address without an array", `{"userName":"a","emails":{"value":"b"}}`, `{"emails":[{"value":"b"}],"userName":"a"}`},
		{"Entra ID sends booleans as strings", `{"userName":"a","active":"False"}`, `{"active":false,"userName":"a"}`},
		{"Entra ID sends manager as a string", `{"userName":"a","` + enterprise + `":{"manager":"m"}}`, `{"` + enterprise + `":{"manager":{"value":"m"}},"userName":"a"}`},
		{"duplicate elements are removed", `{"userName":"a","emails":[{"value":"b"},{"value":"b"}]}`, `{"emails":[{"value":"b"}],"userName":"a"}`},
		{"base64 may have its padding or not (RFC 7643 §2.3.6), and is kept as sent", `{"userName":"a","x509Certificates":[{"value":"YQ=="},{"value":"YQ"},{"value":"YWI="},{"value":"YWI"},{"value":"YWJj"}]}`,
			`{"userName":"a","x509Certificates":[{"value":"YQ=="},{"value":"YQ"},{"value":"YWI="},{"value":"YWI"},{"value":"YWJj"}]}`},
		{"canonicalValues are not enforced", `{"userName":"a","emails":[{"value":"b","type":"boat"}]}`, `{"emails":[{"type":"boat","value":"b"}],"userName":"a"}`},
	} {
		o, err := user().Decode([]byte(c.body), nil)
		if err != nil || text(o) != c.want {
			t.Errorf("%s:\n got %s %v\nwant %s", c.rule, text(o), err, c.want)
		}
	}
	o, err := group().Decode([]byte(`{"displayName":"g","members":[{"value":"u1","display":null,"type":"User","$ref":"x"}]}`), nil)
	if err != nil || text(o) != `{"displayName":"g","members":[{"value":"u1"}]}` {
		t.Errorf("of a member, only the value is decoded: %s %v", text(o), err)
	}
}

func TestDecodeRejects(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		``:                                   InvalidSyntax,
		`{`:                                  InvalidSyntax,
		`[]`:                                 InvalidSyntax,
		`null`:                               InvalidSyntax,
		`{"userName":"a"} x`:                 InvalidSyntax,
		`{"userName":"a"}{}`:                 InvalidSyntax,
		`{"userName":"a",}`:                  InvalidSyntax,
		`{'userName':'a'}`:                   InvalidSyntax,
		"{\"userName\":\"\xff\"}":            InvalidSyntax,
		`{"userName":"\ud800"}`:              InvalidSyntax,
		`{"userName":"a","userName":"b"}`:    InvalidSyntax,
		`{"userName":"a","USERNAME":"b"}`:    InvalidSyntax,
		`{"userName":"a","x":{"y":1,"Y":2}}`: InvalidSyntax,
		`{"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`: InvalidSyntax,
		strings.Repeat("[", 100_000):                                      InvalidSyntax,
		`{}`:                                                              InvalidValue,
		`{"userName":""}`:                                                 InvalidValue,
		`{"userName":" "}`:                                                InvalidValue,
		`{"userName":null}`:                                               InvalidValue,
		`{"userName":7}`:                                                  InvalidValue,
		`{"uſerName":"a"}`:                                                InvalidValue, // not userName, although Unicode folds ſ to s
		`{"userName":"a","active":"yes"}`:                                 InvalidValue,
		`{"userName":"a","active":1}`:                                     InvalidValue,
		`{"userName":"a","name":"x"}`:                                     "",
		`{"userName":"a","emails":{}}`:                                    InvalidValue, // must not remove all values
		`{"userName":"a","emails":"b"}`:                                   InvalidValue,
		`{"userName":"a","emails":["b"]}`:                                 InvalidValue,
		`{"userName":"a","password":7}`:                                   InvalidValue,
		`{"userName":"a","` + enterprise + `":[]}`:                        InvalidValue,
		`{"userName":"a","emails":[{"value":"b","primary":true},{"value":"c","primary":true}]}`: InvalidValue,
		`{"userName":"a","x509Certificates":[{"value":"no base64!"}]}`:                          InvalidValue,
		`{"userName":"a","x509Certificates":[{"value":"YQ="}]}`:                                 InvalidValue, // half of the padding
		`{"userName":"a","x509Certificates":[{"value":"YQ==="}]}`:                               InvalidValue,
		`{"userName":"a","x509Certificates":[{"value":"YWJjZ"}]}`:                               InvalidValue, // 5 characters are no whole number of bytes
		`{"userName":"a","x509Certificates":[{"value":"_-8"}]}`:                                 InvalidValue, // base64url, which the schema does not specify
	} {
		_, err := user().Decode([]byte(body), nil)
		if want == "" {
			want = InvalidValue
		}
		e, ok := err.(*Error)
		if !ok || e.Status != 400 || e.Type != want || e.Detail == "" {
			t.Errorf("%.60q: got %v, want 400 %s", body, err, want)
		}
	}
	if _, err := group().Decode([]byte(`{"displayName":"g","members":[{"display":"x"}]}`), nil); err == nil {
		t.Error("a member without a value must be an error, not ignored")
	}
}

// Decode returns canonical resources: decoding the JSON of a result returns the same result.
func TestDecodeIsIdempotent(t *testing.T) {
	t.Parallel()
	rt := user()
	rapid.Check(t, func(r *rapid.T) {
		o, err := rt.Decode([]byte(text(anyUser().Draw(r, "user"))), nil)
		if err != nil {
			t.Fatal(err)
		}
		again, err := rt.Decode([]byte(text(o)), nil)
		if err != nil || !Equal(o, again) {
			t.Fatalf("%s is decoded again as %s %v", text(o), text(again), err)
		}
		if parsed, err := ParseObject([]byte(text(o))); err != nil || !Equal(o, parsed) {
			t.Fatalf("%s is parsed as %s %v", text(o), text(parsed), err)
		}
	})
}

// anyUser generates users as clients send them: with names in any case, nulls, and unknown attributes.
func anyUser() *rapid.Generator[Object] {
	return rapid.Custom(func(r *rapid.T) Object {
		s := rapid.SampledFrom([]string{"a", "B", "ä", "", "x y", "\u0000", "\u2028", `"`})
		maybe := func(o Object, name string, v any) {
			if rapid.Bool().Draw(r, name) {
				o[rapid.SampledFrom([]string{name, strings.ToUpper(name), strings.ToLower(name)}).Draw(r, "spelling")] = v
			}
		}
		o := Object{"userName": "u" + s.Draw(r, "userName")}
		maybe(o, "title", s.Draw(r, "s"))
		maybe(o, "locale", nil)
		maybe(o, "active", rapid.SampledFrom([]any{true, false, "True", "false", nil}).Draw(r, "active"))
		maybe(o, "shoeSize", 9)
		name := Object{}
		maybe(name, "givenName", s.Draw(r, "s"))
		maybe(name, "formatted", nil)
		maybe(o, "name", name)
		emails := []any{}
		for i := range rapid.IntRange(0, 3).Draw(r, "emails") {
			e := Object{"value": fmt.Sprint(s.Draw(r, "s"), i%2)}
			maybe(e, "type", s.Draw(r, "s"))
			maybe(e, "primary", i == 0)
			emails = append(emails, e)
		}
		maybe(o, "emails", emails)
		ext := Object{}
		maybe(ext, "department", s.Draw(r, "s"))
		maybe(ext, "manager", Object{"value": "m"})
		maybe(o, enterprise, ext)
		return maps.Clone(o)
	})
}
