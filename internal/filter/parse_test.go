package filter

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

const (
	core       = "urn:ietf:params:scim:schemas:core:2.0:User"
	enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0"
)

func name(s string) Attr                  { return Attr{Name: s} }
func sub(s, t string) Attr                { return Attr{Name: s, Sub: t} }
func cmp(a Attr, op Op, v Value) *Compare { return &Compare{a, op, v} }

var filters = []struct {
	text string
	want Expr
}{
	// Examples of RFC 7644 §3.4.2.1 to §3.4.3.
	{`userName eq "bjensen"`, cmp(name("userName"), EQ, "bjensen")},
	{`userName Eq "john"`, cmp(name("userName"), EQ, "john")},
	{`Username eq "john"`, cmp(name("Username"), EQ, "john")},
	{`name.familyName co "O'Malley"`, cmp(sub("name", "familyName"), CO, "O'Malley")},
	{`userName sw "J"`, cmp(name("userName"), SW, "J")},
	{core + `:userName sw "J"`, cmp(Attr{core, "userName", ""}, SW, "J")},
	{`title pr`, &Present{name("title")}},
	{`meta.lastModified gt "2011-05-13T04:42:34Z"`, cmp(sub("meta", "lastModified"), GT, "2011-05-13T04:42:34Z")},
	{`meta.lastModified ge "2011-05-13T04:42:34Z"`, cmp(sub("meta", "lastModified"), GE, "2011-05-13T04:42:34Z")},
	{`meta.lastModified lt "2011-05-13T04:42:34Z"`, cmp(sub("meta", "lastModified"), LT, "2011-05-13T04:42:34Z")},
	{`meta.lastModified le "2011-05-13T04:42:34Z"`, cmp(sub("meta", "lastModified"), LE, "2011-05-13T04:42:34Z")},
	{`title pr and userType eq "Employee"`, &And{&Present{name("title")}, cmp(name("userType"), EQ, "Employee")}},
	{`title pr or userType eq "Intern"`, &Or{&Present{name("title")}, cmp(name("userType"), EQ, "Intern")}},
	{`schemas eq "` + enterprise + `:User"`, cmp(name("schemas"), EQ, enterprise+":User")},
	{`userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")`,
		&And{cmp(name("userType"), EQ, "Employee"),
			&Or{cmp(name("emails"), CO, "example.com"), cmp(sub("emails", "value"), CO, "example.org")}}},
	{`userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org")`,
		&And{cmp(name("userType"), NE, "Employee"),
			&Not{&Or{cmp(name("emails"), CO, "example.com"), cmp(sub("emails", "value"), CO, "example.org")}}}},
	{`userType eq "Employee" and (emails.type eq "work")`,
		&And{cmp(name("userType"), EQ, "Employee"), cmp(sub("emails", "type"), EQ, "work")}},
	{`userType eq "Employee" and emails[type eq "work" and value co "@example.com"]`,
		&And{cmp(name("userType"), EQ, "Employee"),
			&ValuePath{name("emails"), &And{cmp(name("type"), EQ, "work"), cmp(name("value"), CO, "@example.com")}}}},
	{`emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]`,
		&Or{&ValuePath{name("emails"), &And{cmp(name("type"), EQ, "work"), cmp(name("value"), CO, "@example.com")}},
			&ValuePath{name("ims"), &And{cmp(name("type"), EQ, "xmpp"), cmp(name("value"), CO, "@foo.com")}}}},
	{`(meta.resourceType eq User) or (meta.resourceType eq Group)`,
		&Or{cmp(sub("meta", "resourceType"), EQ, "User"), cmp(sub("meta", "resourceType"), EQ, "Group")}},
	{`displayName sw "smith"`, cmp(name("displayName"), SW, "smith")},

	// Sent by identity providers.
	{`userName eq jose`, cmp(name("userName"), EQ, "jose")},
	{`displayName sw O`, cmp(name("displayName"), SW, "O")},
	{`meta.lastModified gt 2011-05-13T04:42:34Z`, cmp(sub("meta", "lastModified"), GT, "2011-05-13T04:42:34Z")},
	{`emails eq "x"`, cmp(name("emails"), EQ, "x")},
	{`emails[type eq "work"].value eq "a@b"`, // Entra ID
		&ValuePath{name("emails"), &And{cmp(name("type"), EQ, "work"), cmp(name("value"), EQ, "a@b")}}},
	{core + `:emails[type eq work].$ref NE a and not (emails[type pr or primary eq true].display PR)`,
		&And{&ValuePath{Attr{core, "emails", ""}, &And{cmp(name("type"), EQ, "work"), cmp(name("$ref"), NE, "a")}},
			&Not{&ValuePath{name("emails"), &And{&Or{&Present{name("type")}, cmp(name("primary"), EQ, true)}, &Present{name("display")}}}}}},
	{`active gt true`, cmp(name("active"), GT, true)},
	{`displayName eq "This is \"test\" group."`, cmp(name("displayName"), EQ, `This is "test" group.`)},
	{`userName eq "a'b+c@example.com"`, cmp(name("userName"), EQ, "a'b+c@example.com")},
	{`id eq "g1" and members eq "u1"`, &And{cmp(name("id"), EQ, "g1"), cmp(name("members"), EQ, "u1")}},
	{`emails[type eq "work"]`, &ValuePath{name("emails"), cmp(name("type"), EQ, "work")}},
	{enterprise + `:User:manager.displayName pr`, &Present{Attr{enterprise + ":User", "manager", "displayName"}}},
	{enterprise + `:User:employeeNumber eq "7"`, cmp(Attr{enterprise + ":User", "employeeNumber", ""}, EQ, "7")},

	// Precedence (RFC 7644 §3.4.2.2) is not, and, or. Operators group from the left.
	{`a pr or b pr and c pr`, &Or{&Present{name("a")}, &And{&Present{name("b")}, &Present{name("c")}}}},
	{`a pr and b pr or c pr`, &Or{&And{&Present{name("a")}, &Present{name("b")}}, &Present{name("c")}}},
	{`a pr OR b pr Or c pr`, &Or{&Or{&Present{name("a")}, &Present{name("b")}}, &Present{name("c")}}},
	{`a PR AND(b pr oR c pR)`, &And{&Present{name("a")}, &Or{&Present{name("b")}, &Present{name("c")}}}},
	{`NOT(a pr) and b pr`, &And{&Not{&Present{name("a")}}, &Present{name("b")}}},
	{`not (not (a pr))`, &Not{&Not{&Present{name("a")}}}},
	{`  (  ( a   pr )  )  `, &Present{name("a")}},
	{`e[not (type eq "x")] and a pr`, &And{&ValuePath{name("e"), &Not{cmp(name("type"), EQ, "x")}}, &Present{name("a")}}},

	// Operators are valid attribute names.
	{`not pr and and pr or or eq eq`, &Or{&And{&Present{name("not")}, &Present{name("and")}}, cmp(name("or"), EQ, "eq")}},
	{`not[value pr]`, &ValuePath{name("not"), &Present{name("value")}}},

	// Names.
	{`members.$ref eq "x"`, cmp(sub("members", "$ref"), EQ, "x")},
	{`m[$ref pr]`, &ValuePath{name("m"), &Present{name("$ref")}}},
	{`a-b_9 pr`, &Present{name("a-b_9")}},
	{`URN:X:2.0:User:a.b pr`, &Present{Attr{"URN:X:2.0:User", "a", "b"}}},

	// Values (RFC 7159).
	{`a eq true`, cmp(name("a"), EQ, true)},
	{`a eq false`, cmp(name("a"), EQ, false)},
	{`a eq null`, cmp(name("a"), EQ, nil)},
	{`a eq True`, cmp(name("a"), EQ, "True")},
	{`a eq NULL`, cmp(name("a"), EQ, "NULL")},
	{`a eq "true"`, cmp(name("a"), EQ, "true")},
	{`a eq ""`, cmp(name("a"), EQ, "")},
	{`a eq 9007199254740993`, cmp(name("a"), EQ, json.Number("9007199254740993"))},
	{`a eq -1.50e+3`, cmp(name("a"), EQ, json.Number("-1.50e+3"))},
	{`a eq 007`, cmp(name("a"), EQ, "007")},
	{`a eq -x`, cmp(name("a"), EQ, "-x")},
	{`a eq "\"\\\/\b\f\n\r\tA\u00e9\uD83D\uDE00é😀"`, cmp(name("a"), EQ, "\"\\/\b\f\n\r\tAé😀é😀")},
	{`a eq "x) or (b"`, cmp(name("a"), EQ, "x) or (b")},
	{`a eq jösé`, cmp(name("a"), EQ, "jösé")},
}

