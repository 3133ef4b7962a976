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

// warning is how long before its end a token is warned of.
const warning = 30 * day

// Expired is what came to its end, or soon does.
type Expired struct {
	Ending int `json:"ending"` // tokens that end within 30 days, and that none with their label outlives
	Purged int `json:"purged"` // tenants of which nothing is left
}

// Expire warns of tokens that end soon, and removes for good what was a tenant that has been deleted for 30 days. It is
// to be called every hour; what one call has no time for, the next does.
func (a Admin) Expire(ctx context.Context) (did Expired, err error) {
	all, err := a.Tokens.Tenants(ctx)
	if err != nil {
		return did, err
	}
	for _, t := range all {
		switch {
		case purging(t, a.Directory.Now()):
			if err := a.purge(ctx, t); err != nil {
				return did, err
			}
			did.Purged++
		case t.Deleted.IsZero() && t.Disabled.IsZero():
			n, err := a.warn(ctx, t)
			if did.Ending += n; err != nil {
				return did, err
			}
		}
	}
	return did, nil
}

func purging(t token.Tenant, now time.Time) bool {
	return !t.Deleted.IsZero() && now.Sub(t.Deleted) >= Grace
}

// warn tells of the tokens of a tenant that end soon. One that has been rotated is meant to end.
func (a Admin) warn(ctx context.Context, t token.Tenant) (ending int, err error) {
	list, err := a.Tokens.Tokens(ctx, t.Name)
	last := map[string]token.Token{}
	for _, one := range list {
		if one.Expires.After(last[one.Label].Expires) {
			last[one.Label] = one
		}
	}
	for _, one := range last {
		if left := one.Expires.Sub(a.Directory.Now()); left > 0 && left <= warning {
			ending++
			a.Log.WarnContext(ctx, "a token ends soon", "tenant", t.Name, "token", one.ID, "label", one.Label, "days", int(left/day))
		}
	}
	return ending, err
}

// purge removes every item of a tenant. Nothing of it is written any more: its tokens have opened nothing for a month.
// Only a Scan finds all, whatever they are. The tenant itself goes last: until then, purge begins again.
func (a Admin) purge(ctx context.Context, t token.Tenant) error {
	ours := table.Escape(t.Name) + "#"
	for from, first := (table.Key{}), true; first || from != (table.Key{}); first = false {
		page, err := a.Tokens.Table.Scan(ctx, 0, 1, from)
		if err != nil {
			return err
		}
		var keys []table.Key
		for _, it := range page.Items {
			k := it.Key()
			marker := k.PK == directory.Unfinished && strings.HasPrefix(k.SK, ours)
			secret := strings.HasPrefix(k.PK, "token#") && table.Text(it["tenant"]) == t.Name
			if strings.HasPrefix(k.PK, ours) || marker || secret {
				keys = append(keys, k)
			}
		}
		if err := a.remove(ctx, keys); err != nil {
			return err
		}
		from = page.Next
	}
	if err := a.Tokens.Forget(ctx, t); err != nil {
		return err
	}
	a.Log.WarnContext(ctx, "audit", "command", "purge", "tenant", t.Name, "outcome", "done")
	return nil
}

func (a Admin) remove(ctx context.Context, keys []table.Key) error {
	var g errgroup.Group
	g.SetLimit(16)
	for some := range slices.Chunk(keys, table.MaxActions) {
		writes := make([]table.Write, len(some))
		for i, k := range some {
			writes[i] = table.Delete{Key: k}
		}
		g.Go(func() error { return a.Tokens.Table.Write(ctx, writes...) })
	}
	return g.Wait()
}
