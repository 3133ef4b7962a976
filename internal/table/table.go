// Package table defines the storage contract: what the rest of the program may expect of a Table, in DynamoDB's terms.
// Package dynamo implements the contract on Amazon DynamoDB, package bolt in a local file. Package tabletest checks an
// implementation, called a driver. Begin with [Table], [Write], and [Condition].
//
// Items have a partition key, a sort key, and attributes. Get, Query and Scan are plain reads: strongly consistent for
// each item, but they may observe part of a transaction. Snapshot reads up to 100 items from the same instant. Write is
// a transaction: it makes all of its changes, or none if a condition fails.
//
// A driver retries transient errors: throttling, transaction conflicts, unprocessed keys, and lost responses. Every
// call therefore ends in one of these ways:
//
//   - It succeeds.
//   - *ConditionError: conditions failed, and nothing was written.
//   - *InvalidError or *TooLargeError: DynamoDB rejects the call for its form or size, and so does every driver.
//     Nothing was written.
//   - *TransientError: the context ended first. A write may or may not have taken effect.
//   - Another error: the table is missing, access is denied, or the file is damaged, for example.
//
// These types wrap a Table: [Scoped] limits the keys that a call can reach, [Metered] counts calls and cost, and [ReadOnly]
// rejects writes.
//
// The package does not depend on SCIM or tenants. It offers no secondary index, no eventually consistent read, no write
// outside a transaction, and no expression strings.
package table

import (
	"context"
)

// A Table is one DynamoDB table, or an equivalent. It is safe for concurrent use.
//
// Items from a plain read (Get, Query, Scan) need not be from the same version of the table. Only the items of one
// Snapshot are.
type Table interface {
	// Get reads the items with these keys and returns them in any order. Keys without an item are left out. A key must
	// not occur twice, and without keys Get makes no call. If attributes is nil, Get returns whole items. Otherwise it
	// returns only these attributes (see Range.Attributes); an item with none of them is returned as an empty Item. The
	// cost is always that of the whole items.
	Get(ctx context.Context, attributes []string, keys ...Key) ([]Item, error)

	// Snapshot reads 1 to 100 items from the same instant. Keys without an item are left out. A key must not occur
	// twice.
	Snapshot(ctx context.Context, keys ...Key) ([]Item, error)

	// Query reads one page of a range of a partition, in the order of the sort keys.
	Query(ctx context.Context, r Range) (Page, error)

	// Write makes 1 to 100 writes in one transaction. It must not name an item twice. If conditions fail, the error is
	// *ConditionError. If an item would exceed 400 KB, or the transaction 4 MB, the error is *TooLargeError.
	Write(ctx context.Context, writes ...Write) error

	// Scan reads one page of the whole table, in any order. It begins after the LastEvaluatedKey of the page before, or
	// at the start if from is the zero Key.
	Scan(ctx context.Context, from Key) (Page, error)
}
