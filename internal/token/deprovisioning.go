package token

import (
	"context"
	"fmt"

	"serverless-scim/internal/table"
)

// Deprovisioned counts more deprovisioned users of a tenant, and returns how many there were in the last ten minutes,
// these among them. Each counts for ten minutes, and for less than eleven. Everyone adds before reading, so of many at
// once no more than a limit see a sum within it.
func (s *Store) Deprovisioned(ctx context.Context, tenant string, by int) (int, error) {
	t, now, pk := metered(s.Table), s.Now().Unix(), counters(tenant)
	minute := now / 60
	err := t.Write(ctx, table.Update{
		Key: table.Key{PK: pk, SK: deprovisioned(minute)},
		Add: table.Item{"n": table.N(int64(by))}, Set: table.Item{"expires": table.N(now + 3600)},
	})
	if err != nil {
		return 0, err
	}
	page, err := t.Query(ctx, s.counted(pk))
	sum := 0
	for _, it := range page.Items {
		sum += int(table.Int(it["n"]))
	}
	return sum, err
}

// counted is the minutes that count. For others the next may have begun. Twelve items are less than a page.
func (s *Store) counted(pk string) table.Range {
	minute := s.Now().Unix() / 60
	return table.Range{PK: pk, From: deprovisioned(minute - 10), To: deprovisioned(minute + 1)}
}

// ForgetDeprovisioned begins to count at nought again.
func (s *Store) ForgetDeprovisioned(ctx context.Context, tenant string) error {
	page, err := s.Table.Query(ctx, s.counted(counters(tenant)))
	if err != nil || len(page.Items) == 0 {
		return err
	}
	var writes []table.Write
	for _, it := range page.Items {
		writes = append(writes, table.Delete{Key: it.Key()})
	}
	return s.Table.Write(ctx, writes...)
}

func deprovisioned(minute int64) string { return fmt.Sprintf("deprovisioned#%012d", minute) }
