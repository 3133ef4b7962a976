package directorytest

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/table/dynamo"
	"serverless-scim/internal/table/tabletest"
)

// EndpointsVariable is the environment variable with the addresses of DynamoDB emulators, separated by commas.
const EndpointsVariable = "SCIM_TEST_DYNAMODB"

// Endpoints returns the addresses of the DynamoDB emulators that tests use.
func Endpoints() []string {
	return strings.FieldsFunc(os.Getenv(EndpointsVariable), func(r rune) bool { return r == ',' })
}

// OnEach runs a test on an embedded table, on a table with partial visibility, and on a table of each DynamoDB
// emulator.
func OnEach(t *testing.T, test func(*testing.T, table.Table)) {
	t.Parallel()
	t.Run("bolt", func(t *testing.T) {
		t.Parallel()
		test(t, NewTable(t))
	})
	t.Run("partial", func(t *testing.T) { // plain reads observe part of a transaction, as on DynamoDB
		t.Parallel()
		test(t, &tabletest.PartialVisibility{Table: NewTable(t)})
	})
	if len(Endpoints()) == 0 {
		t.Run("dynamo", func(t *testing.T) { t.Skipf("set %s to the address of a DynamoDB emulator", EndpointsVariable) })
	}
	for _, endpoint := range Endpoints() {
		t.Run(endpoint, func(t *testing.T) {
			t.Parallel()
			test(t, NewDynamoTable(t, endpoint))
		})
	}
}

// NewTable returns an embedded table in memory, which is closed when the test ends.
func NewTable(t testing.TB) table.Table {
	t.Helper()
	b, err := bolt.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// NewDynamoTable creates a table with a random name in a DynamoDB emulator.
func NewDynamoTable(t testing.TB, endpoint string) table.Table {
	t.Helper()
	d := dynamo.New(dynamo.NewClient(dynamo.ClientConfig{Endpoint: endpoint}), "directory-"+rand.Text())
	if err := d.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

// Slow returns a table that waits before each call. Calls that can overlap then do, and Usage.RoundTrips is exact.
func Slow(tab table.Table, delay time.Duration) table.Table {
	return tabletest.Faults{Table: tab, Before: func(tabletest.Call) error {
		time.Sleep(delay)
		return nil
	}}
}
