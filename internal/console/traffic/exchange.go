package traffic

import (
	"net/http"
	"sync"
	"time"

	"serverless-scim/internal/leniency"
	"serverless-scim/internal/table"
)

// An Exchange is one request to the SCIM server and its response, without tokens and passwords. It does not change after
// it was added to the list.
type Exchange struct {
	ID       int // from 1, in the order of arrival
	Begin    time.Time
	Duration time.Duration
	Tenant   string // "" if the token is not valid
	Client   string // name of the identity provider or tool: see RecognizeClient

	Method  string
	Path    string // from the endpoint on, such as /Users/u06…
	Query   string // raw query string
	Header  http.Header
	Body    Body
	Host    string
	Status  int
	Reply   http.Header // header of the response
	Content Body        // of the response

	Fault     string          // what a fault did instead; "": none
	RequestID string          // in the log, and in the changes that the request led to
	Rules     []leniency.Rule // leniency rules that were applied
	Log       []LogLine       // lines of the log
	Items     []ItemChange    // items that the request wrote, in order
	Cost      Cost

	described sync.Once
	sentence  string
}

// Sentence returns what Describe returns. The first call computes it, because most exchanges are never shown.
func (e *Exchange) Sentence() string {
	e.described.Do(func() { e.sentence = Describe(e) })
	return e.sentence
}

// A Body is the body of a request or a response. Text is its beginning.
type Body struct {
	Text string
	Size int // of the whole body, which may be more than Text has
}

// A LogLine is a line of the log.
type LogLine struct {
	Level, Message string
	Attributes     []Attribute
}

// An Attribute is an attribute of a log line.
type Attribute struct{ Name, Value string }

// An ItemChange has an item before and after a write of a request. nil: it does not exist.
type ItemChange struct {
	Key         table.Key
	Old, New    table.Item
	Transaction int // number of the transaction within the exchange, from 1
}

// A Cost says what the table calls of a request cost.
type Cost struct {
	Calls, RoundTrips     int
	ReadUnits, WriteUnits float64
}
