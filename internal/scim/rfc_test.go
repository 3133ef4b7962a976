package scim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"serverless-scim/internal/filter"
)

// The example resources of the RFCs keep all attributes that a client can write when they are decoded and encoded.
func TestDecodeKeepsExampleResources(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/rfc*/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("cannot find the example resources", err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		example, err := ParseObject(body)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		rt := user()
		if example["schemas"].([]any)[0] == group().Schema {
			rt = group()
		}
		o, err := rt.Decode(body, nil)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		encoded, err := ParseObject([]byte(text(rt.Project(o, Projection{}))))
		if err != nil {
			t.Fatal(err)
		}
		if want := writable(example); !Equal(encoded, want) {
			t.Errorf("%s:\n got %s\nwant %s", file, text(encoded), text(want))
		}
	}
}

// writable returns the part of a resource that a client can write and read back: without the password and the
// attributes that only the server writes.
func writable(example Object) Object {
	o := example.Clone()
	for _, name := range []string{"schemas", "id", "meta", "groups", "password"} {
		delete(o, name)
	}
	for name, v := range o {
		if list, ok := v.([]any); ok && len(list) == 0 { // RFC 7643 §2.5
			delete(o, name)
		}
	}
	members, _ := o["members"].([]any)
	for _, m := range members {
		for _, name := range []string{"$ref", "type", "display"} {
			delete(m.(Object), name)
		}
	}
	if ext, ok := o[enterprise].(Object); ok {
		delete(ext["manager"].(Object), "displayName")
	}
	return o
}

// deliberate has the reason for each difference between the schemas and RFC 7643 §8.7.1.
var deliberate = map[string]string{
	"User addresses.primary": "RFC 7643 §2.4 defines it for every multi-valued attribute, and §8.2 uses it",
	"Group displayName":      "required by RFC 7643 §4.2, and unique because clients find groups by name",
	"Group members.value":    "a member without a value has no meaning",
	"Group members.display":  "RFC 7643 §8.4 uses it; the server sets it",
}

func TestSchemasHaveTheAttributesOfRFC7643(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/rfc7643/8.7.1-attributes.txt")
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[string]string{}, map[string]string{}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); f[0] != "#" {
			want[f[0]+" "+f[1]] = strings.Join(f[2:], " ")
		}
	}
	for _, s := range StandardTypes().Schemas {
		describeAttributes(got, s.Name+" ", s.Attributes)
	}
	for name, w := range want {
		if equal := got[name] == w; equal == (deliberate[name] != "") {
			t.Errorf("%s is %q, want %q; deliberate difference: %q", name, got[name], w, deliberate[name])
		}
	}
	for name := range got {
		if want[name] == "" && deliberate[name] == "" {
			t.Errorf("%s is not in the RFC", name)
		}
	}
}

// describeAttributes describes attributes in the format of the file 8.7.1-attributes.txt.
func describeAttributes(into map[string]string, prefix string, attributes []*Attribute) {
	for _, a := range attributes {
		f := []string{a.Type, map[bool]string{true: "many", false: "one"}[a.MultiValued], a.Mutability, a.Returned}
		if a.Required {
			f = append(f, "required")
		}
		if a.Uniqueness == "server" {
			f = append(f, "server")
		}
		into[prefix+a.Name] = strings.Join(f, " ")
		describeAttributes(into, prefix+a.Name+".", a.SubAttributes)
	}
}

