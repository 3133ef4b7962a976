package token

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/table/tabletest"
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
	issued, err := s.Create(t.Context(), tenant, label, secret, lifetime)
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

func TestATokenIdentifiesItsTenant(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	a, b := New("a"), New("b")
	replaceToken(t, s, "a", "okta", a)
	replaceToken(t, s, "b", "okta", b)
	for secret, tenant := range map[string]string{a: "a", b: "b"} {
		identity, err := s.Authenticate(t.Context(), []string{"Bearer " + secret})
		id := tokenID(hashToken(secret))
		if err != nil || identity.Tenant.Name != tenant || identity.Label != "okta" || identity.ID != id {
			t.Errorf("got %v %v, want tenant %s", identity, err, tenant)
		}
	}
}

func TestGeneratedTokensHaveAPrefixATenantAndAChecksum(t *testing.T) {
	t.Parallel()
	a, b := New("acme"), New("acme")
	if a == b || !strings.HasPrefix(a, "scim_acme_") || len(a) != len("scim_acme_")+52+7 {
		t.Errorf("got %q, want a prefix, the tenant, 256 random bits and a checksum", a)
	}
	for i := range a {
		altered := []byte(a)
		altered[i] = "ab"[altered[i]&1]
		if string(altered) == a {
			continue
		}
		if _, ok := tenantFromToken(string(altered)); ok && strings.HasPrefix(string(altered), Prefix) {
			t.Errorf("%s is accepted as a generated token", altered)
		}
	}
	for secret, tenant := range map[string]string{a: "acme", New("a_b"): "a_b", New("x/y#%"): "x/y#%", "chosen": ""} {
		if got, ok := tenantFromToken(secret); !ok || got != tenant {
			t.Errorf("tenant in %s: got %q, want %q", secret, got, tenant)
		}
	}
}

func TestAuthenticateAcceptsTheHeaderFormsOfOkta(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	a, other := New("a"), New("a")
	replaceToken(t, s, "a", "okta", a)
	basic := func(pair string) string { return base64.StdEncoding.EncodeToString([]byte(pair)) }
	for _, header := range []string{
		"Bearer " + a, "bearer " + a, "BEARER " + a, a, " " + a + " ", "Basic " + basic("okta:"+a), "basic " + basic(":"+a),
	} {
		if _, err := s.Authenticate(t.Context(), []string{header}); err != nil {
			t.Errorf("%.9q: %v", header, err)
		}
	}
	for _, header := range [][]string{
		nil, {}, {""}, {" "}, {"Bearer"}, {"Bearer "}, {"bearer"}, {"Basic"}, {"Basic "}, {"Basic " + basic(a)}, {"Basic " + a},
		{"Basic " + basic(a+":")}, {"Bearer " + basic(":"+a)}, {"Token " + a}, {"Bearer  " + a}, {"Bearer " + a + " " + a},
		{"Bearer " + a + a}, {"Bearer " + a, "Bearer " + a}, {"Bearer " + a[:len(a)-1]}, {"Bearer " + other}, {"Bearer\t" + a},
		{"Bearer " + a + "é"}, {"Bearer " + a + "\x00"}, {"Bearer " + a + strings.Repeat(" ", 10<<10)}, {strings.ToUpper(a)},
	} {
		if _, err := s.Authenticate(t.Context(), header); !errors.Is(err, ErrUnauthorized) {
			t.Errorf("%.20q: got %v, want ErrUnauthorized", header, err)
		}
	}
}

func TestTheTableDoesNotHoldTheToken(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	secret := New("a")
	replaceToken(t, s, "a", "okta", secret)
	p, err := s.Table.Scan(t.Context(), table.Key{})
	if err != nil || len(p.Items) != 3 {
		t.Fatal(p, err)
	}
	for _, it := range p.Items {
		var m map[string]any
		random := secret[len("scim_a_") : len(secret)-7]
		if err := attributevalue.UnmarshalMap(it, &m); err != nil || strings.Contains(fmt.Sprint(m), random) {
			t.Errorf("the table holds the token: %v %v", m, err)
		}
	}
}

func TestReplaceTokenInvalidatesTheOldToken(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	old, other, fresh := New("a"), New("a"), New("a")
	replaceToken(t, s, "a", "automatic", old)
	replaceToken(t, s, "a", "given", other)
	if !s.accepts(old) {
		t.Fatal("a new token is not accepted at once")
	}
	replaceToken(t, s, "a", "automatic", fresh)
	replaceToken(t, s, "a", "automatic", fresh) // a repetition changes nothing
	if *now = now.Add(cacheTTL); s.accepts(old) || !s.accepts(fresh) || !s.accepts(other) {
		t.Error("after cacheTTL, only the replaced token must be rejected")
	}
}

