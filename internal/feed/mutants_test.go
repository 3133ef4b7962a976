package feed_test

import (
	"flag"
	"testing"

	"serverless-scim/internal/table/tabletest"
)

var (
	allMutants  = flag.Bool("mutants", false, "run the simulation with all mutants instead of three")
	mutantSeeds = flag.Int("mutantseeds", 200_000, "number of schedules in which a mutant must be found")
)

// TestMutants checks that the simulation finds faults in the code.
func TestMutants(t *testing.T) {
	t.Parallel()
	tabletest.RunMutants(t, tabletest.Mutants{
		Package: "internal/feed", All: *allMutants, Seeds: *mutantSeeds,
		Quick: []string{"append-unconditional", "groups-version-ignored", "list-before-end"},
	})
}