func TestParseReadsFilters(t *testing.T) {
	t.Parallel()
	for _, c := range filters {
		got, err := Parse(c.text, nil)
		if err != nil {
			t.Errorf("Parse(%q): %v", c.text, err)
		} else if !reflect.DeepEqual(got, c.want) {
			t.Errorf("Parse(%q) = %s, want %s", c.text, got, c.want)
		} else if again, err := Parse(got.String(), nil); err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("Parse(%q) prints %q, which parses to %v, %v", c.text, got, again, err)
		}
	}
}

func TestParseRejects(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text   string
		offset int
		detail string // a part of it
	}{
		{``, 0, "name of an attribute"},
		{`   `, 3, "name of an attribute"},
		{`userName`, 8, "expected one of eq"},
		{`userName eq`, 11, "expected a value"},
		{`userName eq a b`, 14, "in quotes"},
		{`userName eq "a" b`, 16, "unexpected text"},
		{`userName eq "a" and`, 19, "name of an attribute"},
		{`userName xx "a"`, 9, "expected one of eq"},
		{`userName ſw "a"`, 9, "expected one of eq"},
		{`"userName" eq "a"`, 0, "name of an attribute"},
		{`userName eq "a`, 12, "closing double quote"},
		{`userName eq "a\"`, 12, "closing double quote"},
		{`userName eq "\`, 12, "closing double quote"},
		{`userName eq "\x"`, 12, "valid JSON string"},
		{`userName eq "\ud83d"`, 12, "valid JSON string"},
		{`userName eq "\ude00\ud83d"`, 12, "valid JSON string"},
		{`userName eq "\ud83dx"`, 12, "valid JSON string"},
		{"userName eq \"a\nb\"", 12, "valid JSON string"},
		{"userName eq \"a\xff\"", 14, "UTF-8"},
		{`userName pr pr`, 12, "unexpected text"},
		{`(userName pr`, 12, `expected ')'`},
		{`(userName pr]`, 12, `expected ')'`},
		{`userName pr)`, 11, "unexpected text"},
		{`()`, 1, "name of an attribute"},
		{`not userName pr`, 4, "expected one of eq"},
		{`emails[]`, 7, "name of an attribute"},
		{`emails[type eq "work"`, 21, `expected ']'`},
		{`emails[type eq "work"] .value eq "x"`, 23, "unexpected text"},
		{`emails[type eq "work"]value eq "x"`, 22, "unexpected text"},
		{`emails[type eq "work"].`, 23, "name of an attribute"},
		{`emails[type eq "work"]. eq "x"`, 23, "name of an attribute"},
		{`emails[type eq "work"].value`, 28, "expected one of eq"},
		{`emails[type eq "work"].value.x pr`, 28, "letters, digits"},
		{`emails[type eq "work"].value[x pr]`, 28, "expected one of eq"},
		{`emails[a[b pr].c pr]`, 9, "cannot be inside another"},
		{strings.Repeat("(", 31) + "a[b pr or c pr].d pr" + strings.Repeat(")", 31), 46, "nested deeper than 32"},
		{"a[" + strings.Repeat("(", 31) + "b pr" + strings.Repeat(")", 31) + " or c pr].d pr", 77, "nested deeper than 32"},
		{`emails[a[b pr]]`, 9, "cannot be inside another"},
		{`emails[(a[b pr])]`, 10, "cannot be inside another"},
		{`a.b[c pr]`, 4, "not a sub-attribute"},
		{`a..b pr`, 2, "name of an attribute"},
		{`a.b.c pr`, 3, "letters, digits"},
		{`.a pr`, 0, "name of an attribute"},
		{`a. pr`, 2, "name of an attribute"},
		{`1a pr`, 0, "name of an attribute"},
		{`$ pr`, 0, "name of an attribute"},
		{`uſerName pr`, 1, "letters, digits"},
		{`core:userName pr`, 4, "letters, digits"},
		{`urn: pr`, 3, "letters, digits"},
		{`urn:x: pr`, 6, "name of an attribute"},
		{`urn:é:x pr`, 4, "printable ASCII"},
		{strings.Repeat("(", 33) + "a pr" + strings.Repeat(")", 33), 33, "nested deeper than 32"},
		{strings.Repeat("not(", 33) + "a pr" + strings.Repeat(")", 33), 132, "nested deeper than 32"},
		{strings.Repeat("(", 32) + "a[b pr]" + strings.Repeat(")", 32), 34, "nested deeper than 32"},
		{`a eq "` + strings.Repeat("x", maxTextBytes) + `"`, maxTextBytes, "longer than"},
	} {
		x, err := Parse(c.text, nil)
		var e *Error
		if !errors.As(err, &e) || x != nil || e.Offset != c.offset || !strings.Contains(e.Detail, c.detail) {
			t.Errorf("Parse(%.60q) = %v, %v; want an error at %d with %q", c.text, x, err, c.offset, c.detail)
		}
	}
}

func TestParseAcceptsTextsAtTheLimits(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		strings.Repeat("(", 32) + "a pr" + strings.Repeat(")", 32),
		strings.Repeat("(", 31) + "a[b pr and c pr].d pr" + strings.Repeat(")", 31),
		strings.Repeat("(", 30) + "a[b pr or c pr].d pr" + strings.Repeat(")", 30),
		"a[" + strings.Repeat("(", 30) + "b pr" + strings.Repeat(")", 30) + " or c pr].d pr or (" + strings.Repeat("(", 31) + "a pr" + strings.Repeat(")", 32),
		strings.Repeat("(a pr) and ", 800) + "a pr", // a sequence is not nesting
		`a eq "` + strings.Repeat("x", maxTextBytes-7) + `"`,
	} {
		x, err := Parse(s, nil)
		if err != nil {
			t.Errorf("Parse(%.40q…): %v", s, err)
		} else if again, err := Parse(x.String(), nil); err != nil || !reflect.DeepEqual(again, x) {
			t.Errorf("Parse(%.40q…) prints %.80q…, which parses to %.40v, %v", s, x, again, err)
		}
	}
}

func TestParsePathReadsPaths(t *testing.T) {
	t.Parallel()
	work := cmp(name("type"), EQ, "work")
	for _, c := range []struct {
		text string
		want Path
	}{
		// Examples of RFC 7644 §3.5.2.
		{`members`, Path{Attr: name("members")}},
		{`name.familyName`, Path{Attr: sub("name", "familyName")}},
		{`addresses[type eq "work"]`, Path{name("addresses"), work}},
		{`members[value eq "2819c223-7f76-453a-919d-413861904646"]`,
			Path{name("members"), cmp(name("value"), EQ, "2819c223-7f76-453a-919d-413861904646")}},
		{`members[value eq "2819c223-7f76-453a-919d-413861904646"].displayName`,
			Path{sub("members", "displayName"), cmp(name("value"), EQ, "2819c223-7f76-453a-919d-413861904646")}},
		{`addresses[type eq "work"].streetAddress`, Path{sub("addresses", "streetAddress"), work}},
		{`emails[type eq "work" and value ew "example.com"]`,
			Path{name("emails"), &And{work, cmp(name("value"), EW, "example.com")}}},

		// Sent by identity providers.
		{`emails[type eq "work"].value`, Path{sub("emails", "value"), work}},
		{`phoneNumbers[type eq "mobile"].value`, Path{sub("phoneNumbers", "value"), cmp(name("type"), EQ, "mobile")}},
		{`addresses[type eq "work"].postalCode`, Path{sub("addresses", "postalCode"), work}},
		{`roles[primary eq "True"].value`, Path{sub("roles", "value"), cmp(name("primary"), EQ, "True")}},
		{enterprise + `:User:employeeNumber`, Path{Attr: Attr{enterprise + ":User", "employeeNumber", ""}}},
		{enterprise + `:User`, Path{Attr: Attr{enterprise, "User", ""}}},
		{enterprise + `:User:manager.displayName`, Path{Attr: Attr{enterprise + ":User", "manager", "displayName"}}},
		{core + `:emails[type eq "work"].value`, Path{Attr{core, "emails", "value"}, work}},
		{core + `:userName`, Path{Attr: Attr{core, "userName", ""}}},
		{`urn:example:group:1.0`, Path{Attr: Attr{"urn:example:group", "1.0", ""}}},
		{`members.$ref`, Path{Attr: sub("members", "$ref")}},
		{`m[value eq "x"].$ref`, Path{sub("m", "$ref"), cmp(name("value"), EQ, "x")}},
		{` emails [ type eq work ] `, Path{name("emails"), work}},
		{`e[not (a pr or b pr) and (c pr)]`,
			Path{name("e"), &And{&Not{&Or{&Present{name("a")}, &Present{name("b")}}}, &Present{name("c")}}}},
	} {
		got, err := ParsePath(c.text, nil)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("ParsePath(%q) = %s, %v, want %s", c.text, got, err, c.want)
		} else if again, err := ParsePath(got.String(), nil); err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("ParsePath(%q) prints %q, which parses to %v, %v", c.text, got, again, err)
		}
	}
}

func TestParsePathRejects(t *testing.T) {
	t.Parallel()
	for text, offset := range map[string]int{
		``: 0, `emails[`: 7, `emails[type]`: 11, `emails[type eq "work"]value`: 22, `emails[type eq "work"].`: 23,
		`emails[type eq "work"].a.b`: 24, `emails.value[type eq "work"]`: 13, `emails.`: 7, `name.a.b`: 6, `a b`: 2,
		`a[b pr][c pr]`: 7, `a[b pr] .c`: 8, `a eq "b"`: 2, `[a pr]`: 0, `/emails/0`: 0, `emails[0].value`: 7,
		`urn:a:1.0[b pr`: 14, `urn:`: 3, `a]`: 1,
	} {
		var e *Error
		if p, err := ParsePath(text, nil); !errors.As(err, &e) || e.Offset != offset || !reflect.ValueOf(p).IsZero() {
			t.Errorf("ParsePath(%q) = %v, %v; want an error at %d", text, p, err, offset)
		}
	}
}

func TestParseAttrReadsNames(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Attr{
		"userName":                          name("userName"),
		" name.familyName ":                 sub("name", "familyName"),
		core + ":name.familyName":           {core, "name", "familyName"},
		enterprise + ":User":                {enterprise, "User", ""},
		"urn:example:2.0:User:manager.$ref": {"urn:example:2.0:User", "manager", "$ref"},
		"urn:scim:schemas:core:2.0":         {"urn:scim:schemas:core", "2.0", ""},
	} {
		if got, err := ParseAttr(text, nil); err != nil || got != want {
			t.Errorf("ParseAttr(%q) = %#v, %v, want %#v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "a,b", "a b", "a.b.c", `emails[type eq "work"]`, "a=b"} {
		if got, err := ParseAttr(text, nil); err == nil {
			t.Errorf("ParseAttr(%q) = %v, want an error", text, got)
		}
	}
}
