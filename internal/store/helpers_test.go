package store_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// unknownID is the well-formed ID of a user that does not exist.
const unknownID = "u0000000000000000000000000a"

// newFixture returns a fixture on an embedded table.
func newFixture(t *testing.T) *directorytest.Fixture {
	return directorytest.New(t, directorytest.NewTable(t))
}

func withContext(ctx context.Context, f *directorytest.Fixture) *directorytest.Fixture {
	g := *f
	g.Ctx = ctx
	return &g
}

func setLimits(f *directorytest.Fixture, l store.Limits) {
	f.Configure(func(c *directory.Config) { c.Store.Limits = l })
}

func setStrictMembers(f *directorytest.Fixture, strict bool) {
	f.Configure(func(c *directory.Config) { c.Store.StrictMembers = strict })
}

// beforeFirst returns a copy of the fixture that calls interfere before its first call of a method that names a
// partition with this suffix.
func beforeFirst(f *directorytest.Fixture, method, partitionSuffix string, interfere func()) *directorytest.Fixture {
	var done atomic.Bool
	return f.Over(tabletest.Faults{Table: f.Config.Store.Table, Before: func(c tabletest.Call) error {
		matches := func(k table.Key) bool { return strings.HasSuffix(k.PK, partitionSuffix) }
		if c.Method == method && slices.ContainsFunc(c.Keys, matches) && !done.Swap(true) {
			interfere()
		}
		return nil
	}})
}

// JSON of PATCH operations on members.

func addMembers(ids ...string) string { return patchMembers("add", ids...) }

func removeMembers(ids ...string) string { return patchMembers("remove", ids...) }

func patchMembers(op string, ids ...string) string {
	return `[{"op":"` + op + `","path":"members","value":` + directorytest.MembersJSON(ids) + `}]`
}
