// Package dynamo implements a table.Table on Amazon DynamoDB. It is the only package that imports DynamoDB's client. Every
// read is strongly consistent, and every write is a transaction. Begin with [NewClient] and [New].
//
// The package retries transient errors itself, and removes the SDK's retry middleware from each call. The SDK does not
// retry transaction conflicts, and may sleep past the caller's deadline. The removed middleware also corrects a wrong
// clock: the clock of the machine must be right within a few minutes, or AWS rejects every signature.
package dynamo

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"serverless-scim/internal/table"
)

// Options configure the retries and the creation of a Table.
type Options struct {
	Timeout  time.Duration // timeout of one attempt; New sets 3 s
	Attempts int           // maximum attempts of a call whose context has no deadline; New sets 10
	Backoff  table.Backoff // delay between attempts
	Stream   bool          // Create gives a new table a stream of old and new images
}

// Table is a table.Table on a DynamoDB table whose partition key is the string PK and whose sort key is the string SK.
// It is safe for concurrent use.
type Table struct {
	Options
	client *dynamodb.Client
	name   string
}

// New returns a Table on the DynamoDB table with this name. It makes no call.
func New(client *dynamodb.Client, name string, options ...func(*Options)) *Table {
	t := &Table{client: client, name: name, Options: Options{Timeout: 3 * time.Second, Attempts: 10}}
	for _, set := range options {
		set(&t.Options)
	}
	return t
}

// ClientConfig holds the region, the credentials, and the endpoint of a client.
type ClientConfig struct {
	Region       string
	AccessKey    string
	SecretKey    string
	SessionToken string
	Endpoint     string // URL of an emulator, which accepts any region and keys; empty: AWS
}

// WithDefaults returns the configuration with a region and keys, if it names an emulator and has none.
func (c ClientConfig) WithDefaults() ClientConfig {
	if c.Endpoint == "" {
		return c
	}
	c.Region = cmp.Or(c.Region, "us-east-1")
	if c.AccessKey == "" {
		c.AccessKey, c.SecretKey = "local", "local"
	}
	return c
}

// NewClient returns a client. It does not read configuration or a proxy from environment variables or files.
func NewClient(config ClientConfig) *dynamodb.Client {
	config = config.WithDefaults()
	direct := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.Proxy = nil
		if config.Endpoint == "" {
			t.DialTLSContext = newTLSDialer().DialContext
		}
	})
	options := dynamodb.Options{Region: config.Region, HTTPClient: direct}
	if config.Endpoint != "" {
		options.BaseEndpoint = aws.String(config.Endpoint)
	}
	keys := credentials.NewStaticCredentialsProvider(config.AccessKey, config.SecretKey, config.SessionToken)
	options.Credentials = keys
	return dynamodb.New(options)
}

// returnTotal makes a response report the units that charge counts.
const returnTotal = types.ReturnConsumedCapacityTotal

// charge adds consumed units to the usage of ctx. read and write are their factors, 0 or 1.
func charge(ctx context.Context, read, write float64, consumed ...types.ConsumedCapacity) {
	for _, c := range consumed {
		units := aws.ToFloat64(c.CapacityUnits)
		table.AddConsumedCapacity(ctx, read*units, write*units)
	}
}

// chargeRead adds the read units of one response; consumed may be nil.
func chargeRead(ctx context.Context, consumed *types.ConsumedCapacity) {
	if consumed != nil {
		charge(ctx, 1, 0, *consumed)
	}
}

func keyItem(k table.Key) map[string]types.AttributeValue {
	return table.Item{"PK": table.S(k.PK), "SK": table.S(k.SK)}
}

// sortedItem returns a whole item of a response with its sets sorted. It returns nil if the item does not exist, which
// these responses represent by an empty item.
func sortedItem(it table.Item) table.Item {
	if len(it) == 0 {
		return nil
	}
	return sortSets(it)
}

// sortSets sorts the sets of an item, whose elements DynamoDB returns in any order, and returns the item. An empty item
// is one that has none of the requested attributes.
func sortSets(it table.Item) table.Item {
	for _, v := range it {
		if set, ok := v.(*types.AttributeValueMemberSS); ok {
			slices.Sort(set.Value)
		}
	}
	return it
}
