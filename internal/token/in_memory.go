package token

import (
	"context"
	"math"

	"serverless-scim/internal/table"
)

// An inMemoryToken is a token that is not stored.
type inMemoryToken struct {
	tokenItem
	secret string
}

// IssueInMemory returns a token of a tenant that only this Store accepts, until the process ends. The token is not stored,
// its use is not recorded, and its requests have no rate limit. Calls with the same arguments return the same token.
// Authenticate rejects the token as long as the tenant does not exist or is not active.
func (s *Store) IssueInMemory(tenant, label string, scope Scope) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.inMemory {
		if t.Tenant == tenant && t.Label == label && t.Scope == scope {
			return t.secret
		}
	}
	if s.inMemory == nil {
		s.inMemory = map[string]inMemoryToken{}
	}
	secret := New(tenant)
	hash := hashToken(secret)
	it := tokenItem{Key: tokenKey(hash), Tenant: tenant, Label: label, Scope: scope, ExpiresAt: math.MaxInt64}
	s.inMemory[hash] = inMemoryToken{it, secret}
	return secret
}

// loadInMemory reads the tenant of a token that is not stored.
func (s *Store) loadInMemory(ctx context.Context, t inMemoryToken) (cacheEntry, error) {
	e := cacheEntry{token: t.tokenItem, expiresAt: s.Now().Add(cacheTTL)}
	if !t.Scope.IsKnown() {
		return e, ErrUnauthorized
	}
	err := e.loadTenant(ctx, metered(s.Table))
	e.tenant.Settings.RateLimit = new(int) // no limit, because the counter would be written to the table
	return e, err
}

// loadTenant reads the tenant of the token. It returns ErrUnauthorized if the tenant does not exist or is not active.
func (e *cacheEntry) loadTenant(ctx context.Context, t table.Table) error {
	items, err := t.Get(ctx, nil, tenantKey(e.token.Tenant))
	if err != nil {
		return err
	}
	if len(items) == 0 {
		return ErrUnauthorized
	}
	return e.setTenant(items[0])
}

// setTenant decodes the tenant of the token. It returns ErrUnauthorized if the tenant is not active.
func (e *cacheEntry) setTenant(it table.Item) (err error) {
	if e.tenant, err = decodeTenant(it); err == nil && !e.tenant.isActive() {
		err = ErrUnauthorized
	}
	return err
}
