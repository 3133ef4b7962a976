// Package tabletest checks the contract of package table, and provides tables with faults for the tests of its callers.
//
// Begin with [Run]. It is the test suite that every driver must pass, alone and under its wrappers. It checks each rule of
// the contract on an empty table: reads and their pages, writes, conditions, limits, errors, concurrency, and charged
// request units.
//
// A driver or an emulator on a test machine rarely shows how DynamoDB behaves under load. These types do:
//
//   - Faults replaces calls, or their responses, with errors of the test's choice.
//   - PartialVisibility lets plain reads observe part of a transaction.
//   - Simulation runs whole processes on a table in memory; a seed determines their interleaving and all faults.
//   - Wire injects faults between DynamoDB's client and an endpoint.
//   - SuspendedContext is the context of a machine that was suspended until after its deadline.
//
// The package does not measure speed.
package tabletest

import (
	"context"
	"slices"
	"testing"
	"time"

	"serverless-scim/internal/table"
)

// Run checks every rule on a separate table. open must return an empty table and register its cleanup with the test.
func Run(t *testing.T, open func(*testing.T) table.Table) {
	for _, r := range slices.Concat(readRules(), writeRules(), conditionRules(), limitRules(), queryRules(),
		concurrentRules(), meterRules(), modelRules()) {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			t.Cleanup(func() {
				if t.Failed() {
					t.Log("rule: " + r.sentence)
				}
			})
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Minute)
			t.Cleanup(cancel)
			r.check(&subject{T: t, Table: open(t), ctx: ctx})
		})
	}
}
