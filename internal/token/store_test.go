package token

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"serverless-scim/internal/table/bolt"
)

// newStore returns a Store on an empty table, and its current time, which the test can change.
func newStore(t *testing.T) (*Store, *time.Time) {
	t.Helper()
	tab, err := bolt.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tab.Close() })
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return &Store{Table: tab, Now: func() time.Time { return now }}, &now
}

func replaceToken(t *testing.T, s *Store, tenant, label, secret string) {
	t.Helper()
	if err := s.ReplaceToken(t.Context(), tenant, label, secret); err != nil {
		t.Fatal(err)
	}
}

// createToken creates a token of a tenant, and the tenant if it does not exist.
func createToken(t *testing.T, s *Store, tenant string, lifetime time.Duration) (string, Token) {
	t.Helper()
	if _, err := s.CreateTenant(t.Context(), tenant); err != nil && !errors.Is(err, ErrTenantExists) {
		t.Fatal(err)
	}
	secret := New(tenant)
	label := fmt.Sprint("connection ", hashToken(secret)[:8])
	issued, err := s.Create(t.Context(), tenant, label, secret, ScopeAll, lifetime)
	if err != nil {
		t.Fatal(err)
	}
	return secret, issued
}

// accepts reports whether Authenticate accepts a token.
func (s *Store) accepts(secret string) bool {
	_, err := s.Authenticate(context.Background(), []string{"Bearer " + secret})
	if err != nil && !errors.Is(err, ErrUnauthorized) {
		panic(err)
	}
	return err == nil
}
