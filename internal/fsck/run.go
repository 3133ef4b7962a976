package fsck

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"

	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// A Checker checks the items of a table, of all tenants or of one. Several Checkers may run at the same time, and
// during requests.
type Checker struct {
	Config store.Config
	Tenant string        // name of the tenant; "": all tenants
	Repair bool          // repair the findings that have a repair
	Report func(Finding) // called with each finding, one call after the other
}

// A checkRun is the state of one call of Run.
type checkRun struct {
	checker Checker
	store   *store.Store // of no tenant
	lease   *lease       // nil: none
	drift   counterDrift
	summary Summary
	tenants map[string]bool // escaped names of the tenants that have items

	incomplete map[counterRef][]string // attributes whose index items a backfill still writes
	unrepaired bool                    // a finding was not repaired, or a resource cannot be indexed
}

// scan calls each with every table page of the table.
func (run *checkRun) scan(ctx context.Context, each func([]table.Item) error) error {
	for from := (table.Key{}); ; {
		if err := run.lease.renew(ctx); err != nil {
			return err
		}
		page, err := run.store.Table.Scan(ctx, from)
		if err != nil {
			return err
		}
		if err := each(page.Items); err != nil {
			return err
		}
		if from = page.LastEvaluatedKey; from == (table.Key{}) {
			return nil
		}
	}
}

// classify returns references to the items that this run checks, and adds the items to drift.
func (run *checkRun) classify(items []table.Item, drift counterDrift) (refs []itemRef) {
	for _, it := range items {
		ref, ok := run.locate(it.Key())
		if !ok {
			continue
		}
		if ref.rt != nil {
			drift.add(ref, it)
		}
		refs = append(refs, ref)
	}
	return refs
}

// locate returns the reference to the item with a key. It returns false if the item does not belong to a tenant's
// resources, or belongs to a tenant that this run does not check.
func (run *checkRun) locate(k table.Key) (ref itemRef, ok bool) {
	path := k.PK
	if path == store.IntentPartition {
		path = k.SK
	}
	parts := strings.SplitN(path, "#", 4)
	if len(parts) < 2 {
		return itemRef{}, false
	}
	if tenant := run.checker.Tenant; tenant != "" && parts[0] != table.EscapeKeyPart(tenant) {
		return itemRef{}, false
	}
	ref = itemRef{
		store: run.checker.Config.ForTenant(store.KeysForEscaped(parts[0])),
		rt:    run.store.Types.ByName(parts[1]), key: k, keyParts: parts,
	}
	if len(parts) > 2 {
		ref.id = parts[2]
	}
	return ref, ref.rt != nil || k == ref.store.Keys.CursorKey()
}

const (
	maxConfirmAttempts = 20  // attempts to confirm or repair one finding while its items change
	checkBatch         = 100 // items that are checked together; each refers to one or two head items, which can be large
)

// runChecks evaluates checks with plain reads, many at once. It confirms each suspected problem separately.
func (run *checkRun) runChecks(ctx context.Context, checks []check, view *itemView) error {
	for len(checks) > 0 {
		n, keys := view.collectKeys(checks)
		items, err := run.store.Table.Get(ctx, nil, keys...)
		if err != nil {
			return err
		}
		view.load(keys, items)
		suspected := slices.DeleteFunc(slices.Clone(checks[:n]), view.passes)
		view.unload(keys)
		for _, c := range suspected {
			if err := run.confirm(ctx, c); err != nil {
				return err
			}
		}
		checks = checks[n:]
	}
	return nil
}

// confirm evaluates a check with snapshot reads, and repairs or reports the finding. Each evaluation may show that the
// check depends on more items, which the next snapshot read includes.
func (run *checkRun) confirm(ctx context.Context, c check) error {
	keys, f := []table.Key{c.key}, checkResult{}
	for n := range maxConfirmAttempts {
		view, err := run.snapshot(ctx, keys...)
		if err != nil {
			return err
		}
		f = view.evaluate(c)
		if len(view.unread) > 0 {
			keys, f = append(keys, view.unread...), checkResult{}
		} else if done, err := run.repairOrReport(ctx, c.key, f); done || err != nil {
			return err
		} else if err := run.store.Backoff.Wait(ctx, n); err != nil {
			return err
		}
	}
	if f.problem != "" {
		run.report(Finding{Key: c.key, Problem: f.problem, Reason: "the items change too often"})
	}
	return nil
}

// snapshot returns a view of items from the same instant.
func (run *checkRun) snapshot(ctx context.Context, keys ...table.Key) (*itemView, error) {
	view := newItemView(nil)
	items, err := run.store.Table.Snapshot(ctx, keys...)
	view.load(keys, items)
	return view, err
}

// repairOrReport repairs a finding if the run repairs, and reports it. It returns false, and reports nothing, if an
// item has changed since the finding.
func (run *checkRun) repairOrReport(ctx context.Context, k table.Key, f checkResult) (done bool, err error) {
	switch {
	case f.problem == "":
		return true, nil
	case !run.checker.Repair:
		run.report(Finding{Key: k, Problem: f.problem})
		return true, nil
	case f.repair == nil:
		run.unrepaired = true
		run.report(Finding{Key: k, Problem: f.problem, Reason: f.whyNotRepaired})
		return true, nil
	}
	if err := run.lease.renew(ctx); err != nil {
		return false, err
	}
	err = run.store.Table.Write(ctx, f.repair...)
	changed, tooLarge, invalid := (*table.ConditionError)(nil), (*table.TooLargeError)(nil), (*table.InvalidError)(nil)
	switch {
	case err == nil:
		run.report(Finding{Key: k, Problem: f.problem, Repaired: true})
	case errors.As(err, &changed):
		return false, nil
	case errors.As(err, &tooLarge), errors.As(err, &invalid):
		run.unrepaired = true
		run.report(Finding{Key: k, Problem: f.problem, Reason: err.Error()})
	default:
		return false, err
	}
	return true, nil
}

func (run *checkRun) report(f Finding) {
	run.summary.Findings++
	if f.Repaired {
		run.summary.Repaired++
	}
	run.checker.Report(f)
}

// waitForVisibility waits until plain reads show all of a transaction of which they showed part. It waits as long as
// the longest backoff. Checks that use only plain reads call it between two reads.
func (run *checkRun) waitForVisibility(ctx context.Context) error {
	b := run.store.Backoff
	b.Rand = func(n int64) int64 { return n - 1 }
	return b.Wait(ctx, math.MaxInt)
}
