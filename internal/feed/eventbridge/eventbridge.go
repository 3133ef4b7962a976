// Package eventbridge sends changes to a bus of Amazon EventBridge, one event for each change. It is the only package that
// imports EventBridge's client.
//
// Begin with [New]. [Bus.Send] is a feed.Sink. It sends the changes in their order, but EventBridge delivers events in any
// order. An event that was sent twice has the same changeId both times.
package eventbridge

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// A Config says which bus receives the events, and what an event contains.
type Config struct {
	Name         string // name or ARN of the bus
	Region       string
	AccessKey    string
	SecretKey    string
	SessionToken string
	Endpoint     string // URL of an emulator; empty: AWS

	// Render returns the JSON of a resource for its event. nil: events contain no value of an attribute. An error is logged,
	// and the event is sent without the resource. A transient error, as of table.IsTransient, makes Send return it.
	Render func(ctx context.Context, tenant string, r store.ResourceState) (json.RawMessage, error)

	Log     *slog.Logger
	Timeout time.Duration // of one attempt of a call; 0: 5 s
	Backoff table.Backoff // delay between attempts
}

// A Bus sends events to a bus of EventBridge. It is safe for concurrent use.
type Bus struct {
	Config
	client *eventbridge.Client
}

// New returns a Bus. It makes no call, and it does not read configuration or a proxy from environment variables or files.
func New(c Config) *Bus {
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	direct := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.Proxy = nil })
	keys := credentials.NewStaticCredentialsProvider(c.AccessKey, c.SecretKey, c.SessionToken)
	o := eventbridge.Options{Region: c.Region, HTTPClient: direct, Credentials: keys, Retryer: aws.NopRetryer{}}
	if c.Endpoint != "" {
		o.BaseEndpoint = aws.String(c.Endpoint)
	}
	return &Bus{c, eventbridge.New(o)}
}

// Limits of PutEvents. A call may have 1 MB; the margin allows for the JSON around the entries.
const (
	maxCallEvents = 10
	maxCallBytes  = 950_000
)

// Counts are numbers of events.
type Counts struct {
	Accepted int // by EventBridge
	Rejected int // skipped, because EventBridge does not accept them
}

type counter struct{ accepted, rejected atomic.Int64 }

type counterKey struct{}

// WithCounts returns a context, and a function that returns how many events Send has sent so far with this context. Both
// are safe for concurrent use.
func WithCounts(ctx context.Context) (context.Context, func() Counts) {
	c := &counter{}
	return context.WithValue(ctx, counterKey{}, c), func() Counts {
		return Counts{int(c.accepted.Load()), int(c.rejected.Load())}
	}
}

// counterOf returns the counter of a context, or one that is not read.
func counterOf(ctx context.Context) *counter {
	if c, ok := ctx.Value(counterKey{}).(*counter); ok {
		return c
	}
	return &counter{}
}
