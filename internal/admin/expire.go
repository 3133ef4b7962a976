package admin

import (
	"context"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/table"
	"serverless-scim/internal/token"
)

// expiryWarningAge is how long before its end a token is warned of.
const expiryWarningAge = 30 * day

// ExpireResult is what came to its end, or soon does.
type ExpireResult struct {
	ExpiringTokens int `json:"ending"` // tokens that end within 30 days, and that none with their label outlives
	PurgedTenants  int `json:"purged"` // tenants of which nothing is left
}

// Expire warns of tokens that end soon, and removes for good what was a tenant that has been deleted for 30 days. It is
// to be called every hour; what one call has no time for, the next does.
func (a Admin) Expire(ctx context.Context) (did ExpireResult, err error) {
	all, err := a.Tokens.Tenants(ctx)
	if err != nil {
		return did, err
	}
	for _, t := range all {
		switch {
		case isDueForPurge(t, a.Directory.Now()):
			if err := a.purge(ctx, t); err != nil {
				return did, err
			}
			did.PurgedTenants++
		case t.DeletedAt.IsZero() && t.DisabledAt.IsZero():
			n, err := a.warnExpiring(ctx, t)
			if did.ExpiringTokens += n; err != nil {
				return did, err
			}
		}
	}
	return did, nil
}

func isDueForPurge(t token.Tenant, now time.Time) bool {
	return !t.DeletedAt.IsZero() && now.Sub(t.DeletedAt) >= DeletedRetention
}

// warnExpiring tells of the tokens of a tenant that end soon. One that has been rotated is meant to end.
func (a Admin) warnExpiring(ctx context.Context, t token.Tenant) (ending int, err error) {
	list, err := a.Tokens.Tokens(ctx, t.Name)
	last := map[string]token.Token{}
	for _, one := range list {
		if one.Expires.After(last[one.Label].Expires) {
			last[one.Label] = one
		}
	}
	for _, one := range last {
		if left := one.Expires.Sub(a.Directory.Now()); left > 0 && left <= expiryWarningAge {
			ending++
			a.Log.WarnContext(ctx, "a token ends soon", "tenant", t.Name, "token", one.ID, "label", one.Label, "days", int(left/day))
		}
	}
	return ending, err
}

// purge removes every item of a tenant. Nothing of it is written any more: its tokens have opened nothing for a month.
// Only a Scan finds all, whatever they are. The tenant itself goes last: until then, purge begins again.
func (a Admin) purge(ctx context.Context, t token.Tenant) error {
	ours := table.EscapeKeyPart(t.Name) + "#"
	for from, first := (table.Key{}), true; first || from != (table.Key{}); first = false {
		page, err := a.Tokens.Table.Scan(ctx, from)
		if err != nil {
			return err
		}
		var keys []table.Key
		for _, it := range page.Items {
			k := it.Key()
			marker := k.PK == directory.IntentPartition && strings.HasPrefix(k.SK, ours)
			secret := strings.HasPrefix(k.PK, "token#") && table.StringValue(it["tenant"]) == t.Name
			if strings.HasPrefix(k.PK, ours) || marker || secret {
				keys = append(keys, k)
			}
		}
		if err := a.deleteKeys(ctx, keys); err != nil {
			return err
		}
		from = page.LastEvaluatedKey
	}
	if err := a.Tokens.PurgeTenant(ctx, t); err != nil {
		return err
	}
	a.Log.WarnContext(ctx, "audit", "command", "purge", "tenant", t.Name, "outcome", "done")
	return nil
}

func (a Admin) deleteKeys(ctx context.Context, keys []table.Key) error {
	var g errgroup.Group
	g.SetLimit(16)
	for some := range slices.Chunk(keys, table.MaxTransactionActions) {
		writes := make([]table.Write, len(some))
		for i, k := range some {
			writes[i] = table.Delete{Key: k}
		}
		g.Go(func() error { return a.Tokens.Table.Write(ctx, writes...) })
	}
	return g.Wait()
}
