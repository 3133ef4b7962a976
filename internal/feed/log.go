package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

const (
	// Retention is how long the log keeps a change. A reader that stays away for longer begins again.
	Retention = 90 * 24 * time.Hour

	renewalAge      = 30 * 24 * time.Hour // age of the last entry from which Renew appends an empty one
	maxEntryChanges = 100
	maxEntryBytes   = 64 << 10
	stateSortKey    = "state"
	numberDigits    = 16
	firstNumber     = "0000000000000000"
	lastNumber      = "9999999999999999"
)

// A changeLog is the change log of one tenant.
type changeLog struct{ *store.Store }

// A logEntry is one item of the log.
type logEntry struct {
	number    int64
	changes   []Change
	expiresAt time.Time
}

func (l changeLog) partition() string { return l.Keys.Tenant() + "#changes" }

func (l changeLog) entryKey(number int64) table.Key {
	return table.Key{PK: l.partition(), SK: fmt.Sprintf("%0*d", numberDigits, number)}
}

func (l changeLog) stateKey() table.Key { return table.Key{PK: l.partition(), SK: stateSortKey} }

// decodeEntry returns an entry. If its changes are corrupt, it returns the number and an error.
func decodeEntry(it table.Item) (e logEntry, err error) {
	if e.number, err = strconv.ParseInt(it.Key().SK, 10, 64); err == nil {
		err = json.Unmarshal([]byte(table.StringValue(it["changes"])), &e.changes)
	}
	if err != nil {
		return e, fmt.Errorf("feed: corrupt log entry %s: %w", it.Key().SK, err)
	}
	e.expiresAt = time.Unix(table.IntValue(it["expires"]), 0)
	return e, nil
}

// last returns the last entry, or nil if the log is empty.
func (l changeLog) last(ctx context.Context) (*logEntry, error) {
	page, err := l.Table.Query(ctx, table.Range{PK: l.partition(), From: firstNumber, To: lastNumber, Backward: true, Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return nil, err
	}
	e, err := decodeEntry(page.Items[0])
	if err != nil { // a writer continues after it; a reader begins again
		l.Log.ErrorContext(ctx, "corrupt log entry", "tenant", l.Keys.Tenant(), "error", err)
	}
	return &e, nil
}

// append appends an entry, after the entry with the number after, or at the beginning of the log if after is 0. It returns
// table.ErrConflict if another writer has appended an entry there.
func (l changeLog) append(ctx context.Context, after int64, changes []Change) (number int64, err error) {
	t := &store.Transaction{}
	if number = after + 1; after == 0 {
		if number, err = l.beginAt(ctx, t); err != nil {
			return 0, err
		}
	}
	k := l.entryKey(number)
	t.Add(table.Put{Item: table.Item{
		"PK": table.S(k.PK), "SK": table.S(k.SK), "changes": table.S(encodeChanges(changes)),
		"expires": table.N(l.Now().Add(Retention).Unix()),
	}, If: []table.Condition{table.NotExists()}}, store.ConflictHandler)
	return number, l.WriteTransaction(ctx, t)
}

// encodeChanges returns the JSON array of changes.
func encodeChanges(changes []Change) string {
	b := []byte{'['}
	for i := range changes {
		if i > 0 {
			b = append(b, ',')
		}
		b = changes[i].appendJSON(b)
	}
	return string(append(b, ']'))
}

// beginAt returns the number of the first entry of a log that a Query has shown to be empty, and adds the writes that only
// one writer can make. A writer that begins the log later changes the state. A writer that has begun it already, after the
// Query or too shortly before it, has written the entry at the recorded beginning, which must not exist.
func (l changeLog) beginAt(ctx context.Context, t *store.Transaction) (number int64, err error) {
	items, err := l.Table.Get(ctx, nil, l.stateKey())
	if err != nil {
		return 0, err
	}
	unchanged, previous := table.AttributeNotExists("start"), int64(0)
	if len(items) > 0 && items[0]["start"] != nil {
		previous = table.IntValue(items[0]["start"])
		unchanged = table.Equals("start", table.N(previous))
		t.Add(table.ConditionCheck{Key: l.entryKey(previous), If: []table.Condition{table.NotExists()}}, store.ConflictHandler)
	}
	number = max(l.Now().UnixMilli(), previous+1)
	t.Add(table.Update{Key: l.stateKey(), Set: table.Item{"start": table.N(number)}, If: []table.Condition{unchanged}},
		store.ConflictHandler)
	return number, nil
}

// end returns the number of the last entry. It begins an empty log.
func (l changeLog) end(ctx context.Context) (number int64, err error) {
	err = l.Backoff.RetryConflicts(ctx, func() error {
		last, err := l.last(ctx)
		if err != nil || last != nil {
			number = numberOf(last)
			return err
		}
		number, err = l.append(ctx, 0, []Change{})
		return err
	})
	return number, err
}

// numberOf returns the number of an entry, 0 for nil.
func numberOf(e *logEntry) int64 {
	if e == nil {
		return 0
	}
	return e.number
}

// Renew appends an empty entry to the log of a tenant if the last entry is older than 30 days. A log would otherwise run
// empty when no resource changes for 90 days, and the cursors of its readers would expire.
func Renew(ctx context.Context, c store.Config, tenant string) error {
	l := changeLog{store.New(c, tenant)}
	last, err := l.last(ctx)
	if err != nil || last == nil || l.Now().Before(last.expiresAt.Add(renewalAge-Retention)) {
		return err
	}
	_, err = l.append(ctx, last.number, []Change{})
	if errors.Is(err, table.ErrConflict) { // another writer has appended an entry
		return nil
	}
	return err
}

// Reset makes every cursor of a tenant expire, so that each reader begins again with a list of all resources. It must be
// called after the table was restored from a backup, because the log no longer contains what readers have read. The epoch
// is the Unix time in milliseconds: a number that is counted could occur again after another restore.
func Reset(ctx context.Context, c store.Config, tenant string) error {
	l := changeLog{store.New(c, tenant)}
	return l.Table.Write(ctx, table.Update{Key: l.stateKey(), Set: table.Item{"epoch": table.N(l.Now().UnixMilli())}})
}
