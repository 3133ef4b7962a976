package feed

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// A Sink receives every change after the log has it: in the order of the log for each resource, at least once, and always
// with the same EventID. If it returns an error, the Publisher's caller must publish the records again. The tenant is the
// escaped name.
type Sink func(ctx context.Context, tenant string, changes []ResourceChange) error

// A Publisher appends the changes of stream records to the change logs of their tenants, and passes them to sinks. It is
// safe for concurrent use, and any number of Publishers may work on the same table.
type Publisher struct {
	Store store.Config
	// IsActive reports whether a tenant exists and is not deleted. The changes of other tenants are dropped, because the
	// items of a deleted tenant are removed one by one.
	IsActive func(ctx context.Context, tenant string) (bool, error)
	Sinks    []Sink

	mu   sync.Mutex
	ends map[string]int64 // number of the last known entry, by tenant
}

// A Result counts what happened to the records of a batch.
type Result struct {
	Changes    int           // appended to logs
	Duplicates int           // changes that the log had already
	Skipped    int           // records that cannot be decoded
	Lag        time.Duration // from the oldest change to its entry in the log; 0 without changes
}

// Publish publishes the changes of records. A record that cannot be decoded is logged and skipped, so that it cannot stop
// the feed. After an error, the caller must pass the records again, because the order of changes matters more than the
// progress of later records. Changes that the log has already are then recognized, if possible.
func (p *Publisher) Publish(ctx context.Context, records []table.Record) (r Result, err error) {
	byTenant := map[string][]ResourceChange{}
	for _, record := range records {
		d, ok, err := decode(p.Store.Types, record)
		switch {
		case err != nil:
			r.Skipped++
			p.Store.Log.ErrorContext(ctx, "stream record skipped", "pk", record.Key.PK, "sk", record.Key.SK, "error", err)
		case ok:
			byTenant[d.tenant] = append(byTenant[d.tenant], d.ResourceChange)
		}
	}
	for _, tenant := range slices.Sorted(maps.Keys(byTenant)) {
		if err := p.publishTenant(ctx, tenant, byTenant[tenant], &r); err != nil {
			p.forgetEnds()
			return r, err
		}
	}
	return r, nil
}

func (p *Publisher) publishTenant(ctx context.Context, tenant string, changes []ResourceChange, r *Result) error {
	if active, err := p.IsActive(ctx, tenant); err != nil || !active {
		return err
	}
	l := changeLog{p.Store.ForTenant(store.KeysForEscaped(tenant))}
	if err := l.requireIndexItems(ctx, changes); err != nil {
		return err
	}
	for _, batch := range batches(changes) {
		appended, err := p.appendBatch(ctx, l, tenant, batch)
		if err != nil {
			return err
		}
		r.Changes, r.Duplicates = r.Changes+appended, r.Duplicates+len(batch)-appended
	}
	for _, c := range changes {
		r.Lag = max(r.Lag, p.Store.Now().Sub(c.At))
	}
	for _, sink := range p.Sinks {
		if err := sink(ctx, tenant, changes); err != nil {
			return err
		}
	}
	return nil
}

// batches splits changes so that each part fits one entry of the log.
func batches(changes []ResourceChange) (parts [][]Change) {
	size := 0
	for _, c := range changes {
		bytes, last := c.estimatedSize(), len(parts)-1
		if size += bytes; last < 0 || len(parts[last]) == maxEntryChanges || size > maxEntryBytes {
			parts, size, last = append(parts, nil), bytes, last+1
		}
		parts[last] = append(parts[last], c.Change)
	}
	return parts
}

// appendBatch appends changes to the log of a tenant as one entry. It leaves out those that the last entry has, which an
// earlier attempt or another process has appended.
func (p *Publisher) appendBatch(ctx context.Context, l changeLog, tenant string, changes []Change) (appended int, err error) {
	err = l.Backoff.RetryConflicts(ctx, func() error {
		end, known := p.end(tenant)
		if !known {
			last, err := l.last(ctx)
			if err != nil {
				return err
			}
			if end = numberOf(last); last != nil {
				changes = slices.DeleteFunc(changes, last.contains)
			}
		}
		if appended = len(changes); appended == 0 {
			return nil
		}
		number, err := l.append(ctx, end, changes)
		p.setEnd(tenant, number, err == nil)
		return err
	})
	return appended, err
}

func (e *logEntry) contains(c Change) bool {
	return slices.ContainsFunc(e.changes, func(o Change) bool { return c.isSame(&o) })
}

func (p *Publisher) end(tenant string) (number int64, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	number, known = p.ends[tenant]
	return number, known
}

// setEnd records the last entry of a log, or that it must be read if known is false.
func (p *Publisher) setEnd(tenant string, number int64, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ends == nil {
		p.ends = map[string]int64{}
	}
	if p.ends[tenant] = number; !known {
		delete(p.ends, tenant)
	}
}

// forgetEnds makes the next attempt read the last entries, where it recognizes what this one has appended.
func (p *Publisher) forgetEnds() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ends = nil
}

// indexItemTimeout is the age of a change from which its index item is no longer waited for.
const indexItemTimeout = 5 * time.Minute

var errIndexItemMissing = errors.New("feed: the index item of a created resource is not visible yet")

// requireIndexItems returns a transient error while the index item that lists a created resource is not visible. DynamoDB
// shows the items of a transaction one by one. A reader that begins at an entry after the creation must find the resource
// in the list.
func (l changeLog) requireIndexItems(ctx context.Context, changes []ResourceChange) error {
	if l.Embedded { // a transaction is visible at once
		return nil
	}
	unlisted, err := l.findUnlisted(ctx, changes)
	if err != nil || len(unlisted) == 0 {
		return err
	}
	items, err := l.Table.Get(ctx, []string{"PK", "deleting"}, unlisted...)
	for _, it := range items {
		if it["deleting"] == nil {
			return errors.Join(err, &table.TransientError{Err: errIndexItemMissing})
		}
	}
	return err
}

// findUnlisted returns the keys of the head items of recently created resources whose index items are missing.
func (l changeLog) findUnlisted(ctx context.Context, changes []ResourceChange) ([]table.Key, error) {
	heads := map[table.Key]table.Key{} // by the key of the index item
	for _, c := range changes {
		if c.Has(Created) && l.Now().Sub(c.At) < indexItemTimeout {
			index := table.Key{PK: l.Keys.AllPartition(c.State.Type), SK: c.ResourceID}
			heads[index] = l.Keys.Head(c.State.Type, c.ResourceID)
		}
	}
	items, err := l.Table.Get(ctx, nil, slices.SortedFunc(maps.Keys(heads), compareKeys)...)
	for _, it := range items {
		delete(heads, it.Key())
	}
	return slices.SortedFunc(maps.Values(heads), compareKeys), err
}

func compareKeys(a, b table.Key) int {
	return cmp.Or(strings.Compare(a.PK, b.PK), strings.Compare(a.SK, b.SK))
}
