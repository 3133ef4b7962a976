package functiontest

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"

	"serverless-scim/internal/table/dynamo"
)

// NewDynamoTable makes a table at the DynamoDB endpoint of the environment, the first one, and gives the variables that name it.
// Without an endpoint the test is skipped.
func NewDynamoTable(t *testing.T) (s *dynamo.Table, endpoint, name string) {
	const variable = "SCIM_TEST_DYNAMODB"
	endpoint, _, _ = strings.Cut(os.Getenv(variable), ",")
	if endpoint == "" {
		t.Skip("set " + variable + " to the URL of a DynamoDB endpoint")
	}
	name = "function-" + rand.Text()
	s = dynamo.New(dynamo.NewClient(dynamo.ClientConfig{Endpoint: endpoint}), name)
	if err := s.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, endpoint, name
}
