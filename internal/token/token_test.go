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

func replace(t *testing.T, s *Store, tenant, label, secret string) {
	t.Helper()
	if err := s.ReplaceToken(t.Context(), tenant, label, secret); err != nil {
		t.Fatal(err)
	}
}

// create makes a tenant and a token of it.
func create(t *testing.T, s *Store, tenant string, lifetime time.Duration) (string, Token) {
	t.Helper()
	if _, err := s.CreateTenant(t.Context(), tenant); err != nil && !errors.Is(err, ErrTenantExists) {
		t.Fatal(err)
	}
	secret := New(tenant)
	label := fmt.Sprint("connection ", hashToken(secret)[:8])
	made, err := s.Create(t.Context(), tenant, label, secret, lifetime)
	if err != nil {
		t.Fatal(err)
	}
	return secret, made
}

func (s *Store) opens(secret string) bool {
	_, err := s.Authenticate(context.Background(), []string{"Bearer " + secret})
	if err != nil && !errors.Is(err, ErrUnauthorized) {
		panic(err)
	}
	return err == nil
}

func TestATokenOpensItsTenantAlone(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	a, b := New("a"), New("b")
	replace(t, s, "a", "okta", a)
	replace(t, s, "b", "okta", b)
	for secret, tenant := range map[string]string{a: "a", b: "b"} {
		identity, err := s.Authenticate(t.Context(), []string{"Bearer " + secret})
		if err != nil || identity.Tenant.Name != tenant || identity.Label != "okta" || identity.ID != tokenID(hashToken(secret)) {
			t.Errorf("got %v %v, want tenant %s", identity, err, tenant)
		}
	}
}

func TestATokenIsRecognised(t *testing.T) {
	t.Parallel()
	a, b := New("acme"), New("acme")
	if a == b || !strings.HasPrefix(a, "scim_acme_") || len(a) != len("scim_acme_")+52+7 {
		t.Errorf("a token is a prefix, the tenant, 256 random bits and a checksum, got %q", a)
	}
	for i := range a {
		damaged := []byte(a)
		damaged[i] = "ab"[damaged[i]&1]
		if string(damaged) == a {
			continue
		}
		if _, ok := tenantFromToken(string(damaged)); ok && strings.HasPrefix(string(damaged), Prefix) {
			t.Errorf("%s passes for a token", damaged)
		}
	}
	for secret, tenant := range map[string]string{a: "acme", New("a_b"): "a_b", New("x/y#%"): "x/y#%", "chosen": ""} {
		if named, ok := tenantFromToken(secret); !ok || named != tenant {
			t.Errorf("%s names %q, want %q", secret, named, tenant)
		}
	}
}

func TestATokenIsSentAsOktaSendsIt(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	a, other := New("a"), New("a")
	replace(t, s, "a", "okta", a)
	basic := func(pair string) string { return base64.StdEncoding.EncodeToString([]byte(pair)) }
	for _, header := range []string{"Bearer " + a, "bearer " + a, "BEARER " + a, a, " " + a + " ", "Basic " + basic("okta:"+a), "basic " + basic(":"+a)} {
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
			t.Errorf("%.20q must be refused, got %v", header, err)
		}
	}
}

func TestTheSecretIsNotKept(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	secret := New("a")
	replace(t, s, "a", "okta", secret)
	p, err := s.Table.Scan(t.Context(), table.Key{})
	if err != nil || len(p.Items) != 3 {
		t.Fatal(p, err)
	}
	for _, it := range p.Items {
		var m map[string]any
		if err := attributevalue.UnmarshalMap(it, &m); err != nil || strings.Contains(fmt.Sprint(m), secret[len("scim_a_"):len(secret)-7]) {
			t.Errorf("the table holds the secret: %v %v", m, err)
		}
	}
}

func TestAReplacedTokenEnds(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	old, other, fresh := New("a"), New("a"), New("a")
	replace(t, s, "a", "automatic", old)
	replace(t, s, "a", "given", other)
	if !s.opens(old) {
		t.Fatal("a token is valid at once")
	}
	replace(t, s, "a", "automatic", fresh)
	replace(t, s, "a", "automatic", fresh) // again is no harm
	if *now = now.Add(cacheTTL); s.opens(old) || !s.opens(fresh) || !s.opens(other) {
		t.Error("the token before it ends after what may be remembered, and no other does")
	}
}

