// Package format keeps the version of the item layout in the table, so that a program never writes items of a layout that
// a later version has replaced. The packages store, token, feed and fsck document the layout.
//
//	item     PK       SK   attributes
//	format   format   @    version
//
// A table without the item has the format 1. A program accepts every format up to its own [Version].
//
// # What a version of the program may change
//
// A version keeps the format if the version before it still works on every item that the new one writes. It may add items
// and attributes that the old version ignores, or stop reading some. Every other change needs a new format: another
// key, another meaning of an attribute, or an item that the old version would have to update or delete.
//
// A program checks the format only when it starts, and a deployment runs two versions at the same time. Therefore a new
// format takes two releases:
//
//  1. The first release reads both formats and writes the old one. It increments Version. Mark continues to write the
//     number of the old format.
//  2. The second release is deployed when no older instance runs. It first writes the new number, and then items of the
//     new format. The new number must replace the old one under a condition.
//
// The tests in functions/local have tables that former versions wrote. Every version must pass them.
//
// # What an operator sees
//
// A Lambda function that is older than the table ends at its start, with the error in its log. API Gateway responds with
// 429, so clients retry, and the alarms cause CodeDeploy to roll a deployment back. The local program prints the error and ends. Nothing is
// written. Only fsck -repair first repairs a damaged file, in which the item may be hidden.
package format

import (
	"context"
	"errors"
	"fmt"

	"serverless-scim/internal/table"
)

// Version is the highest format that this program knows.
const Version = 1

// initial is the format of a table that this program creates.
const initial = 1

// key is the key of the format item. The partition belongs to no tenant, because it contains no number sign.
var key = table.Key{PK: "format", SK: "@"}

// An Error reports that this program must not use a table.
type Error struct {
	Version int64 // format of the table; 0: the format item is corrupt
}

func (e *Error) Error() string {
	if e.Version == 0 {
		return `format: the item "format" "@" of the table is corrupt; set its attribute version to the number of the ` +
			"format, which is the constant Version of the program that wrote the table"
	}
	return fmt.Sprintf("format: the table has the format %d, and this version of the program knows formats up to %d; "+
		"use the version that wrote it, or a later one", e.Version, Version)
}

// Check returns *Error if this program must not use the table. It makes one call.
func Check(ctx context.Context, t table.Table) error {
	items, err := t.Get(ctx, nil, key)
	if err != nil || len(items) == 0 {
		return err
	}
	switch v := table.IntValue(items[0]["version"]); {
	case v < 1:
		return &Error{}
	case v > Version:
		return &Error{Version: v}
	}
	return nil
}

// Mark writes the format item of a table that has none. The caller must have called Check.
func Mark(ctx context.Context, t table.Table) error {
	it := table.Item{"PK": table.S(key.PK), "SK": table.S(key.SK), "version": table.N(initial)}
	err := t.Write(ctx, table.Put{Item: it, If: []table.Condition{table.NotExists()}})
	if exists := (*table.ConditionError)(nil); errors.As(err, &exists) {
		return nil
	}
	return err
}
