package bulkid

import (
	"encoding/json"
	"testing"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
)

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

func TestSubstituterReplacesIDsInFilters(t *testing.T) {
	t.Parallel()
	substitute := func(path string) any {
		operation := scim.Object{"PATH": path}
		Substituter{scim.StandardTypes().ByName("Group"), func(string) string { return "id" }}.inOperation(operation)
		return operation["PATH"]
	}
	for path, want := range map[string]string{
		`members[value eq "bulkId:u"]`:               `members[value eq "id"]`,
		`members[not (VALUE eq "bulkId:u")].display`: `members[not (VALUE eq "id")].display`,
		`members[$ref eq "../Users/bulkId:u"]`:       `members[$ref eq "../Users/id"]`,
		`members[display eq "bulkId:u" and (value eq "bulkId:u" or (not (value pr and display ne "bulkId:u")))]`: `members[display eq "bulkId:u" and (value eq "id" or (not (value pr and display ne "bulkId:u")))]`,
		`members[value eq "bulkId:u"`:    `members[value eq "bulkId:u"`,
		`members[value eq "x bulkId:u"]`: `members[value eq "x bulkId:u"]`,
		`friends[value eq "bulkId:u"]`:   `friends[value eq "bulkId:u"]`,
		`bulkId`:                         `bulkId`,
	} {
		if p, err := filter.ParsePath(want, nil); err == nil {
			want = p.String()
		}
		if got := substitute(path); got != want {
			t.Errorf("%s becomes %s, want %s", path, got, want)
		}
	}
}

// All attributes without references stay in the resource, because they can be required.
func TestDeferMovesOnlyReferences(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct{ body, deferred, rest string }{
		"User": {`{"userName":"u","title":"bulkId:u","` + enterprise + `":{"manager":{"value":"bulkId:u","displayName":"x"},"division":"bulkId:u"}}`,
			`{"` + enterprise + `":{"manager":{"displayName":"x","value":"bulkId:u"}}}`,
			`{"title":"bulkId:u","` + enterprise + `":{"division":"bulkId:u"},"userName":"u"}`},
		"Group": {`{"displayName":"bulkId:u","members":[{"value":"x"},{"value":"bulkId:v"},{"$ref":"../Groups/bulkId:w","value":"w"},7]}`,
			`{"members":[{"value":"bulkId:v"},{"$ref":"../Groups/bulkId:w","value":"w"}]}`,
			`{"displayName":"bulkId:u","members":[{"value":"x"},7]}`},
	} {
		o, err := scim.ParseObject([]byte(x.body))
		if err != nil {
			t.Fatal(err)
		}
		deferred, _ := json.Marshal(Defer(scim.StandardTypes().ByName(name), "", o))
		rest, _ := json.Marshal(o)
		if string(deferred) != x.deferred || string(rest) != x.rest {
			t.Errorf("deferred %s, kept %s", deferred, rest)
		}
	}
}
