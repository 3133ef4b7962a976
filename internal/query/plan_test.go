package query

import (
	"strings"
	"testing"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
)

const aUser, aGroup = "u00000000000000000000000000", "g00000000000000000000000000" // valid IDs

// newTestEngine returns an engine without a table. It can plan, but not read.
func newTestEngine() *Engine {
	return New(Config{}, store.New(store.Config{Types: scim.StandardTypes()}, "t"), "https://scim.example.com")
}

// parse parses a filter. It returns nil for the empty text.
func parse(t *testing.T, text string) filter.Expr {
	t.Helper()
	if text == "" {
		return nil
	}
	f, err := filter.Parse(text, nil)
	if err != nil {
		t.Fatal(text, err)
	}
	return f
}

// A plan reads a key or an index whose candidates include all matches. Only a filter without such a key or index reads all
// resources of the type.
func TestPlansOfFilters(t *testing.T) {
	t.Parallel()
	e := newTestEngine()
	for text, want := range map[string]string{
		"User ":                       `everyone`,
		`User id eq "` + aUser + `"`:  `id "` + aUser + `"`,
		`User id eq "` + aGroup + `"`: `nobody`,
		`User id eq "../@"`:           `nobody`,
		`User userName eq "ADA"`:      `userName "ada"`,
		`User urn:ietf:params:scim:schemas:core:2.0:User:userName eq "ADA"`: `userName "ada"`,
		`User userName sw "AD"`:                                                                 `userName "ad"…`,
		`User userName sw ""`:                                                                   `everyone, tested`,
		`User userName eq "` + strings.Repeat("x", 901) + `"`:                                   `nobody, tested`,
		`User userName sw "` + strings.Repeat("x", 901) + `"`:                                   `nobody, tested`,
		`User userName ne "` + strings.Repeat("x", 901) + `"`:                                   `everyone, tested`,
		`User userName lt "` + strings.Repeat("z", 901) + `"`:                                   `everyone, tested`,
		`User userName eq "` + strings.Repeat("ｘ", 900) + `"`:                                   `userName "` + strings.Repeat("x", 900) + `"`,
		`User userName co "ad"`:                                                                 `everyone, tested`,
		`User userName ne "ad"`:                                                                 `everyone, tested`,
		`User not (userName eq "ad")`:                                                           `everyone, tested`,
		`User externalId eq "X"`:                                                                `externalId "X"`,
		`User externalId sw "X"`:                                                                `everyone, tested`,
		`User emails eq "A@x"`:                                                                  `emails "a@x"`,
		`User emails.value eq "A@x"`:                                                            `emails "a@x"`,
		`User emails.type eq "work"`:                                                            `everyone, tested`,
		`User emails[type eq "work" and value eq "A@x"]`:                                        `emails "a@x", tested`,
		`User emails[type eq "work"].value eq "A@x"`:                                            `emails "a@x", tested`, // Entra ID
		`User emails[value eq "A@x"].type pr`:                                                   `emails "a@x", tested`,
		`User emails[value eq "a" or value eq "b"].type eq "work"`:                              `emails "a" or emails "b", tested`,
		`User emails[type eq "work"].value co "A@x"`:                                            `everyone, tested`,
		`User emails[value eq "a" or value eq "b"]`:                                             `emails "a" or emails "b", tested`,
		`User emails[type eq "work" or value eq "b"]`:                                           `everyone, tested`,
		`User groups.value eq "` + aGroup + `"`:                                                 `members of "` + aGroup + `"`,
		`User groups eq "` + aGroup + `"`:                                                       `members of "` + aGroup + `"`,
		`User groups[value eq "` + aGroup + `"]`:                                                `members of "` + aGroup + `", tested`,
		`User groups.value eq "` + aUser + `"`:                                                  `nobody`,
		`User groups.display eq "g"`:                                                            `everyone, tested`,
		`User title eq "x" and userName eq "a"`:                                                 `userName "a", tested`,
		`User userName eq "a" and title eq "x"`:                                                 `userName "a", tested`,
		`User externalId eq "x" and userName eq "a"`:                                            `userName "a", tested`,
		`User userName sw "a" and externalId eq "x"`:                                            `externalId "x", tested`,
		`User groups.value eq "` + aGroup + `" and userName sw "a"`:                             `userName "a"…, tested`,
		`User groups.value eq "` + aGroup + `" and active eq true`:                              `members of "` + aGroup + `", tested`,
		`User userName eq "a" or externalId eq "x"`:                                             `userName "a" or externalId "x"`,
		`User externalId eq "x" or emails eq "a" or externalId eq "x"`:                          `externalId "x" or emails "a"`,
		`User userName sw "b" or (userName sw "a" or userName sw "c")`:                          `userName "b"… or userName "a"… or userName "c"…`,
		`User userName sw "b" or externalId eq "x" or id eq "" or userName sw "a"`:              `externalId "x" or nobody or userName "b"… or userName "a"…, tested`,
		`User userName eq "a" or title eq "x"`:                                                  `everyone, tested`,
		`User (userName eq "a" or title eq "x") and externalId eq "y"`:                          `externalId "y", tested`,
		`User name.familyName eq "x"`:                                                           `everyone, tested`,
		`User title pr`:                                                                         `everyone, tested`,
		`User urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber eq "1"`: `everyone, tested`,
		`Group displayName eq "G"`:                                                              `displayName "g"`,
		`Group displayName sw "G"`:                                                              `displayName "g"…`,
		`Group members.value eq "` + aUser + `"`:                                                `groups of "` + aUser + `"`,
		`Group members eq "` + aUser + `"`:                                                      `groups of "` + aUser + `"`,
		`Group members[value eq "` + aUser + `"]`:                                               `groups of "` + aUser + `", tested`,
		`Group members[type eq "User"].value eq "` + aUser + `"`:                                `groups of "` + aUser + `", tested`,
		`Group members.value ne "` + aUser + `"`:                                                `everyone, tested`,
		`Group members pr`:                                                                      `everyone, tested`,
		`Group id eq "` + aGroup + `" and members eq "` + aUser + `"`:                           `id "` + aGroup + `", tested`, // as Entra ID asks
	} {
		typeName, text, _ := strings.Cut(text, " ")
		if got := e.plan(e.store.Types.ByName(typeName), parse(t, text), nil).String(); got != want {
			t.Errorf("%s filter %.100s: the plan is %.100s, want %s", typeName, text, got, want)
		}
	}
}
