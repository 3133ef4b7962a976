package admin

import (
	"context"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"serverless-scim/internal/feed"
	"serverless-scim/internal/format"
	"serverless-scim/internal/table"
	"serverless-scim/internal/token"
)

const (
	expiryWarningAge     = 30 * day // how long before the end of a token or client secret the warnings begin
	maxConcurrentDeletes = 16
)

// An ExpireResult counts what a call of Expire found.
type ExpireResult struct {
	// ExpiringTokens counts tokens and client secrets that end within expiryWarningAge and have no successor: a later token
	// with the same label, or a later secret of the same client.
	ExpiringTokens int `json:"ending"`
	PurgedTenants  int `json:"purged"` // tenants whose items were all deleted
}

// Expire logs a warning for each token and client secret that ends soon. It purges tenants that have been deleted for
// DeletedRetention. It also starts backfills for attributes that have become indexed, renews change logs, and writes the
// format item of a table that has none. It must be called every hour. If a call fails or runs out of time, the next call
// continues.
func (a Admin) Expire(ctx context.Context) (result ExpireResult, err error) {
	if err := format.Mark(ctx, a.Directory.Store.Table); err != nil {
		return result, err
	}
	tenants, err := a.Tokens.Tenants(ctx)
	if err != nil {
		return result, err
	}
	for _, t := range tenants {
		switch {
		case isDueForPurge(t, a.Directory.Store.Now()):
			if err := a.purge(ctx, t); err != nil {
				return result, err
			}
			result.PurgedTenants++
		case t.DeletedAt.IsZero() && t.DisabledAt.IsZero():
			n, err := a.warnExpiring(ctx, t)
			result.ExpiringTokens += n
			if err == nil {
				n, err = a.warnExpiringSecrets(ctx, t)
				result.ExpiringTokens += n
			}
			if err == nil {
				err = a.directoryFor(t.Name).SyncIndexes(ctx)
			}
			if err == nil {
				err = feed.Renew(ctx, a.Directory.Store, t.Name)
			}
			if err != nil {
				return result, err
			}
		}
	}
	return result, nil
}

// warnExpiring logs a warning for each token of a tenant that ends soon, and returns their number. It considers only
// the token of each label that ends last, because the other ones have been rotated.
func (a Admin) warnExpiring(ctx context.Context, t token.Tenant) (expiring int, err error) {
	list, err := a.Tokens.Tokens(ctx, t.Name)
	last := map[string]token.Token{} // by label
	for _, tok := range list {
		if tok.ExpiresAt.After(last[tok.Label].ExpiresAt) {
			last[tok.Label] = tok
		}
	}
	for label, tok := range last {
		if days, soon := a.endsSoon(tok.ExpiresAt); soon {
			expiring++
			a.Log.WarnContext(ctx, "a token ends soon", "tenant", t.Name, "token", tok.ID, "label", label, "days", days)
		}
	}
	return expiring, err
}

// warnExpiringSecrets logs a warning for each client of a tenant whose last secret ends soon, and returns their number.
func (a Admin) warnExpiringSecrets(ctx context.Context, t token.Tenant) (expiring int, err error) {
	clients, err := a.Tokens.Clients(ctx, t.Name)
	for _, c := range clients {
		var end time.Time
		for _, secret := range c.Secrets {
			if secret.ExpiresAt.After(end) {
				end = secret.ExpiresAt
			}
		}
		if days, soon := a.endsSoon(end); soon {
			expiring++
			a.Log.WarnContext(ctx, "a client secret ends soon", "tenant", t.Name, "client", c.ID, "label", c.Label, "days", days)
		}
	}
	return expiring, err
}

// endsSoon reports whether a time is within expiryWarningAge, and in how many days it is.
func (a Admin) endsSoon(end time.Time) (days int, soon bool) {
	remaining := end.Sub(a.Directory.Store.Now())
	return int(remaining / day), remaining > 0 && remaining <= expiryWarningAge
}

// purge deletes every item of a tenant. It needs no conditions, because the tokens of the tenant have been rejected for
// DeletedRetention, so no request writes its items. It uses Scan, which finds items of every kind. The tenant item is
// deleted last, so that an interrupted purge is repeated.
func (a Admin) purge(ctx context.Context, t token.Tenant) error {
	dir := a.directoryFor(t.Name)
	for from, first := (table.Key{}), true; first || from != (table.Key{}); first = false {
		page, err := a.Tokens.Table.Scan(ctx, from)
		if err != nil {
			return err
		}
		var keys []table.Key
		for _, it := range page.Items {
			k := it.Key()
			isToken := strings.HasPrefix(k.PK, "token#") && table.StringValue(it["tenant"]) == t.Name
			if dir.Owns(k) || isToken {
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
	g.SetLimit(maxConcurrentDeletes)
	for batch := range slices.Chunk(keys, table.MaxTransactionActions) {
		writes := make([]table.Write, len(batch))
		for i, k := range batch {
			writes[i] = table.Delete{Key: k}
		}
		g.Go(func() error { return a.Tokens.Table.Write(ctx, writes...) })
	}
	return g.Wait()
}
