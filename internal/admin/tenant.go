package admin

import (
	"context"
	"fmt"
	"time"

	"serverless-scim/internal/token"
)

// DeletedRetention is how long enable-tenant can restore a deleted tenant. After that, Expire purges the tenant.
const DeletedRetention = 30 * day

// A Tenant is the form in which commands return a tenant.
type Tenant struct {
	Tenant   string         `json:"tenant"`
	Created  time.Time      `json:"created"`
	Disabled *time.Time     `json:"disabled,omitempty"` // its tokens are rejected until enable-tenant
	Deleted  *time.Time     `json:"deleted,omitempty"`  // as disabled, and Expire purges the tenant later
	Purged   *time.Time     `json:"purged,omitempty"`   // from when on Expire deletes its items
	Stopped  *time.Time     `json:"stopped,omitempty"`  // the deprovisioning guard rejects deprovisioning until release-tenant
	Settings token.Settings `json:"settings"`           // defaults are omitted
	Counts   map[string]int `json:"counts,omitempty"`   // number of resources by type; only in show-tenant
}

func tenantView(t token.Tenant) Tenant {
	orNil := func(at time.Time) *time.Time {
		if at.IsZero() {
			return nil
		}
		return &at
	}
	out := Tenant{Tenant: t.Name, Created: t.Created,
		Disabled: orNil(t.DisabledAt), Deleted: orNil(t.DeletedAt), Stopped: orNil(t.DeprovisioningStoppedAt), Settings: t.Settings}
	if out.Deleted != nil {
		out.Purged = orNil(t.DeletedAt.Add(DeletedRetention))
	}
	return out
}

func (a Admin) createTenant(ctx context.Context, in commandInput) (any, error) {
	settings, err := a.mergeSettings(token.Settings{}, in.Settings)
	if err != nil {
		return nil, err
	}
	t, err := a.Tokens.CreateTenant(ctx, in.Tenant)
	if err == nil {
		err = a.directoryFor(in.Tenant).InitializeIndexes(ctx)
	}
	if err != nil || in.Settings == nil {
		return tenantView(t), err
	}
	return a.updateTenant(ctx, in, func(t *token.Tenant) error { t.Settings = settings; return nil })
}

func (a Admin) listTenants(ctx context.Context, _ commandInput) (any, error) {
	list, err := a.Tokens.Tenants(ctx)
	tenants := []Tenant{}
	for _, t := range list {
		tenants = append(tenants, tenantView(t))
	}
	return map[string]any{"tenants": tenants}, err
}

func (a Admin) showTenant(ctx context.Context, in commandInput) (any, error) {
	t, err := a.Tokens.Tenant(ctx, in.Tenant)
	if err != nil {
		return nil, err
	}
	out := tenantView(t)
	out.Counts = map[string]int{}
	for _, rt := range a.Directory.Store.Types.ResourceTypes {
		if out.Counts[rt.Name], err = a.directoryFor(in.Tenant).Count(ctx, rt); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (a Admin) updateTenant(ctx context.Context, in commandInput, change func(*token.Tenant) error) (any, error) {
	t, err := a.Tokens.UpdateTenant(ctx, in.Tenant, change)
	if err != nil {
		return nil, err
	}
	return tenantView(t), nil
}

func (a Admin) updateSettings(ctx context.Context, in commandInput) (any, error) {
	return a.updateTenant(ctx, in, func(t *token.Tenant) (err error) {
		t.Settings, err = a.mergeSettings(t.Settings, in.Settings)
		return err
	})
}

func (a Admin) disable(ctx context.Context, in commandInput) (any, error) {
	return a.updateTenant(ctx, in, func(t *token.Tenant) error {
		t.DisabledAt = firstTime(t.DisabledAt, a.Directory.Store.Now())
		return nil
	})
}

// enable restores a tenant that was disabled or deleted. After DeletedRetention it returns an error, because a purge
// may have begun.
func (a Admin) enable(ctx context.Context, in commandInput) (any, error) {
	return a.updateTenant(ctx, in, func(t *token.Tenant) error {
		if isDueForPurge(*t, a.Directory.Store.Now()) {
			return fmt.Errorf("tenant %s was deleted at least %d days ago and is being purged; create it again after the purge",
				in.Tenant, DeletedRetention/day)
		}
		t.DisabledAt, t.DeletedAt = time.Time{}, time.Time{}
		return nil
	})
}

func isDueForPurge(t token.Tenant, now time.Time) bool {
	return !t.DeletedAt.IsZero() && now.Sub(t.DeletedAt) >= DeletedRetention
}

func (a Admin) releaseTenant(ctx context.Context, in commandInput) (any, error) {
	if err := a.Tokens.ResetDeprovisioned(ctx, in.Tenant); err != nil {
		return nil, err
	}
	return a.updateTenant(ctx, in, func(t *token.Tenant) error { t.DeprovisioningStoppedAt = time.Time{}; return nil })
}

func (a Admin) deleteTenant(ctx context.Context, in commandInput) (any, error) {
	return a.updateTenant(ctx, in, func(t *token.Tenant) error {
		t.DeletedAt = firstTime(t.DeletedAt, a.Directory.Store.Now())
		return nil
	})
}

// firstTime returns since, or now if since is zero. So a repeated command keeps the time of the first one.
func firstTime(since, now time.Time) time.Time {
	if since.IsZero() {
		return now.UTC().Truncate(time.Second)
	}
	return since
}