// The example filters of RFC 7644 match one resource and do not match another.
func TestMatcherFollowsExampleFilters(t *testing.T) {
	t.Parallel()
	const urn = "urn:ietf:params:scim:schemas:core:2.0:User"
	employee := func(email string) string {
		return `{"userName":"u","userType":"Employee","emails":[` + email + `]}`
	}
	modified := func(at string) string { return `{"userName":"u","meta":{"lastModified":"` + at + `"}}` }
	for _, c := range []struct{ filter, match, noMatch string }{
		{`userName eq "bjensen"`, `{"userName":"BJensen"}`, `{"userName":"bjensen2"}`},
		{`userName Eq "john"`, `{"userName":"john"}`, `{"userName":"joh"}`},
		{`Username eq "john"`, `{"userName":"John"}`, `{"userName":"jane"}`},
		{`name.familyName co "O'Malley"`, `{"userName":"u","name":{"familyName":"O'Malley-Smith"}}`, `{"userName":"O'Malley"}`},
		{`userName sw "J"`, `{"userName":"jsmith"}`, `{"userName":"bjensen"}`},
		{urn + `:userName sw "J"`, `{"userName":"Jane"}`, `{"userName":"bjensen"}`},
		{`title pr`, `{"userName":"u","title":"Tour Guide"}`, `{"userName":"u","title":""}`},
		{`meta.lastModified gt "2011-05-13T04:42:34Z"`, modified("2011-05-13T04:42:35Z"), modified("2011-05-13T05:42:34+01:00")},
		{`meta.lastModified ge "2011-05-13T04:42:34Z"`, modified("2011-05-13T04:42:34.000Z"), modified("2011-05-13T04:42:33Z")},
		{`meta.lastModified lt "2011-05-13T04:42:34Z"`, modified("2011-05-13T05:42:33+01:00"), modified("2011-05-13T04:42:34Z")},
		{`meta.lastModified le "2011-05-13T04:42:34Z"`, modified("2011-05-13T04:42:34Z"), modified("2011-05-13T04:42:34.001Z")},
		{`title pr and userType eq "Employee"`, `{"userName":"u","title":"t","userType":"employee"}`, `{"userName":"u","userType":"Employee"}`},
		{`title pr or userType eq "Intern"`, `{"userName":"u","userType":"Intern"}`, `{"userName":"u","userType":"Employee"}`},
		{`schemas eq "` + enterprise + `"`, `{"userName":"u","` + enterprise + `":{"costCenter":"1"}}`, `{"userName":"u"}`},
		{`userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")`,
			employee(`{"value":"a@example.org"}`), employee(`{"value":"a@example.net"}`)},
		{`userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org")`,
			`{"userName":"u"}`, `{"userName":"u","userType":"Intern","emails":[{"value":"a@example.com"}]}`},
		{`userType eq "Employee" and (emails.type eq "work")`, employee(`{"value":"a","type":"Work"}`), employee(`{"value":"work"}`)},
		{`userType eq "Employee" and emails[type eq "work" and value co "@example.com"]`,
			employee(`{"value":"a@example.com","type":"work"}`), employee(`{"value":"a@example.com","type":"home"},{"value":"b","type":"work"}`)},
		{`emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]`,
			`{"userName":"u","ims":[{"type":"xmpp","value":"a@foo.com"}]}`, `{"userName":"u","ims":[{"type":"aim","value":"a@foo.com"}]}`},
		{`(meta.resourceType eq User) or (meta.resourceType eq Group)`,
			`{"userName":"u","meta":{"resourceType":"User"}}`, `{"userName":"u","meta":{"resourceType":"Device"}}`},
		{`displayName sw "smith"`, `{"userName":"u","displayName":"Smith, James"}`, `{"userName":"u","displayName":"James Smith"}`},
		{`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber eq "701984"`,
			`{"userName":"u","` + enterprise + `":{"employeeNumber":"701984"}}`, `{"userName":"u","externalId":"701984"}`},
	} {
		for body, want := range map[string]bool{c.match: true, c.noMatch: false} {
			if got, err := match(t, c.filter, decodeWithServerAttributes(t, body)); err != nil || got != want {
				t.Errorf("%s: got %v %v for %s, want %v", c.filter, got, err, body, want)
			}
		}
	}
}

// decodeWithServerAttributes decodes a user and adds schemas, and meta from the body.
func decodeWithServerAttributes(t *testing.T, body string) Object {
	t.Helper()
	o, err := user().Decode([]byte(body), nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := ParseObject([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	o["schemas"] = user().SchemaURNs(o)
	if raw["meta"] != nil {
		o["meta"] = raw["meta"]
	}
	return o
}

// The example paths of RFC 7644 §3.5.2 and §3.10 name attributes. The exception is the path with the sub-attribute
// displayName, which members do not have.
func TestResolveFollowsExamplePaths(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`members`:                   "members",
		`name.familyName`:           "name.familyName",
		`addresses[type eq "work"]`: "addresses",
		`members[value eq "2819c223-7f76-453a-919d-413861904646"]`:             "members",
		`members[value eq "2819c223-7f76-453a-919d-413861904646"].displayName`: "",
		`emails[type eq "work" and value ew "example.com"]`:                    "emails",
		`addresses[type eq "work"].streetAddress`:                              "addresses.streetAddress",
		`urn:ietf:params:scim:schemas:core:2.0:User:name.familyName`:           "name.familyName",
		`userName`:                     "userName",
		enterprise + `:employeeNumber`: enterprise + ":employeeNumber",
		enterprise:                     enterprise,
	} {
		p, err := filter.ParsePath(text, nil)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := ""
		for _, rt := range []*ResourceType{user(), group()} {
			if r, ok := rt.Resolve(p.Attr); ok {
				got = r.String()
			}
		}
		if got != want {
			t.Errorf("%s names %q, want %q", text, got, want)
		}
	}
}

// The standard resource types are those of RFC 7643 §8.6, except that the extension is not required, so that a client
// can create a user without it.
func TestStandardTypesFollowRFC7643(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"User": `{"id":"User","name":"User","description":"User Account","endpoint":"/Users","schema":"urn:ietf:params:scim:schemas:core:2.0:User",` +
			`"schemaExtensions":[{"schema":"` + enterprise + `","required":false}]}`,
		"Group": `{"id":"Group","name":"Group","description":"Group","endpoint":"/Groups","schema":"urn:ietf:params:scim:schemas:core:2.0:Group",` +
			`"schemaExtensions":[]}`,
	} {
		if got := text(StandardTypes().ByName(name)); got != want {
			t.Errorf("%s is\n     %s\nwant %s", name, got, want)
		}
	}
}

// testType returns a resource type that has an attribute of every data type.
func loadTestType(t *testing.T) *ResourceType {
	t.Helper()
	types, err := Open([]string{"../server/testdata/types"}, os.DirFS)
	if err != nil {
		t.Fatal(err)
	}
	return types.ByName("TestResource")
}
