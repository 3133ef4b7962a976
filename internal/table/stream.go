package table

import (
	"context"
	"time"
)

// A Record describes one change of one item. A transaction leads to a record for each item that it changes. A write that
// leaves an item as it was leads to none, or to a record with equal images.
type Record struct {
	Key         Key
	Old, New    Item      // the item before and after the change; nil: it did not exist
	CommittedAt time.Time // when the change took effect, within about a second
	Expired     bool      // DynamoDB's time to live deleted the item
	Err         error     // the record cannot be decoded: Old and New are nil, and Key may be the zero Key
}

// A Stream delivers the records of a table. The records of one item come in the order of its changes. There is no order
// between items, not even between those of one transaction. A Stream may leave out items that its configuration does not
// watch.
type Stream interface {
	// Receive waits for no records: it passes the next batch of those that exist to handle, and returns their number. The
	// number is 0 if there are none. If handle returns an error, or the process ends before Receive returns, the records
	// are delivered again, perhaps in other batches. So every record is delivered at least once. Receive must not be
	// called concurrently.
	Receive(ctx context.Context, handle func(context.Context, []Record) error) (int, error)
}

// An ImageWriter is a Table that returns the items before and after a transaction without another read.
type ImageWriter interface {
	// WriteImages does what Write does. If the transaction takes effect, it returns the items before and after it.
	WriteImages(ctx context.Context, writes ...Write) (Images, error)
}

// Images are the items before and after a transaction.
type Images struct {
	// Decode returns a record for each write, in the order of the writes. A ConditionCheck has none, nor has a Delete of a
	// missing item.
	Decode func() []Record
	Bytes  int // size of the items until they are decoded
}

// MaxStreamBatch is the maximum number of records in a batch.
const MaxStreamBatch = 100
