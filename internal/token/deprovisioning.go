package token

import (
	"context"
	"fmt"

	"serverless-scim/internal/table"
)

// AddDeprovisioned counts users of a tenant that are about to be deactivated or deleted. It returns how many were
// counted in the last ten minutes, including these. A user counts for at least ten and less than eleven minutes.
//
// Every call increments a counter before it reads the counters. So at most limit concurrent calls return a sum of at most
// limit, for every limit.
func (s *Store) AddDeprovisioned(ctx context.Context, tenant string, users int) (sum int, err error) {
	t, now, partition := metered(s.Table), s.Now().Unix(), counterPartition(tenant)
	err = t.Write(ctx, table.Update{
		Key: table.Key{PK: partition, SK: deprovisioningSortKey(now / 60)},
		Add: table.Item{"n": table.N(int64(users))}, Set: table.Item{"expires": table.N(now + 3600)},
	})
	if err != nil {
		return 0, err
	}
	page, err := t.Query(ctx, s.deprovisioningWindow(partition))
	for _, it := range page.Items {
		sum += int(table.IntValue(it["n"]))
	}
	return sum, err
}

// deprovisioningWindow returns the range of the counters that are added up: those of the last ten minutes, the current
// minute, and the next minute, which may have begun by the clock of another instance. These twelve items fit one page.
func (s *Store) deprovisioningWindow(partition string) table.Range {
	minute := s.Now().Unix() / 60
	return table.Range{PK: partition, From: deprovisioningSortKey(minute - 10), To: deprovisioningSortKey(minute + 1)}
}

// ResetDeprovisioned deletes the counters, so that AddDeprovisioned counts from zero again.
func (s *Store) ResetDeprovisioned(ctx context.Context, tenant string) error {
	page, err := s.Table.Query(ctx, s.deprovisioningWindow(counterPartition(tenant)))
	if err != nil || len(page.Items) == 0 {
		return err
	}
	var writes []table.Write
	for _, it := range page.Items {
		writes = append(writes, table.Delete{Key: it.Key()})
	}
	return s.Table.Write(ctx, writes...)
}

func deprovisioningSortKey(minute int64) string { return fmt.Sprintf("deprovisioned#%012d", minute) }
