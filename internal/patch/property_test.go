package patch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"serverless-scim/internal/scim"
)

const someUser = `{"userName": "u", "title": "T", "active": true, "name": {"givenName": "A", "familyName": "B"},
 "emails": [{"value": "a@x", "type": "work", "primary": true}, {"value": "b@x", "type": "home"}, {"value": "c@x"}],
 "addresses": [{"type": "work", "country": "US"}, {"country": "DE"}],
 "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "D", "manager": {"value": "1"}}}`

// drawUserOperation draws an operation on a user. The operation does not change which elements match its own filter.
func drawUserOperation(t *rapid.T) string {
	op := rapid.SampledFrom([]string{"add", "replace", "remove"}).Draw(t, "op")
	email := rapid.SampledFrom([]string{`{"value": "a@x"}`, `{"value": "A@x", "type": "work", "primary": true}`, `null`,
		`{"value": "d@x", "type": "other", "primary": true}`, `{"display": "D"}`, `{}`, `{"value": null, "primary": "True"}`})
	value := map[string]*rapid.Generator[string]{
		"title":  rapid.SampledFrom([]string{`"S"`, `null`, `"T"`, `[]`, `1`}),
		"active": rapid.SampledFrom([]string{`true`, `"False"`, `null`, `"x"`}),
		"name": rapid.SampledFrom([]string{`{"givenName": "C"}`, `{"givenName": null, "x": 1}`,
			`{}`, `null`, `"x"`}),
		"emails": rapid.OneOf(email, rapid.Map(rapid.SliceOfN(email, 0, 3), func(l []string) string {
			return `[` + strings.Join(l, ",") + `]`
		})),
		`emails[type eq "work"]`: rapid.SampledFrom([]string{`{"value": "e@x"}`, `{"primary": true}`,
			`{}`, `null`}),
		`emails[type eq "pager"].value`:      rapid.SampledFrom([]string{`"e@x"`, `null`}),
		`emails[type eq "other"].value`:      rapid.SampledFrom([]string{`"e@x"`, `null`, `1`}),
		`emails.display`:                     rapid.SampledFrom([]string{`"E"`, `null`}),
		`emails[not (value sw "a")].primary`: rapid.SampledFrom([]string{`true`, `false`}),
		`addresses`: rapid.SampledFrom([]string{`{"country": "US"}`, `[]`,
			`[{"country": "US", "type": "work"}]`}),
		`addresses[type eq "home"].country`: rapid.SampledFrom([]string{`"FR"`, `null`}),
		`name.middleName`:                   rapid.SampledFrom([]string{`"M"`, `null`}),
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": rapid.SampledFrom([]string{
			`{"costCenter": "C", "manager": "2"}`, `{"department": null, "manager": ""}`, `null`, `{}`}),
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager": rapid.SampledFrom([]string{`"2"`, `""`,
			`{"value": "1"}`, `{"$ref": "r", "displayName": "n"}`}),
		"userName": rapid.SampledFrom([]string{`"v"`, `null`, `""`}),
		"password": rapid.SampledFrom([]string{`"secret"`, `1`}),
		"groups":   rapid.Just(`[{"value": "g"}]`),
		"unknown":  rapid.Just(`1`),
	}
	names := rapid.SampledFrom(slices.Sorted(maps.Keys(value)))
	if op != "remove" && rapid.Bool().Draw(t, "no path") {
		var b []string
		for _, name := range rapid.SliceOfNDistinct(names, 0, 3, attributeOf).Draw(t, "names") {
			b = append(b, fmt.Sprintf("%q: %s", name, value[name].Draw(t, name)))
		}
		return fmt.Sprintf(`{"op": %q, "value": {%s}}`, op, strings.Join(b, ", "))
	}
	name := names.Draw(t, "name")
	if op == "remove" && rapid.Bool().Draw(t, "no value") {
		return fmt.Sprintf(`{"op": %q, "path": %q}`, op, name)
	}
	return fmt.Sprintf(`{"op": %q, "path": %q, "value": %s}`, op, name, value[name].Draw(t, "value"))
}

// attributeOf returns the attribute that a path begins with. If one attribute occurs twice in a value, applying the
// operation twice need not have the same result.
func attributeOf(path string) string {
	return strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune(".[:", r) })[0]
}

