package token

import (
	"errors"
	"testing"

	"serverless-scim/internal/table"
)

func TestATokenHasTheScopeThatItWasCreatedWith(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	if _, err := s.CreateTenant(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	for _, scope := range []Scope{ScopeAll, ScopeRead} {
		secret, fresh := New("a"), New("a")
		created, err := s.Create(t.Context(), "a", string(scope), secret, scope, DefaultLifetime)
		if err != nil || created.Scope != scope {
			t.Errorf("Create: %+v, %v, want %s", created, err, scope)
		}
		rotated, err := s.Rotate(t.Context(), "a", created.ID, fresh, DefaultOverlap)
		if err != nil || rotated.Scope != scope {
			t.Errorf("Rotate: %+v, %v, want %s", rotated, err, scope)
		}
		for _, one := range []string{secret, fresh} {
			identity, err := s.Authenticate(t.Context(), []string{one})
			if err != nil || identity.Scope != scope || identity.Scope.AllowsWrites() != (scope == ScopeAll) {
				t.Errorf("Authenticate: %+v, %v, want %s", identity, err, scope)
			}
		}
	}
	list, err := s.Tokens(t.Context(), "a")
	if err != nil || len(list) != 4 {
		t.Fatal(list, err)
	}
	for _, issued := range list {
		if string(issued.Scope) != issued.Label {
			t.Errorf("the list has %+v", issued)
		}
	}
}

func TestReplaceTokenStoresNoScopeWhichMeansAll(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	replaceToken(t, s, "a", "given", "chosen")
	items, err := s.Table.Get(t.Context(), nil, tokenKey(hashToken("chosen")))
	if err != nil || len(items) != 1 || items[0]["scope"] != nil {
		t.Errorf("%v, %v", items, err)
	}
	if identity, err := s.Authenticate(t.Context(), []string{"chosen"}); err != nil || identity.Scope != ScopeAll {
		t.Errorf("%+v, %v", identity, err)
	}
}

// A token whose stored scope is not known is rejected, and cannot be created or rotated. It is listed and can be revoked.
func TestAnUnknownScopePermitsNothing(t *testing.T) {
	t.Parallel()
	for _, stored := range []string{"scim.later", "SCIM", " scim", ""} {
		s, _ := newStore(t)
		secret, issued := createToken(t, s, "a", DefaultLifetime)
		set := table.Update{Key: tokenKey(hashToken(secret)), Set: table.Item{"scope": table.S(stored)}}
		if err := s.Table.Write(t.Context(), set); err != nil {
			t.Fatal(err)
		}
		if s.accepts(secret) {
			t.Errorf("scope %q: the token is accepted", stored)
		}
		fresh := New("a")
		if _, err := s.Rotate(t.Context(), "a", issued.ID, fresh, DefaultOverlap); err == nil || s.accepts(fresh) {
			t.Errorf("scope %q: the token is rotated: %v", stored, err)
		}
		list, err := s.Tokens(t.Context(), "a")
		if err != nil || len(list) != 1 || list[0].Scope.IsKnown() || list[0].Scope.AllowsWrites() {
			t.Errorf("scope %q: the list is %+v, %v", stored, list, err)
		}
		if err := s.Revoke(t.Context(), "a", issued.ID); err != nil {
			t.Errorf("scope %q: %v", stored, err)
		}
	}
	s, _ := newStore(t)
	createToken(t, s, "a", DefaultLifetime)
	for _, scope := range []Scope{"", "scim.later"} {
		secret := New("a")
		_, err := s.Create(t.Context(), "a", "okta", secret, scope, DefaultLifetime)
		if err == nil || errors.Is(err, ErrNoTenant) || s.accepts(secret) {
			t.Errorf("a token of scope %q is created: %v", scope, err)
		}
	}
}
