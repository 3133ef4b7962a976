package token

import (
	"context"
	"errors"
	"testing"
	"time"

	"serverless-scim/internal/table"
)

// A readTable is a table to which the test must not write.
type readTable struct {
	table.Table
	*testing.T
}

func (t readTable) Write(context.Context, ...table.Write) error {
	t.T.Error("the table is written")
	return errors.New("the table is written")
}

// newStores returns a Store that reads the tenant a, and another one on the same table that also writes.
func newStores(t *testing.T) (s, other *Store, now *time.Time) {
	t.Helper()
	other, now = newStore(t)
	if _, err := other.CreateTenant(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	return &Store{Table: readTable{other.Table, t}, Now: other.Now}, other, now
}

// A token in memory is accepted by the Store that issued it, and by no other. It is written nowhere, not even its use.
func TestATokenInMemoryIsAcceptedByItsStoreAlone(t *testing.T) {
	t.Parallel()
	s, other, now := newStores(t)
	secret := s.IssueInMemory("a", "console", ScopeAll)
	for range 3 {
		identity, err := s.Authenticate(t.Context(), []string{"Bearer " + secret})
		if err != nil || identity.Tenant.Name != "a" || identity.Label != "console" || len(identity.ID) != 16 {
			t.Errorf("%+v, %v", identity, err)
		}
		if limit := identity.Tenant.Settings.RateLimit; limit == nil || *limit != 0 {
			t.Error("the requests have a rate limit, whose counter would be written")
		}
		*now = now.Add(MaxLifetime)
	}
	if other.accepts(secret) {
		t.Error("another Store accepts the token")
	}
	if list, err := s.Tokens(t.Context(), "a"); err != nil || len(list) != 0 {
		t.Errorf("the tenant lists %v, %v", list, err)
	}
}

// Calls with the same arguments return the same token, so that the tokens in memory do not become more.
func TestATokenInMemoryIsIssuedOnce(t *testing.T) {
	t.Parallel()
	s, _, _ := newStores(t)
	secrets := map[string]bool{}
	for range 2 {
		for _, scope := range []Scope{ScopeAll, ScopeRead} {
			secrets[s.IssueInMemory("a", "console", scope)] = true
			secrets[s.IssueInMemory("b", "console", scope)] = true
			secrets[s.IssueInMemory("a", "other", scope)] = true
		}
	}
	if len(secrets) != 6 || len(s.inMemory) != 6 {
		t.Errorf("%d tokens, want 6", len(secrets))
	}
}

// A token in memory has the scope that it was issued with. An unknown scope permits nothing.
func TestATokenInMemoryHasItsScope(t *testing.T) {
	t.Parallel()
	s, _, _ := newStores(t)
	for _, scope := range []Scope{ScopeAll, ScopeRead} {
		identity, err := s.Authenticate(t.Context(), []string{s.IssueInMemory("a", "console", scope)})
		if err != nil || identity.Scope != scope {
			t.Errorf("%+v, %v, want %s", identity, err, scope)
		}
	}
	for _, scope := range []Scope{"", "scim.later"} {
		if s.accepts(s.IssueInMemory("a", "console", scope)) {
			t.Errorf("a token of the scope %q is accepted", scope)
		}
	}
}

// A token in memory is rejected while its tenant does not exist or is not active. The tenant is as fresh as for any token.
func TestATokenInMemoryNeedsAnActiveTenant(t *testing.T) {
	t.Parallel()
	s, other, now := newStores(t)
	secret, missing := s.IssueInMemory("a", "console", ScopeAll), s.IssueInMemory("b", "console", ScopeAll)
	set := func(change func(*Tenant)) {
		t.Helper()
		if _, err := other.UpdateTenant(t.Context(), "a", func(x *Tenant) error { change(x); return nil }); err != nil {
			t.Fatal(err)
		}
		*now = now.Add(cacheTTL)
	}
	if s.accepts(missing) || !s.accepts(secret) {
		t.Error("the tenant b does not exist, and a does")
	}
	set(func(x *Tenant) { x.DisabledAt = *now })
	if s.accepts(secret) {
		t.Error("the tenant is disabled")
	}
	set(func(x *Tenant) { x.DisabledAt = time.Time{} })
	if !s.accepts(secret) {
		t.Error("the tenant is enabled again")
	}
	set(func(x *Tenant) { x.DeletedAt = *now })
	if s.accepts(secret) {
		t.Error("the tenant is deleted")
	}
	if _, err := other.CreateTenant(t.Context(), "b"); err != nil || !s.accepts(missing) {
		t.Errorf("the tenant b exists now: %v", err)
	}
}

// The error of the table is returned as it is, because the client can try again.
func TestATokenInMemoryReportsTheErrorOfTheTable(t *testing.T) {
	t.Parallel()
	s, _, _ := newStores(t)
	secret := s.IssueInMemory("a", "console", ScopeAll)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Authenticate(ctx, []string{secret}); err == nil || errors.Is(err, ErrUnauthorized) {
		t.Errorf("got %v", err)
	}
}
