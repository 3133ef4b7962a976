package admin

import (
	"context"

	"serverless-scim/internal/feed"
	"serverless-scim/internal/token"
)

// resetFeed makes the cursors of a tenant expire, or those of all tenants if the command names none.
func (a Admin) resetFeed(ctx context.Context, in commandInput) (any, error) {
	tenants, err := a.tenantsOf(ctx, in.Tenant)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, t := range tenants {
		if err := feed.Reset(ctx, a.Directory.Store, t.Name); err != nil {
			return nil, err
		}
		names = append(names, t.Name)
	}
	return map[string][]string{"reset": names}, nil
}

// tenantsOf returns the tenant with a name, or all tenants if the name is empty.
func (a Admin) tenantsOf(ctx context.Context, name string) ([]token.Tenant, error) {
	if name == "" {
		return a.Tokens.Tenants(ctx)
	}
	t, err := a.Tokens.Tenant(ctx, name)
	return []token.Tenant{t}, err
}
