package token

import (
	"context"
	"fmt"

	"serverless-scim/internal/table"
)

// AddDeprovisioned counts more deprovisioned users of a tenant, and returns how many there were in the last ten minutes,
// these among them. Each counts for ten minutes, and for less than eleven. Everyone adds before reading, so of many at
// once no more than a limit see a sum within it.
func (s *Store) AddDeprovisioned(ctx context.Context, tenant string, by int) (int, error) {
	t, now, pk := metered(s.Table), s.Now().Unix(), counterPartition(tenant)
	minute := now / 60
	err := t.Write(ctx, table.Update{
		Key: table.Key{PK: pk, SK: deprovisioningSortKey(minute)},
		Add: table.Item{"n": table.N(int64(by))}, Set: table.Item{"expires": table.N(now + 3600)},
	})
	if err != nil {
		return 0, err
	}
	page, err := t.Query(ctx, s.deprovisioningWindow(pk))
	sum := 0
	for _, it := range page.Items {
		sum += int(table.IntValue(it["n"]))
	}
	return sum, err
}

// deprovisioningWindow is the minutes that count. For others the next may have begun. Twelve items are less than a page.
func (s *Store) deprovisioningWindow(pk string) table.Range {
	minute := s.Now().Unix() / 60
	return table.Range{PK: pk, From: deprovisioningSortKey(minute - 10), To: deprovisioningSortKey(minute + 1)}
}

// ResetDeprovisioned begins to count at nought again.
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
