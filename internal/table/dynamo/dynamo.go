// Package dynamo is a table on Amazon DynamoDB, and the only package that imports its client. It reads strongly
// consistently, writes in transactions alone, and retries what is transient itself: the SDK's own retries, which leave
// out conflicts and do not know the caller's deadline well, are taken out of each call. With them goes the SDK's
// correction of a wrong clock: the machine's must be right to a few minutes, or AWS refuses every signature.
package dynamo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"serverless-scim/internal/table"
)

// Options are how a Table tries again.
type Options struct {
	Timeout  time.Duration // of one attempt; 3 s
	Attempts int           // at most, where the context has no deadline; 10
	Backoff  table.Backoff // between attempts
}

// Table is a table.Table on a DynamoDB table whose keys are the strings PK and SK.
type Table struct {
	Options
	client *dynamodb.Client
	name   string
}

// New returns the table of that name. It makes no call.
func New(client *dynamodb.Client, name string, options ...func(*Options)) *Table {
	t := &Table{client: client, name: name, Options: Options{Timeout: 3 * time.Second, Attempts: 10}}
	for _, set := range options {
		set(&t.Options)
	}
	return t
}

// ClientConfig is where and as whom to call.
type ClientConfig struct {
	Region       string
	AccessKey    string
	SecretKey    string
	SessionToken string
	Endpoint     string // an emulator's address, which takes any region and keys; empty: AWS
}

// NewClient returns a client for an account. Nothing of it, and no proxy, comes from the environment or from files.
func NewClient(a ClientConfig) *dynamodb.Client {
	direct := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.Proxy = nil })
	options := dynamodb.Options{Region: a.Region, HTTPClient: direct}
	if a.Endpoint != "" {
		options.BaseEndpoint = aws.String(a.Endpoint)
		if a.Region == "" {
			options.Region = "us-east-1"
		}
		if a.AccessKey == "" {
			a.AccessKey, a.SecretKey = "local", "local"
		}
	}
	options.Credentials = credentials.NewStaticCredentialsProvider(a.AccessKey, a.SecretKey, a.SessionToken)
	return dynamodb.New(options)
}

// tooLargePattern is how DynamoDB speaks of an item over 400 KB or a transaction over 4 MB. It has no code of their own.
var tooLargePattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)(item|transaction|request|payload).*\b(size|large|[0-9]+ ?[km]b)\b`)
})

// translateError is what an error of the client means to the caller of a Table.
func (t *Table) translateError(err error) error {
	var busy *table.TransientError
	var missing *types.ResourceNotFoundException
	var api smithy.APIError
	switch {
	case errors.As(err, &busy):
		return busy
	case errors.As(err, &missing):
		return fmt.Errorf("dynamo: there is no table %q: %w", t.name, err)
	case errors.As(err, &api) && api.ErrorCode() == "ValidationException":
		return validationError(api.ErrorMessage())
	default:
		return fmt.Errorf("dynamo: %w", err)
	}
}

func validationError(message string) error {
	if tooLargePattern().MatchString(message) {
		return &table.TooLargeError{Reason: message}
	}
	return &table.InvalidError{Reason: message}
}

func charge(ctx context.Context, read, write float64, consumed ...types.ConsumedCapacity) {
	for _, c := range consumed {
		units := aws.ToFloat64(c.CapacityUnits)
		table.AddConsumedCapacity(ctx, read*units, write*units)
	}
}

func chargeOne(ctx context.Context, consumed *types.ConsumedCapacity) {
	if consumed != nil {
		charge(ctx, 1, 0, *consumed)
	}
}

func keyItem(k table.Key) map[string]types.AttributeValue {
	return table.Item{"PK": table.S(k.PK), "SK": table.S(k.SK)}
}

// sortedItem is a whole item of an answer, nil where there is none.
func sortedItem(it table.Item) table.Item {
	if len(it) == 0 {
		return nil
	}
	return sortSets(it)
}

// sortSets is an item with its sets in order: DynamoDB brings their elements in any. It may be empty, but not nil: of an
// item that is there, none of the attributes asked for may be.
func sortSets(it table.Item) table.Item {
	for _, v := range it {
		if set, ok := v.(*types.AttributeValueMemberSS); ok {
			slices.Sort(set.Value)
		}
	}
	return it
}
