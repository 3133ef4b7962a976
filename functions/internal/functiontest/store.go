package functiontest

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"

	"serverless-scim/internal/table/dynamo"
)

// NewDynamoTable creates a table at the first DynamoDB endpoint of the environment variable SCIM_TEST_DYNAMODB. It
// returns the table, the endpoint, and the table's name. Without an endpoint it skips the test or benchmark.
func NewDynamoTable(t testing.TB) (tab *dynamo.Table, endpoint, name string) {
	const variable = "SCIM_TEST_DYNAMODB"
	endpoint, _, _ = strings.Cut(os.Getenv(variable), ",")
	if endpoint == "" {
		t.Skip("set " + variable + " to the URL of a DynamoDB endpoint")
	}
	name = "function-" + rand.Text()
	tab = dynamo.New(dynamo.NewClient(dynamo.ClientConfig{Endpoint: endpoint}), name)
	if err := tab.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	return tab, endpoint, name
}