func TestApplyIsPureAndReturnsCanonicalResources(t *testing.T) {
	t.Parallel()
	rt := types.ByName("User")
	rapid.Check(t, func(t *rapid.T) {
		operations := `[` + strings.Join(rapid.SliceOfN(rapid.Custom(drawUserOperation), 1, 4).Draw(t, "operations"), ",\n") + `]`
		ops, err := Decode([]byte(`{"Operations": `+operations+`}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		before, err := rt.Decode([]byte(someUser), nil)
		if err != nil {
			t.Fatal(err)
		}
		beforeCopy, opsText := before.Clone(), text(ops)
		got, err := Apply(context.Background(), rt, before, ops)
		again, err2 := Apply(context.Background(), rt, before, ops)
		if !scim.Equal(before, beforeCopy) || text(ops) != opsText {
			t.Fatalf("%s\nApply modified its arguments", operations)
		}
		if fmt.Sprint(err) != fmt.Sprint(err2) || !scim.Equal(got, again) {
			t.Fatalf("%s\nfirst result: %s, %v\nsecond: %s, %v", operations, text(got), err, text(again), err2)
		}
		checkResult(t, rt, got, err)
		if strings.Contains(text(got), "secret") {
			t.Fatalf("%s\nstores the password: %s", operations, text(got))
		}
	})
}

type fataler interface{ Fatalf(string, ...any) }

// checkResult fails unless the result is a *scim.Error with a detail, or a resource in canonical form.
func checkResult(t fataler, rt *scim.ResourceType, got scim.Object, err error) {
	var e *scim.Error
	if err != nil {
		if !errors.As(err, &e) || e.Status != 400 && e.Status != 413 || e.Detail == "" || got != nil {
			t.Fatalf("%v, %v; want a *scim.Error with 400 or 413 and no resource", got, err)
		}
		return
	}
	if put, err := rt.Decode([]byte(text(got)), nil); err != nil || !scim.Equal(put, got) {
		t.Fatalf("%s\nis not canonical: %s, %v", text(got), text(put), err)
	}
}

func TestApplyingAnOperationTwiceChangesNothingMore(t *testing.T) {
	t.Parallel()
	rt := types.ByName("User")
	rapid.Check(t, func(t *rapid.T) {
		operation := drawUserOperation(t)
		ops, err := Decode([]byte(`{"Operations": [`+operation+`]}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		before, err := rt.Decode([]byte(someUser), nil)
		if err != nil {
			t.Fatal(err)
		}
		once, err := Apply(context.Background(), rt, before, ops)
		if err != nil {
			return
		}
		if twice, err := Apply(context.Background(), rt, once, ops); err != nil || !scim.Equal(once, twice) {
			t.Fatalf("%s\nonce: %s\ntwice: %s, %v", operation, text(once), text(twice), err)
		}
	})
}

func FuzzPatch(f *testing.F) {
	for _, s := range []string{
		`{"op": "add", "path": "emails[type eq \"work\"].value", "value": "x"}`,
		`{"op": "replace", "value": {"name.givenName": "x", "emails": [{"value": "y", "primary": "True"}], "members": []}}`,
		`{"op": "Remove", "path": "members", "value": [{"value": "u1"}]}`,
		`{"op": "add", "path": "members", "value": {"value": "u2"}}`,
		`{"op": "remove", "path": "members[value eq \"u1\" or display sw x]"}`,
		`{"op": "replace", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", "value": ""}`,
	} {
		f.Add([]byte(`{"schemas": ["` + PatchOpSchema + `"], "Operations": [` + s + `]}`))
	}
	user, group := types.ByName("User"), types.ByName("Group")
	f.Fuzz(func(t *testing.T, body []byte) {
		ops, err := Decode(body, nil)
		if err != nil {
			checkResult(t, user, nil, err)
			return
		}
		got, err := Apply(context.Background(), user, decodeResource(t, user, someUser), ops)
		checkResult(t, user, got, err)
		ids := []string{"u1", "u2"}
		bare := scim.Object{"displayName": "g"}
		whole, err := Apply(context.Background(), group, scim.Object{"displayName": "g", "members": []any{
			scim.Object{"value": "u1"}, scim.Object{"value": "u2"}}}, ops)
		checkResult(t, group, whole, err)
		rest, m, ok, err2 := SplitMembers(group, ops)
		if !ok && err2 == nil {
			return
		}
		if err2 == nil {
			_, err2 = Apply(context.Background(), group, bare, rest)
		}
		if (err == nil) != (err2 == nil) || err == nil && fmt.Sprint(m.applyTo(ids)) != fmt.Sprint(idsIn(whole)) {
			t.Fatalf("SplitMembers returns %v, %v; Apply %v, %v", m, err2, whole, err)
		}
	})
}
