package dynamo

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

const variable = "SCIM_TEST_DYNAMODB"

// runOnEmulators runs a test on each DynamoDB endpoint in the environment variable.
func runOnEmulators(t *testing.T, test func(*testing.T, *dynamodb.Client)) {
	t.Parallel()
	endpoints := os.Getenv(variable)
	if endpoints == "" {
		t.Skip("set " + variable + " to one or more URLs of DynamoDB endpoints, separated by commas")
	}
	for endpoint := range strings.SplitSeq(endpoints, ",") {
		t.Run(path.Base(endpoint), func(t *testing.T) {
			t.Parallel()
			test(t, NewClient(ClientConfig{Endpoint: endpoint}))
		})
	}
}

// newTable creates a table with a random name and deletes it after the test.
func newTable(t *testing.T, client *dynamodb.Client) *Table {
	b := New(client, "test-"+rand.Text())
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := b.Create(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &b.name}); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestContract(t *testing.T) {
	runOnEmulators(t, func(t *testing.T, client *dynamodb.Client) {
		tabletest.Run(t, func(t *testing.T) table.Table { return newTable(t, client) })
	})
}

func TestCreateKeepsExistingTable(t *testing.T) {
	runOnEmulators(t, func(t *testing.T, client *dynamodb.Client) {
		b := newTable(t, client)
		it := table.Item{"PK": table.S("p"), "SK": table.S("s")}
		if err := b.Write(t.Context(), table.Put{Item: it}); err != nil {
			t.Fatal(err)
		}
		if err := b.Create(t.Context()); err != nil {
			t.Fatal(err)
		}
		if items, err := b.Get(t.Context(), nil, it.Key()); err != nil || len(items) != 1 {
			t.Errorf("%d items after a second Create, %v", len(items), err)
		}
		ttl, err := client.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &b.name})
		if err == nil && *ttl.TimeToLiveDescription.AttributeName != "expires" {
			t.Errorf("time to live is %v", ttl.TimeToLiveDescription)
		}
	})
}

func TestClientConfigIsUsedToSign(t *testing.T) {
	t.Parallel()
	var sent http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = r.Header
		io.WriteString(w, `{}`)
	}))
	t.Cleanup(server.Close)
	for want, config := range map[string]ClientConfig{
		"Credential=local/*/us-east-1/":       {},
		"Credential=local/*/eu-west-1/":       {Region: "eu-west-1"},
		"Credential=key/*/us-east-1/":         {AccessKey: "key", SecretKey: "secret"},
		"Credential=key/*/us-east-1/ session": {AccessKey: "key", SecretKey: "secret", SessionToken: "session"},
	} {
		config.Endpoint = server.URL
		if _, err := New(NewClient(config), "t").Get(t.Context(), nil, table.Key{PK: "p", SK: "s"}); err != nil {
			t.Fatal(err)
		}
		scope, session, _ := strings.Cut(want, " ")
		accessKey, region, _ := strings.Cut(scope, "*")
		signed := sent.Get("Authorization")
		sentSession := sent.Get("X-Amz-Security-Token")
		if !strings.Contains(signed, accessKey) || !strings.Contains(signed, region) || sentSession != session {
			t.Errorf("%s, session %q, want %s", signed, sentSession, want)
		}
	}
}

func TestClientOfAWSHasNoDefaults(t *testing.T) {
	t.Parallel()
	o := NewClient(ClientConfig{Region: "eu-west-1"}).Options()
	if keys, err := o.Credentials.Retrieve(t.Context()); err == nil || o.BaseEndpoint != nil || o.Region != "eu-west-1" {
		t.Errorf("keys %v (%v), endpoint %v, region %s", keys, err, o.BaseEndpoint, o.Region)
	}
	if o.HTTPClient.(*awshttp.BuildableClient).GetTransport().Proxy != nil {
		t.Error("the client uses a proxy")
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	b, e := scripted(t, fail(400, "ThrottlingException", ""))
	rand := b.Backoff.Rand
	b = New(b.client, "t")
	b.Backoff.Rand = rand
	if err := write(t.Context(), b); err == nil || len(e.sent()) != 10 || b.Timeout != 3*time.Second {
		t.Errorf("%d attempts of %v, want 10 of 3 s: %v", len(e.sent()), b.Timeout, err)
	}
}

func TestErrorNamesMissingTable(t *testing.T) {
	runOnEmulators(t, func(t *testing.T, client *dynamodb.Client) {
		_, err := New(client, "test-missing").Get(t.Context(), nil, table.Key{PK: "p", SK: "s"})
		if err == nil || !strings.Contains(err.Error(), `no table "test-missing"`) {
			t.Error(err)
		}
	})
}
