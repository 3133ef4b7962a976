package streams_test

import (
	"crypto/rand"
	"testing"

	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/dynamo"
	"serverless-scim/internal/table/dynamo/streams"
	"serverless-scim/internal/table/tabletest"
)

// The streams of emulators must behave as the contract says.
func TestContract(t *testing.T) {
	t.Parallel()
	if len(directorytest.Endpoints()) == 0 {
		t.Skipf("set %s to the address of a DynamoDB emulator", directorytest.EndpointsVariable)
	}
	for _, endpoint := range directorytest.Endpoints() {
		t.Run(endpoint, func(t *testing.T) {
			t.Parallel()
			tabletest.RunStream(t, func(t *testing.T) (table.Table, table.Stream) {
				c := dynamo.ClientConfig{Endpoint: endpoint}
				name := "stream-" + rand.Text()
				d := dynamo.New(dynamo.NewClient(c), name, func(o *dynamo.Options) { o.Stream = true })
				if err := d.Create(t.Context()); err != nil {
					t.Fatal(err)
				}
				return d, streams.New(c, name)
			})
		})
	}
}
