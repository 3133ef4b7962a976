package table

import (
	"math"
	"testing"
)

func TestDollarsIsThePriceOfTheRequestUnits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		u    Usage
		want float64
	}{
		"nothing":               {Usage{}, 0},
		"a million reads":       {Usage{ReadUnits: 1e6}, 0.125},
		"a million writes":      {Usage{WriteUnits: 1e6}, 0.625},
		"read of a user by ID":  {Usage{ReadUnits: 1}, 0.000000125},
		"PATCH of a user":       {Usage{ReadUnits: 1, WriteUnits: 2}, 0.000001375},
		"half a unit":           {Usage{ReadUnits: 0.5}, 0.0000000625},
		"calls, items, retries": {Usage{Calls: 9, RoundTrips: 9, ItemsRead: 9, ItemsWritten: 9, Retries: 9}, 0},
	} {
		if got := c.u.Dollars(); math.Abs(got-c.want) > 1e-15 {
			t.Errorf("%s: $%.10f, want $%.10f", name, got, c.want)
		}
	}
}
