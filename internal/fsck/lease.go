package fsck

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

const (
	leaseTTL       = 5 * time.Minute // time after which the lease of a run that was killed expires
	leaseRenewAge  = time.Minute     // age from which a lease is renewed
	releaseTimeout = 2 * time.Second // Lambda's deadline leaves this time for the release
)

// leaseKey is the key of the lease item. Its partition belongs to no tenant, so that checks ignore it.
var leaseKey = table.Key{PK: "fsck", SK: "lease"}

// A LeaseError reports that another repair of the table is in progress.
type LeaseError struct {
	Until time.Time // when the lease of that repair expires unless it is renewed; zero: this run has lost its lease
}

func (e *LeaseError) Error() string {
	if e.Until.IsZero() {
		return "fsck: this repair was interrupted for minutes, and another repair has begun; run it again later"
	}
	return fmt.Sprintf("fsck: another repair is in progress; wait for its end, or, if it was killed, until %s",
		e.Until.UTC().Format(time.RFC3339))
}

// A lease is the right to repair a table. It saves the cost of a second repair at the same time. Repairs do not depend
// on it, because each one is conditional on the items that led to the finding.
type lease struct {
	store     *store.Store
	owner     string // random
	expiresAt time.Time
}

// acquireLease writes the lease item. It returns *LeaseError if another run has an unexpired lease.
func acquireLease(ctx context.Context, s *store.Store) (*lease, error) {
	b, err := s.RandomBytes(16)
	if err != nil {
		return nil, err
	}
	items, err := s.Table.Get(ctx, nil, leaseKey)
	if err != nil {
		return nil, err
	}
	condition := table.NotExists()
	if len(items) > 0 {
		if until := time.Unix(table.IntValue(items[0]["expires"]), 0); until.After(s.Now()) {
			return nil, &LeaseError{Until: until}
		}
		condition = table.Equals("owner", items[0]["owner"])
	}
	l := &lease{store: s, owner: hex.EncodeToString(b), expiresAt: s.Now().Add(leaseTTL)}
	it := store.MarshalItem(leaseKey)
	it["owner"], it["expires"] = table.S(l.owner), table.N(l.expiresAt.Unix()) // DynamoDB deletes expired items
	err = s.Table.Write(ctx, table.Put{Item: it, If: []table.Condition{condition}})
	if failed := (*table.ConditionError)(nil); errors.As(err, &failed) {
		return nil, &LeaseError{Until: l.expiresAt} // of a run that began at the same moment
	}
	return l, err
}

// renew extends the lease if it is old. A nil lease needs no renewal. renew returns *LeaseError if the lease expired and
// another run has it.
func (l *lease) renew(ctx context.Context) error {
	if l == nil || l.store.Now().Before(l.expiresAt.Add(leaseRenewAge-leaseTTL)) {
		return nil
	}
	expiresAt := l.store.Now().Add(leaseTTL)
	err := l.store.Table.Write(ctx, table.Update{
		Key: leaseKey, Set: table.Item{"expires": table.N(expiresAt.Unix())}, If: l.ownedConditions(),
	})
	if failed := (*table.ConditionError)(nil); errors.As(err, &failed) {
		return &LeaseError{}
	}
	if err == nil {
		l.expiresAt = expiresAt
	}
	return err
}

// release deletes the lease item, even if ctx has ended. If that fails, the lease expires.
func (l *lease) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	_ = l.store.Table.Write(ctx, table.Delete{Key: leaseKey, If: l.ownedConditions()})
}

func (l *lease) ownedConditions() []table.Condition {
	return []table.Condition{table.Equals("owner", table.S(l.owner))}
}
