package scim

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"serverless-scim/internal/filter"
)

// loadBadge returns a resource type whose title and emails have other types and sub-attributes than those of User.
func loadBadge(t *testing.T) *ResourceType {
	t.Helper()
	types, err := Load(fstest.MapFS{
		"common.json": {Data: []byte(`{"attributes":[{"name":"id","caseExact":true}]}`)},
		"badge.json": {Data: []byte(`{"id":"urn:example:Badge","name":"Badge","attributes":[{"name":"number"},{"name":"title","type":"integer"},
			{"name":"emails","type":"complex","multiValued":true,"subAttributes":[{"name":"value"},{"name":"seal"}]},{"name":"password","returned":"never"}]}`)},
		"resource_types.json": {Data: []byte(`[{"id":"Badge","name":"Badge","endpoint":"/Badges","schema":"urn:example:Badge","storage":{"letter":"b","name":"number"}}]`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return types.ByName("Badge")
}

// RFC 7644 §3.4.2.1: in a query of several types, an attribute that a type does not have counts as an attribute without
// a value.
func TestSpecializeFilterRemovesConstantComparisons(t *testing.T) {
	t.Parallel()
	types := []*ResourceType{user(), loadBadge(t)}
	for text, want := range map[string][2]string{
		`id eq "x"`:                               {`id eq "x"`, `id eq "x"`},
		`userName eq "a"`:                         {`userName eq "a"`, `none`},
		`number eq "1"`:                           {`none`, `number eq "1"`},
		`userName pr`:                             {`userName pr`, `none`},
		`userName ne "a"`:                         {`userName ne "a"`, `all`},
		`userName gt "a"`:                         {`userName gt "a"`, `none`},
		`userName eq null`:                        {`userName eq null`, `all`},
		`userName ne null`:                        {`userName ne null`, `none`},
		`not (userName eq "a")`:                   {`not (userName eq "a")`, `all`},
		`not (userName ne "a")`:                   {`not (userName ne "a")`, `none`},
		`userName eq "a" or number eq "1"`:        {`userName eq "a"`, `number eq "1"`},
		`userName eq "a" and number eq "1"`:       {`none`, `none`},
		`userName ne "a" or number ne "1"`:        {`all`, `all`},
		`userName ne "a" and number ne "1"`:       {`userName ne "a"`, `number ne "1"`},
		`userName pr and id pr or number pr`:      {`userName pr and id pr`, `number pr`},
		`(id pr or userName ne "a") and id pr`:    {`(id pr or userName ne "a") and id pr`, `id pr`},
		`department eq "x" or number pr`:          {`department eq "x"`, `number pr`},
		`urn:example:Badge:title eq 1`:            {`none`, `urn:example:Badge:title eq 1`},
		`title eq 1`:                              {`none`, `title eq 1`}, // a string in User
		`title ne "x"`:                            {`title ne "x"`, `all`},
		`title pr`:                                {`title pr`, `title pr`},
		`emails.seal eq "x"`:                      {`none`, `emails.seal eq "x"`},
		`ims[value eq "x"]`:                       {`ims[value eq "x"]`, `none`},
		`not (ims[value eq "x"])`:                 {`not (ims[value eq "x"])`, `all`},
		`emails[value eq "x"]`:                    {`emails[value eq "x"]`, `emails[value eq "x"]`},
		`emails[value eq "x" and type eq "work"]`: {`emails[value eq "x" and type eq "work"]`, `none`},
		`emails[seal eq "x" or type eq "work"]`:   {`emails[type eq "work"]`, `emails[seal eq "x"]`},
		`emails[value pr and type ne "work"]`:     {`emails[value pr and type ne "work"]`, `emails[value pr]`},
		`emails[not (type pr)]`:                   {`emails[not (type pr)]`, `emails pr`},
	} {
		f, err := filter.Parse(text, nil)
		if err != nil {
			t.Fatal(text, err)
		}
		for i, rt := range types {
			part, all, err := rt.SpecializeFilter(f, types, nil)
			got := map[bool]string{true: "all", false: "none"}[all]
			if part != nil {
				got = part.String()
			}
			if err != nil || got != want[i] {
				t.Errorf("%s for %s: got %s %v, want %s", text, rt.Name, got, err, want[i])
			}
		}
	}
}

// A comparison that is valid for no type is an error, wherever it is in the filter. The detail is that of a type that
// has the attribute.
func TestSpecializeFilterRejects(t *testing.T) {
	t.Parallel()
	types := []*ResourceType{loadBadge(t), user()}
	for text, detail := range map[string]string{
		`shoeSize eq 9`:                   "unknown attribute",
		`userName pr or shoeSize eq 9`:    "shoeSize",
		`number pr and userName eq 5`:     "cannot be compared",
		`active gt true`:                  "cannot be compared",
		`title eq true`:                   "cannot be compared",
		`name eq "x"`:                     "sub-attributes",
		`password eq "x"`:                 "cannot use the attribute password",
		`ims[shoe pr]`:                    "unknown attribute",
		`emails[type pr or shoe pr]`:      "shoe",
		`active[value eq 5]`:              "cannot be compared",
		`urn:x:userName eq "a"`:           "unknown attribute",
		`userName pr or password[x eq 1]`: "cannot use the attribute password",
	} {
		f, err := filter.Parse(text, nil)
		if err != nil {
			t.Fatal(text, err)
		}
		for _, rt := range types {
			_, _, err := rt.SpecializeFilter(f, types, nil)
			if e, _ := err.(*Error); e == nil || e.Type != InvalidFilter || !strings.Contains(e.Detail, detail) {
				t.Errorf("%s for %s: got %v, want invalidFilter with %q", text, rt.Name, err, detail)
			}
		}
	}
}

// RFC 7644 §3.4.2.3: resources without a sort value are last. The resources of a type that does not have the attribute,
// or has it with another data type, have no sort value.
func TestSorterComparesSeveralTypes(t *testing.T) {
	t.Parallel()
	b := loadBadge(t)
	u, badge := Object{"userName": "ada", "title": "x"}, Object{"number": "1", "title": json.Number("9")}
	for by, want := range map[string]string{"userName": "user", "number": "badge", "title": "user", "name.givenName": "neither"} {
		a, _ := filter.ParseAttr(by, nil)
		userSorter, err := user().Sorter(a, false, nil, user(), b)
		badgeSorter, err2 := b.Sorter(a, false, nil, user(), b)
		got := map[int]string{-1: "user", 0: "neither", 1: "badge"}[badgeSorter.Compare(userSorter.SortValue(u), badgeSorter.SortValue(badge))]
		if err != nil || err2 != nil || got != want {
			t.Errorf("sorted by %s: %s is first, want %s; %v %v", by, got, want, err, err2)
		}
	}
	for by, detail := range map[string]string{"shoeSize": "unknown attribute", "name": "cannot be sorted", "password": "cannot be sorted"} {
		a, _ := filter.ParseAttr(by, nil)
		for _, rt := range []*ResourceType{user(), b} {
			_, err := rt.Sorter(a, false, nil, user(), b)
			if e, _ := err.(*Error); e == nil || e.Type != InvalidPath || !strings.Contains(e.Detail, detail) {
				t.Errorf("sorted by %s: got %v, want invalidPath with %q", by, err, detail)
			}
		}
	}
}