func TestATokenEndsAtOnceWhenItExpires(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	secret, _ := create(t, s, "a", 2*time.Second)
	for seconds, valid := range []bool{true, true, false} { // also where it is remembered
		if s.opens(secret) != valid {
			t.Errorf("after %d s: %v", seconds, !valid)
		}
		*now = now.Add(time.Second)
	}
}

func TestARevokedTokenEndsWithinSeconds(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	secret, made := create(t, s, "a", DefaultLifetime)
	unused, second := create(t, s, "a", DefaultLifetime)
	other, _ := create(t, s, "b", DefaultLifetime)
	if !s.opens(secret) || !s.opens(other) {
		t.Fatal("not valid")
	}
	for _, id := range []string{made.ID, second.ID} {
		if err := s.Revoke(t.Context(), "b", id); !errors.Is(err, ErrNoToken) {
			t.Errorf("another tenant's: %v", err)
		}
		if err := s.Revoke(t.Context(), "a", id); err != nil {
			t.Error(err)
		}
		if err := s.Revoke(t.Context(), "a", id); !errors.Is(err, ErrNoToken) {
			t.Errorf("again: %v", err)
		}
	}
	if s.opens(unused) {
		t.Error("what is not remembered ends at once")
	}
	if *now = now.Add(cacheTTL); s.opens(secret) || !s.opens(other) {
		t.Error("a revoked token ends after what may be remembered, and no other does")
	}
}

func TestAValidTokenIsRemembered(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	secret := New("a")
	replace(t, s, "a", "okta", secret)
	replace(t, s, "a", "chosen", "chosen")
	calls := func(header string) int {
		ctx, usage := table.WithUsage(context.Background())
		s.Authenticate(ctx, []string{"Bearer " + header})
		return usage().Calls
	}
	if first, second := calls(secret), calls(secret); first != 2 || second != 0 {
		t.Errorf("%d calls, then %d; want 2 (one marks the use), then none for 5 s", first, second)
	}
	if *now = now.Add(cacheTTL); calls(secret) != 1 {
		t.Error("a token and its tenant are asked for again after 5 s, in one call")
	}
	if calls("chosen"); calls("chosen") != 0 {
		t.Error("a token that names no tenant is remembered, too")
	}
	for range 2 {
		if calls(New("a")) != 1 || calls("wrong") != 1 {
			t.Error("what is refused is not remembered")
		}
		if damaged := secret[:len(secret)-1] + "-"; calls(damaged) != 0 {
			t.Error("what has no checksum costs no call")
		}
	}
}

func TestTheLastUseIsWrittenOnceAnHour(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	secret, _ := create(t, s, "a", DefaultLifetime)
	used := func() time.Time {
		list, err := s.Tokens(t.Context(), "a")
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		return list[0].Used
	}
	if !used().IsZero() {
		t.Error("never used")
	}
	first := *now
	for *now = first; now.Sub(first) < time.Hour; *now = now.Add(7 * time.Minute) {
		if s.opens(secret); !used().Equal(first) {
			t.Errorf("after %v: %v, want %v", now.Sub(first), used(), first)
		}
	}
	if s.opens(secret); !used().Equal(*now) {
		t.Errorf("after an hour: %v, want %v", used(), *now)
	}
}

// A write that comes late must not bring a revoked token back.
func TestMarkingBringsNothingBack(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	secret, made := create(t, s, "a", DefaultLifetime)
	plain := s.Table
	s.Table = tabletest.Faults{Table: plain, Before: func(c tabletest.Call) error {
		if c.Method != "Write" {
			return nil
		}
		return (&Store{Table: plain, Now: s.Now}).Revoke(t.Context(), "a", made.ID)
	}}
	if !s.opens(secret) {
		t.Error("whether the use can be marked is nothing to the request")
	}
	if s.cache = nil; s.opens(secret) {
		t.Error("a revoked token is back")
	}
}
