package feed

import (
	"context"
	"slices"
	"time"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// A Reader reads what changed in one tenant, page by page. It is safe for concurrent use.
type Reader struct {
	log   changeLog
	types []*scim.ResourceType
}

// NewReader returns a reader of the changes of some resource types. It makes no table call.
func NewReader(c store.Config, tenant string, types []*scim.ResourceType) *Reader {
	return &Reader{changeLog{store.New(c, tenant)}, types}
}

// A Page is a part of what a Reader returns. Each resource is in it once, with the union of its changes and its current
// state.
type Page struct {
	Changes []ResourceChange
	Cursor  string // of the next page
	More    bool   // the next page has changes already; otherwise, ask later
	Listing bool   // the page is part of the list of all resources
}

// States returns the states of the resources of the page.
func (p Page) States() []store.ResourceState {
	states := make([]store.ResourceState, len(p.Changes))
	for i, c := range p.Changes {
		states[i] = c.State
	}
	return states
}

// Read returns the page at a cursor, with at most count changes. It may return fewer although more exist. The cursor "" is
// the beginning: the first pages list every resource that exists. Then the pages have what has changed since, without end.
// An error is a *scim.Error if the cursor is not valid or has expired. The caller then begins again without a cursor.
func (r *Reader) Read(ctx context.Context, cursor string, count int) (Page, error) {
	p, begin := position{}, cursor == ""
	var err error
	if begin {
		p, err = r.begin(ctx)
	} else {
		p, err = decodeCursor(cursor, r.log.Keys.Tenant(), r.types)
	}
	if err != nil {
		return Page{}, err
	}
	if p.Listing != "" {
		return r.list(ctx, p, count, !begin)
	}
	return r.tail(ctx, p, count)
}

// begin returns the beginning of the list. It notes the end of the log before anything is listed, so that the log tells
// everything that changes meanwhile.
func (r *Reader) begin(ctx context.Context) (p position, err error) {
	p.Listing = r.types[0].Name
	err = r.log.RunShortReads(
		func() (err error) { p.Epoch, err = r.log.epoch(ctx); return err },
		func() (err error) { p.Next, err = r.log.end(ctx); return err },
	)
	p.Next++
	return p, err
}

// list returns a page of the list of resources.
func (r *Reader) list(ctx context.Context, p position, count int, checkEpoch bool) (page Page, err error) {
	rt := r.types[indexOfType(r.types, p.Listing)]
	var index table.Page
	epoch := p.Epoch
	calls := []func() error{func() (err error) {
		index, err = r.log.Table.Query(ctx, table.Range{PK: r.log.Keys.AllPartition(rt), ExclusiveStart: p.After, Limit: count})
		return err
	}}
	if checkEpoch {
		calls = append(calls, func() (err error) { epoch, err = r.log.epoch(ctx); return err })
	}
	if err := r.log.RunShortReads(calls...); err != nil {
		return page, err
	}
	if epoch != p.Epoch {
		return page, expiredCursorError()
	}
	for _, it := range index.Items {
		page.Changes = append(page.Changes, ResourceChange{
			Change: Change{ResourceType: rt.Name, ResourceID: it.Key().SK, At: r.log.Now().UTC().Truncate(time.Millisecond), Kinds: []Kind{Listed}},
			State:  store.ResourceState{Type: rt, ID: it.Key().SK},
		})
	}
	if page.Changes, err = r.readStates(ctx, page.Changes); err != nil {
		return page, err
	}
	page.Changes = slices.DeleteFunc(page.Changes, func(c ResourceChange) bool { return c.State.Head == nil })
	p.advance(r.types, index.LastEvaluatedKey.SK)
	page.Cursor, page.More, page.Listing = p.encode(r.log.Keys.Tenant(), r.types), true, true
	return page, nil
}

// advance moves a position in the list behind an ID, or if that is "", to the next type or the log.
func (p *position) advance(types []*scim.ResourceType, after string) {
	if p.After = after; after != "" {
		return
	}
	if next := indexOfType(types, p.Listing) + 1; next < len(types) {
		p.Listing = types[next].Name
	} else {
		p.Listing = ""
	}
}

// tail returns a page of the log.
func (r *Reader) tail(ctx context.Context, p position, count int) (Page, error) {
	entries, more, err := r.readEntries(ctx, p)
	if err != nil {
		return Page{}, err
	}
	b := pageBuilder{position: p, types: r.types, count: count, byID: map[string]int{}}
	for _, e := range entries {
		if !b.add(e) {
			break
		}
	}
	b.setReadAhead(len(entries), more)
	page := Page{More: more || b.full, Cursor: b.position.encode(r.log.Keys.Tenant(), r.types)}
	page.Changes, err = r.readStates(ctx, b.changes)
	return page, err
}

// readEntries returns consecutive entries of the log from a position on. more is true if there may be more of them.
func (r *Reader) readEntries(ctx context.Context, p position) (entries []logEntry, more bool, err error) {
	limit := p.Entries
	if limit == 0 {
		limit = defaultReadEntries
	}
	var items table.Page
	var epoch int64
	err = r.log.RunShortReads(
		func() (err error) { epoch, err = r.log.epoch(ctx); return err },
		func() (err error) {
			items, err = r.log.Table.Query(ctx, table.Range{PK: r.log.partition(), From: r.log.entryKey(p.Next).SK, To: lastNumber, Limit: limit})
			return err
		},
	)
	switch {
	case err != nil:
		return nil, false, err
	case epoch != p.Epoch:
		return nil, false, expiredCursorError()
	}
	for i, it := range items.Items {
		e, err := decodeEntry(it)
		if err != nil {
			return nil, false, r.corruptEntryError(ctx, err)
		}
		if e.number != p.Next+int64(i) {
			break // the entry between was appended while the Query ran, or it has expired: the next page finds out
		}
		entries = append(entries, e)
	}
	if len(entries) == 0 {
		return r.confirmEnd(ctx, p, len(items.Items) > 0)
	}
	return entries, items.LastEvaluatedKey != (table.Key{}) || len(entries) < len(items.Items), nil
}

// confirmEnd is called if a Query has not shown the next entry. It returns that entry if it exists nevertheless, because a
// Query reads one item after another and may show a later entry only. It returns no entry if the log ends before the
// position. Otherwise the next entry has expired, or the log was replaced by an older one.
func (r *Reader) confirmEnd(ctx context.Context, p position, laterExists bool) ([]logEntry, bool, error) {
	next, previous := r.log.entryKey(p.Next), r.log.entryKey(p.Next-1)
	items, err := r.log.Table.Get(ctx, nil, next, previous)
	if err != nil {
		return nil, false, err
	}
	previousExists := false
	for _, it := range items {
		if it.Key() == next {
			e, err := decodeEntry(it)
			if err != nil {
				return nil, false, r.corruptEntryError(ctx, err)
			}
			return []logEntry{e}, true, nil
		}
		previousExists = true
	}
	if laterExists || !previousExists || p.Skip > 0 {
		return nil, false, expiredCursorError()
	}
	return nil, false, nil
}

// readStates returns the changes with the current state of their resources. A resource that no longer exists is reported
// as deleted, whatever its changes were. A resource whose head item is corrupt is logged and left out, so that it cannot
// stop the reader.
func (r *Reader) readStates(ctx context.Context, changes []ResourceChange) ([]ResourceChange, error) {
	keys := make([]table.Key, len(changes))
	for i, c := range changes {
		keys[i] = r.log.Keys.Head(c.State.Type, c.ResourceID)
	}
	items, err := r.log.Table.Get(ctx, nil, keys...)
	if err != nil {
		return nil, err
	}
	found := make(map[table.Key]table.Item, len(items))
	for _, it := range items {
		found[it.Key()] = it
	}
	var visible []ResourceChange
	for i, c := range changes {
		if it := found[keys[i]]; it != nil {
			if c.State.Head, err = store.VisibleHead(it); err != nil {
				r.log.Log.ErrorContext(ctx, "resource left out of changes", "resourceType", c.ResourceType, "id", c.ResourceID, "error", err)
				continue
			}
		}
		if c.State.Head == nil {
			c = c.AsDeleted()
		}
		visible = append(visible, c)
	}
	return visible, nil
}

// epoch returns when the log was last reset, 0 for never.
func (l changeLog) epoch(ctx context.Context) (int64, error) {
	items, err := l.Table.Get(ctx, []string{"epoch"}, l.stateKey())
	if err != nil || len(items) == 0 {
		return 0, err
	}
	return table.IntValue(items[0]["epoch"]), nil
}

// corruptEntryError logs the cause, and returns the error with which the client begins again. The new list contains what
// the entry told.
func (r *Reader) corruptEntryError(ctx context.Context, cause error) error {
	r.log.Log.ErrorContext(ctx, "corrupt log entry", "tenant", r.log.Keys.Tenant(), "error", cause)
	return expiredCursorError()
}

func expiredCursorError() error {
	return scim.BadRequest(scim.ExpiredCursor, "The cursor has expired, because the change log no longer has what follows it. "+
		"Begin again without a cursor, and replace your copy.")
}
