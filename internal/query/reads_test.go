package query

import (
	"fmt"
	"testing"

	"serverless-scim/internal/scim"
)

// A filter that names single members reads their edge items. It does not read the whole member list.
func TestReadsForFilter(t *testing.T) {
	t.Parallel()
	rt := scim.StandardTypes().ByName("Group")
	for text, want := range map[string]filterReads{
		`displayName eq "x"`:                             {},
		`members eq "u1"`:                                {memberIDs: []string{"u1"}},
		`members.value ne "u1"`:                          {memberIDs: []string{"u1"}},
		`members[value eq "u1"]`:                         {memberIDs: []string{"u1"}},
		`not (members eq "u2") or members.value eq "u1"`: {memberIDs: []string{"u1", "u2"}},
		`members pr`:                                     {allMembers: true},
		`members.value sw "u"`:                           {allMembers: true},
		`members.type eq "User"`:                         {allMembers: true},
		`members.display eq "x"`:                         {allMembers: true, displayNames: true},
		`members[value ne "u1"]`:                         {allMembers: true},
		`members[value eq "u1" and type eq "User"]`:      {memberIDs: []string{"u1"}},
		`members[display eq "x" and VALUE eq "u1"]`:      {memberIDs: []string{"u1"}, displayNames: true},
		`members[value eq "u1" or (type eq "Group" and value eq "g1")]`: {memberIDs: []string{"u1", "g1"}},
		`members[value eq "u1" or type eq "Group"]`:                     {allMembers: true},
		`members[not (value eq "u1")]`:                                  {allMembers: true},
	} {
		if got := readsForFilter(rt, parse(t, text)); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s reads %v, want %v", text, got, want)
		}
	}
}