func TestAnExpiredTokenIsRejectedAtOnce(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	secret, _ := createToken(t, s, "a", 2*time.Second)
	for seconds, valid := range []bool{true, true, false} { // although it is in the cache
		if s.accepts(secret) != valid {
			t.Errorf("after %d s: accepted is %v, want %v", seconds, !valid, valid)
		}
		*now = now.Add(time.Second)
	}
}

func TestARevokedTokenIsRejectedAfterCacheTTL(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	secret, issued := createToken(t, s, "a", DefaultLifetime)
	unused, second := createToken(t, s, "a", DefaultLifetime)
	other, _ := createToken(t, s, "b", DefaultLifetime)
	if !s.accepts(secret) || !s.accepts(other) {
		t.Fatal("a new token is not accepted")
	}
	for _, id := range []string{issued.ID, second.ID} {
		if err := s.Revoke(t.Context(), "b", id); !errors.Is(err, ErrNoToken) {
			t.Errorf("token of another tenant: got %v, want ErrNoToken", err)
		}
		if err := s.Revoke(t.Context(), "a", id); err != nil {
			t.Error(err)
		}
		if err := s.Revoke(t.Context(), "a", id); !errors.Is(err, ErrNoToken) {
			t.Errorf("revoked token: got %v, want ErrNoToken", err)
		}
	}
	if s.accepts(unused) {
		t.Error("a revoked token that is not in the cache is accepted")
	}
	if *now = now.Add(cacheTTL); s.accepts(secret) || !s.accepts(other) {
		t.Error("after cacheTTL, only the revoked token must be rejected")
	}
}

func TestValidTokensAreCachedForFiveSeconds(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	secret := New("a")
	replaceToken(t, s, "a", "okta", secret)
	replaceToken(t, s, "a", "chosen", "chosen")
	calls := func(header string) int {
		ctx, usage := table.WithUsage(context.Background())
		s.Authenticate(ctx, []string{"Bearer " + header})
		return usage().Calls
	}
	if first, second := calls(secret), calls(secret); first != 2 || second != 0 {
		t.Errorf("%d calls, then %d; want 2 (a read, and a write of the last use), then 0", first, second)
	}
	if *now = now.Add(cacheTTL); calls(secret) != 1 {
		t.Error("after 5 s, a token and its tenant must be read again in one call")
	}
	if calls("chosen"); calls("chosen") != 0 {
		t.Error("a token without a tenant's name is not cached")
	}
	for range 2 {
		if calls(New("a")) != 1 || calls("wrong") != 1 {
			t.Error("a rejected token must be read every time")
		}
		if altered := secret[:len(secret)-1] + "-"; calls(altered) != 0 {
			t.Error("a token with a wrong checksum must not cost a call")
		}
	}
}

func TestTheLastUseIsWrittenOncePerHour(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	secret, _ := createToken(t, s, "a", DefaultLifetime)
	lastUse := func() time.Time {
		list, err := s.Tokens(t.Context(), "a")
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		return list[0].LastUsedAt
	}
	if !lastUse().IsZero() {
		t.Error("an unused token has a last use")
	}
	first := *now
	for *now = first; now.Sub(first) < time.Hour; *now = now.Add(7 * time.Minute) {
		if s.accepts(secret); !lastUse().Equal(first) {
			t.Errorf("after %v: %v, want %v", now.Sub(first), lastUse(), first)
		}
	}
	if s.accepts(secret); !lastUse().Equal(*now) {
		t.Errorf("after an hour: %v, want %v", lastUse(), *now)
	}
}

func TestRecordUseDoesNotBringARevokedTokenBack(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	secret, issued := createToken(t, s, "a", DefaultLifetime)
	original := s.Table
	s.Table = tabletest.Faults{Table: original, Before: func(c tabletest.Call) error {
		if c.Method != "Write" {
			return nil
		}
		return (&Store{Table: original, Now: s.Now}).Revoke(t.Context(), "a", issued.ID)
	}}
	if !s.accepts(secret) {
		t.Error("a failed write of the last use must not fail the request")
	}
	if s.cache = nil; s.accepts(secret) {
		t.Error("a revoked token is accepted again")
	}
}
