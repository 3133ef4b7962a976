// Package table is the storage contract: items with a partition key and a sort key, strongly consistent reads, and
// conditional writes that happen wholly or not at all, in DynamoDB's own terms. It knows no SCIM and no tenant, offers
// no index, no eventually consistent read and no expression text, and it retries nothing itself: its drivers do.
package table

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Table is one DynamoDB table, or something that behaves like one. Every read is strongly consistent, but plain reads
// (Get, Query, Scan) may see a transaction in part: what is read from more than one item is one state of the table
// only if it comes from one Snapshot.
//
// What is transient (throttling, conflicts, unprocessed keys, an answer that got lost) is retried by the driver until
// the context's deadline; then the error is *Busy. A request that DynamoDB would refuse for its form is *Invalid.
type Table interface {
	// Get reads any number of items (none: without a call), no key twice, in no particular order: all attributes, or
	// those named alone (as Range.Attributes). Items that do not exist are missing; one with none of those is there, and
	// empty. It costs as much as the whole item.
	Get(ctx context.Context, attributes []string, keys ...Key) ([]Item, error)

	// Snapshot reads at most 100 items, no key twice, as of one instant. Items that do not exist are missing.
	Snapshot(ctx context.Context, keys ...Key) ([]Item, error)

	// Query reads a part of one partition in the order of its sort keys.
	Query(ctx context.Context, r Range) (Page, error)

	// Write does all of at most 100 writes, no key twice, or none. If conditions fail the error is *Refused; if an item
	// or the transaction would be too large, *TooLarge.
	Write(ctx context.Context, writes ...Write) error

	// Scan reads one page of the whole table, in no particular order, after the LastEvaluatedKey of an earlier page.
	// The zero Key starts at the beginning.
	Scan(ctx context.Context, from Key) (Page, error)
}

// Key names one item. Both parts are non-empty UTF-8: PK at most 2048 bytes, SK at most 1024.
type Key struct {
	PK string `dynamodbav:"PK"` // partition key
	SK string `dynamodbav:"SK"` // sort key; a partition is ordered by its bytes
}

var escaper = strings.NewReplacer("%", "%25", "#", "%23")

// EscapeKeyPart makes a string a part of a key between "#"s. Different strings never give the same part.
func EscapeKeyPart(s string) string { return escaper.Replace(s) }

// Item is the attributes of one item, PK and SK among them. Only S, N, SS and BOOL are stored: text is UTF-8, a number
// is whole and has 64 bits, a set has elements and none of them is empty; it comes back sorted.
type Item map[string]types.AttributeValue

// Key is the key of the item.
func (i Item) Key() Key { return Key{PK: StringValue(i["PK"]), SK: StringValue(i["SK"])} }

// Range is a part of one partition: all of it, or the sort keys with Prefix, or those from From to To, both included.
type Range struct {
	PK             string
	Prefix         string
	From, To       string   // used together, and not with Prefix
	ExclusiveStart string   // begin behind this sort key (before it, when Backward); it lies within the part
	Backward       bool     // from the last sort key to the first
	Limit          int      // items in a page at most; 0: as many as fit
	Attributes     []string // nil: all; otherwise these alone (PK and SK must be named to be read)
}

// Page is a part of an answer, 1 MB at most. It may be empty although there is more.
type Page struct {
	Items            []Item
	LastEvaluatedKey Key // where to go on, even if nothing follows: Range.After takes its SK, Scan all of it; the zero Key at the end
}
