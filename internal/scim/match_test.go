package scim

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"serverless-scim/internal/filter"
)

const ada = `{"userName":"Ada@example.com","externalId":"00uX","displayName":"This is \"Ada\"","active":true,
	"name":{"givenName":"Ada","familyName":"Lovelace"},
	"emails":[{"value":"ada@work.example","type":"work","primary":true},{"value":"ADA@home.example","type":"home"}],
	"` + enterprise + `":{"department":"Engines","manager":{"value":"u1"}}}`

func decodeUser(t *testing.T, body string) Object {
	t.Helper()
	o, err := user().Decode([]byte(body), nil)
	if err != nil {
		t.Fatal(err)
	}
	o["id"] = "uX"
	o["meta"] = Object{"lastModified": "2026-01-02T03:04:05.000Z"}
	return o
}

func match(t *testing.T, text string, o Object) (bool, error) {
	t.Helper()
	f, err := filter.Parse(text, nil)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	p, err := user().Matcher(f)
	if err != nil {
		return false, err
	}
	return p(nil, o), nil
}

func TestMatcherMatches(t *testing.T) {
	t.Parallel()
	o := decodeUser(t, ada)
	for text, want := range map[string]bool{
		`userName eq "ADA@EXAMPLE.COM"`:                                true,
		`USERNAME EQ "ada@example.com"`:                                true,
		`urn:ietf:params:scim:schemas:core:2.0:User:userName sw "ada"`: true,
		`id eq "uX"`:                                       true,
		`id eq "ux"`:                                       false, // caseExact
		`externalId eq "00uX"`:                             true,
		`externalId eq "00ux"`:                             false,
		`displayName eq "This is \"Ada\""`:                 true,
		`name.familyName co "LOVE"`:                        true,
		`name.familyName ew "lace"`:                        true,
		`title pr`:                                         false,
		`title ne "x"`:                                     true, // absent
		`title eq null`:                                    true,
		`userName ne null`:                                 true,
		`not (title pr)`:                                   true,
		`active eq true`:                                   true,
		`active eq "True"`:                                 true, // Entra ID
		`active ne true`:                                   false,
		`emails eq "ada@home.example"`:                     true, // Ping
		`emails co "home"`:                                 true,
		`emails.type eq "work"`:                            true,
		`emails.value ne "ada@work.example"`:               false, // one element has this value
		`emails pr`:                                        true,
		`emails[type eq "work" and value co "home"]`:       false,
		`emails[type eq "home" and value co "home"]`:       true,
		`emails[primary eq true]`:                          true,
		`emails[not (type pr)]`:                            false,
		`meta.lastModified gt "2026-01-01T00:00:00Z"`:      true,
		`meta.lastModified eq "2026-01-02T04:04:05+01:00"`: true, // the same point in time
		`meta.lastModified lt 2011-05-13T04:42:34Z`:        false,
		`department eq "engines"`:                          true,
		enterprise + `:department eq "engines"`:            true,
		enterprise + `:manager.value eq "u1"`:              true,
		enterprise + ` pr`:                                 true,
		`urn:scim:schemas:extension:enterprise:2.0:department eq "engines"`: true, // OneLogin
		`urn:scim:schemas:core:2.0:userName sw "ada"`:                       true,
		`userName gt "a" and userName lt "b"`:                               true,
		`userName eq "x" or title pr and active eq true`:                    false,
		`(userName eq "x" or emails pr) and active eq true`:                 true,
	} {
		if got, err := match(t, text, o); err != nil || got != want {
			t.Errorf("%s: got %v %v, want %v", text, got, err, want)
		}
	}
}

// RFC 7643 §2.4: a primary that is not given is assumed to be false. The operator pr and null distinguish the two.
func TestMatcherAssumesThatAbsentPrimaryIsFalse(t *testing.T) {
	t.Parallel()
	elements := map[string]string{"true": `{"value":"a","primary":true}`, "false": `{"value":"b","primary":false}`, "absent": `{"value":"c"}`}
	for comparison, matches := range map[string]string{ // the elements that match
		`eq true`: "true", `eq false`: "false absent", `ne true`: "false absent", `ne false`: "true",
		`eq "True"`: "true", `eq "False"`: "false absent", `ne "TRUE"`: "false absent", `ne "false"`: "true",
		`pr`: "true false", `eq null`: "absent", `ne null`: "true false",
	} {
		for name, element := range elements {
			want := strings.Contains(matches, name)
			o := decodeUser(t, `{"userName":"u","emails":[`+element+`]}`)
			for text, want := range map[string]bool{
				`emails[primary ` + comparison + `]`:                  want,
				`emails[not (primary ` + comparison + `)]`:            !want,
				`emails.primary ` + comparison:                        want,
				`not (emails.primary ` + comparison + `)`:             !want,
				`emails[value pr].primary ` + comparison:              want,
				`emails[value eq "x" and primary ` + comparison + `]`: false,
			} {
				if got, err := match(t, text, o); err != nil || got != want {
					t.Errorf("%s for an element whose primary is %s: got %v %v, want %v", text, name, got, err, want)
				}
			}
		}
	}
	none, mixed := decodeUser(t, `{"userName":"u"}`), decodeUser(t, `{"userName":"u","emails":[`+elements["true"]+`,`+elements["absent"]+`]}`)
	for text, want := range map[string][2]bool{
		`emails[primary eq false]`: {false, true}, `emails[primary ne true]`: {false, true},
		`emails.primary eq false`: {false, true}, `emails.primary ne true`: {true, false}, `emails.primary ne false`: {true, false},
	} {
		for i, o := range []Object{none, mixed} {
			if got, err := match(t, text, o); err != nil || got != want[i] {
				t.Errorf("%s for %v: got %v %v, want %v", text, o["emails"], got, err, want[i])
			}
		}
	}
}

