package scim

import (
	"testing"

	"pgregory.net/rapid"
)

func TestByIDReturnsTheTypeOfAnID(t *testing.T) {
	t.Parallel()
	types := StandardTypes()
	for _, rt := range types.ResourceTypes {
		rapid.Check(t, func(r *rapid.T) {
			id := rt.NewID([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(r, "random")))
			if types.ByID(id) != rt || len(id) != 27 {
				t.Fatalf("%q is not an ID of a %s", id, rt.Name)
			}
		})
	}
	for _, invalid := range []string{"", "u", "U0000000000000000000000000A", "u0000000000000000000000000#", "x0000000000000000000000000a",
		"u0000000000000000000000000", "u0000000000000000000000000aa", "u0000000000000000000000000w", "uu000000000000000000000000é"} {
		if types.ByID(invalid) != nil {
			t.Errorf("%q must not be an ID", invalid)
		}
	}
}
