package token

import (
	"context"
	"errors"

	"serverless-scim/internal/table"
)

var (
	// ErrNoTenant reports that no tenant has the name. When a token is issued, it also reports a tenant that delete-tenant has
	// marked as deleted and that is not purged yet.
	ErrNoTenant = errors.New("token: the tenant does not exist")
	// ErrTenantExists reports that a tenant with the name exists already.
	ErrTenantExists = errors.New("token: a tenant with this name exists")
)

// CreateTenant stores a tenant with the default settings. It returns ErrTenantExists if the name is taken.
func (s *Store) CreateTenant(ctx context.Context, name string) (Tenant, error) {
	t := Tenant{Name: name, Created: fromUnix(s.Now().Unix()), version: 1}
	write := table.Put{Item: t.item(), If: []table.Condition{table.NotExists()}}
	return t, replaceConditionError(ErrTenantExists, s.Table.Write(ctx, write))
}

// Tenant reads a tenant, even if it is disabled or marked as deleted. It returns ErrNoTenant if the tenant does not exist.
func (s *Store) Tenant(ctx context.Context, name string) (Tenant, error) {
	items, err := s.Table.Get(ctx, nil, tenantKey(name))
	if err != nil {
		return Tenant{}, err
	}
	if len(items) == 0 {
		return Tenant{}, ErrNoTenant
	}
	return decodeTenant(items[0])
}

// Exists reports whether a tenant exists and is not marked as deleted.
func (s *Store) Exists(ctx context.Context, name string) (bool, error) {
	t, err := s.Tenant(ctx, name)
	if errors.Is(err, ErrNoTenant) {
		return false, nil
	}
	return err == nil && t.DeletedAt.IsZero(), err
}

// Tenants reads all tenants in the order of their names, including disabled and deleted tenants.
func (s *Store) Tenants(ctx context.Context) (tenants []Tenant, err error) {
	r := table.Range{PK: tenantPartition}
	for {
		page, err := s.Table.Query(ctx, r)
		if err != nil {
			return nil, err
		}
		for _, it := range page.Items {
			t, err := decodeTenant(it)
			if err != nil {
				return nil, err
			}
			tenants = append(tenants, t)
		}
		if r.ExclusiveStart = page.LastEvaluatedKey.SK; r.ExclusiveStart == "" {
			return tenants, nil
		}
	}
}

// UpdateTenant reads a tenant, applies change to it and writes it back. After a conflict it reads the tenant again, so change
// may be called several times and must have no side effects. UpdateTenant returns ErrNoTenant, the error of
// change, or *table.TransientError if conflicts last until the deadline.
func (s *Store) UpdateTenant(ctx context.Context, name string, change func(*Tenant) error) (t Tenant, err error) {
	err = table.Backoff{}.RetryConflicts(ctx, func() error {
		if t, err = s.Tenant(ctx, name); err != nil {
			return err
		}
		unchanged := table.Equals("ver", table.N(t.version))
		t.version++
		if err := change(&t); err != nil {
			return err
		}
		write := table.Put{Item: t.item(), If: []table.Condition{unchanged}}
		return replaceConditionError(table.ErrConflict, s.Table.Write(ctx, write))
	})
	return t, err
}

// StopDeprovisioning records that the deprovisioning guard has stopped a tenant: until release-tenant, its users cannot be
// deactivated or deleted. first reports whether this call was the first to record it.
func (s *Store) StopDeprovisioning(ctx context.Context, name string) (first bool, err error) {
	_, err = s.UpdateTenant(ctx, name, func(t *Tenant) error {
		if first = t.DeprovisioningStoppedAt.IsZero(); first {
			t.DeprovisioningStoppedAt = fromUnix(s.Now().Unix())
		}
		return nil
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cache = nil // takes effect in this process at once, and in others when their cache expires
	return first, err
}

// PurgeTenant deletes the tenant item, after the caller has deleted every other item of the tenant. It returns
// *table.ConditionError if the tenant has changed since t was read.
func (s *Store) PurgeTenant(ctx context.Context, t Tenant) error {
	unchanged := table.Equals("ver", table.N(t.version))
	return s.Table.Write(ctx, table.Delete{Key: tenantKey(t.Name), If: []table.Condition{unchanged}})
}