func TestMatcherRejects(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`shoeSize eq 9`, `userName eq 5`, `userName eq true`, `active gt true`, `active co "t"`,
		`name eq "x"`, `name.shoe pr`, `meta.created gt "yesterday"`, `password eq "x"`, `password pr`, `userName[value eq "x"] and emails[shoe eq "x"]`,
		`x509Certificates.value gt "a"`, `urn:x:userName eq "a"`, `userName gt null`, `emails.value.x eq "a"`} {
		f, err := filter.Parse(text, nil)
		if err != nil {
			continue // the parser rejects it
		}
		_, err = user().Matcher(f)
		if e, ok := err.(*Error); !ok || e.Status != 400 || e.Type != InvalidFilter {
			t.Errorf("%s got %v, want 400 invalidFilter", text, err)
		}
	}
}

// De Morgan's laws, double negation, absorption, and the complement of eq hold for all users and filters.
func TestFilterLaws(t *testing.T) {
	t.Parallel()
	atoms := []string{`userName sw "ua"`, `title eq ""`, `title pr`, `active eq true`, `emails.value co "0"`,
		`emails[type eq "a" and primary eq true]`, `name.givenName le "b"`, `department ne "a"`, `active eq null`}
	rapid.Check(t, func(r *rapid.T) {
		o, err := user().Decode([]byte(text(anyUser().Draw(r, "user"))), nil)
		if err != nil {
			t.Fatal(err)
		}
		x, y := rapid.SampledFrom(atoms).Draw(r, "x"), rapid.SampledFrom(atoms).Draw(r, "y")
		checkEqual := func(a, b string) {
			va, err := match(t, a, o)
			vb, err2 := match(t, b, o)
			if err != nil || err2 != nil || va != vb {
				r.Fatalf("%s is %v, %s is %v for %s", a, va, b, vb, text(o))
			}
		}
		checkEqual("not ("+x+" and "+y+")", "not ("+x+") or not ("+y+")")
		checkEqual("not ("+x+" or "+y+")", "not ("+x+") and not ("+y+")")
		checkEqual("not (not ("+x+"))", x)
		checkEqual(x+" or "+y+" and "+x, x)
		checkEqual(strings.Replace(x, " eq ", " ne ", 1), complement(x))
	})
}

// complement returns the meaning of x with ne for eq: not (x).
func complement(x string) string {
	if strings.Contains(x, " eq ") && !strings.Contains(x, "[") {
		return "not (" + x + ")"
	}
	return strings.Replace(x, " eq ", " ne ", 1)
}

func TestProjectReturnsTheSelectedAttributes(t *testing.T) {
	t.Parallel()
	o := decodeUser(t, ada)
	o["schemas"] = user().SchemaURNs(o)
	schemas := `"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","` + enterprise + `"]`
	for _, c := range []struct{ attributes, excluded, want string }{
		{"userName", "", `{"id":"uX",` + schemas + `,"userName":"Ada@example.com"}`},
		{"USERNAME, shoeSize", "", `{"id":"uX",` + schemas + `,"userName":"Ada@example.com"}`},
		{"urn:ietf:params:scim:schemas:core:2.0:User:name.givenName", "", `{"id":"uX","name":{"givenName":"Ada"},` + schemas + `}`},
		{"emails.type", "", `{"emails":[{"type":"work"},{"type":"home"}],"id":"uX",` + schemas + `}`},
		{`emails[type eq "work"]`, "", `{"emails":` + text(o["emails"]) + `,"id":"uX",` + schemas + `}`},
		{enterprise + ":department", "", `{"id":"uX",` + schemas + `,"` + enterprise + `":{"department":"Engines"}}`},
		{enterprise, "", `{"id":"uX",` + schemas + `,"` + enterprise + `":{"department":"Engines","manager":{"value":"u1"}}}`},
		{"", "id,schemas,meta,emails,name.givenName,active,displayName,externalId," + enterprise,
			`{"id":"uX","name":{"familyName":"Lovelace"},` + schemas + `,"userName":"Ada@example.com"}`},
		{"title", "", `{"id":"uX",` + schemas + `}`},
	} {
		p, err := NewProjection([]*ResourceType{user()}, c.attributes, c.excluded, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := text(user().Project(o, p)); got != c.want {
			t.Errorf("attributes=%s excludedAttributes=%s:\n got %s\nwant %s", c.attributes, c.excluded, got, c.want)
		}
	}
	if _, err := NewProjection([]*ResourceType{user()}, "a", "b", nil); err == nil {
		t.Error("RFC 7644 §3.9: attributes and excludedAttributes together must be an error")
	}
	if got := text(user().Project(o, Projection{})); got != text(o) {
		t.Errorf("the zero Projection must return everything, got %s", got)
	}
}
