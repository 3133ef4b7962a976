package scim

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"serverless-scim/internal/filter"
)

// badge is a resource type that has a title and e-mail addresses as users do, but not the same ones.
func badge(t *testing.T) *ResourceType {
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

// RFC 7644 §3.4.2.1: where several types are queried at once, what one of them does not have is without a value in it.
func TestPartOfAFilter(t *testing.T) {
	t.Parallel()
	types := []*ResourceType{user(), badge(t)}
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
		`title eq 1`:                              {`none`, `title eq 1`}, // a user's is a string
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
		f, err := filter.Parse(text)
		if err != nil {
			t.Fatal(text, err)
		}
		for i, rt := range types {
			part, all, err := rt.SpecializeFilter(f, types)
			got := map[bool]string{true: "all", false: "none"}[all]
			if part != nil {
				got = part.String()
			}
			if err != nil || got != want[i] {
				t.Errorf("%s asks of a %s: %s %v, want %s", text, rt.Name, got, err, want[i])
			}
		}
	}
}

// What makes sense for no type is refused, whatever else the filter says, and the detail is that of one that has the name.
func TestPartRefuses(t *testing.T) {
	t.Parallel()
	types := []*ResourceType{badge(t), user()}
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
		f, err := filter.Parse(text)
		if err != nil {
			t.Fatal(text, err)
		}
		for _, rt := range types {
			_, _, err := rt.SpecializeFilter(f, types)
			if e, _ := err.(*Error); e == nil || e.Type != InvalidFilter || !strings.Contains(e.Detail, detail) {
				t.Errorf("%s of a %s: %v, want invalidFilter with %q", text, rt.Name, err, detail)
			}
		}
	}
}

// RFC 7644 §3.4.2.3: what has no value is sorted last; that goes for types without the attribute, or with another of its name.
func TestSortOfSeveralTypes(t *testing.T) {
	t.Parallel()
	b := badge(t)
	ada, one := Object{"userName": "ada", "title": "x"}, Object{"number": "1", "title": json.Number("9")}
	for by, want := range map[string]string{"userName": "user", "number": "badge", "title": "user", "name.givenName": "neither"} {
		a, _ := filter.ParseAttr(by)
		of, err := user().Sorter(a, false, user(), b)
		among, err2 := b.Sorter(a, false, user(), b)
		got := map[int]string{-1: "user", 0: "neither", 1: "badge"}[among.Compare(of.SortValue(ada), among.SortValue(one))]
		if err != nil || err2 != nil || got != want {
			t.Errorf("by %s: %s is first, want %s; %v %v", by, got, want, err, err2)
		}
	}
	for by, detail := range map[string]string{"shoeSize": "unknown attribute", "name": "cannot be sorted", "password": "cannot be sorted"} {
		a, _ := filter.ParseAttr(by)
		for _, rt := range []*ResourceType{user(), b} {
			_, err := rt.Sorter(a, false, user(), b)
			if e, _ := err.(*Error); e == nil || e.Type != InvalidPath || !strings.Contains(e.Detail, detail) {
				t.Errorf("by %s: %v, want invalidPath with %q", by, err, detail)
			}
		}
	}
}
