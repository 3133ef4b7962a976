package token

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
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
	if err := s.Replace(t.Context(), tenant, label, secret); err != nil {
		t.Fatal(err)
	}
}

func TestATokenOpensItsTenantAlone(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	a, b := New(), New()
	if a == b || !strings.HasPrefix(a, Prefix) || len(a) < len(Prefix)+43 {
		t.Errorf("a token is 256 random bits with a prefix, got %q", a)
	}
	replace(t, s, "a", "okta", a)
	replace(t, s, "b", "okta", b)
	for secret, tenant := range map[string]string{a: "a", b: "b"} {
		id, err := s.Authenticate(t.Context(), []string{"Bearer " + secret})
		if err != nil || id != (Identity{tenant, "okta"}) {
			t.Errorf("got %v %v, want tenant %s", id, err, tenant)
		}
	}
	for _, header := range [][]string{nil, {}, {""}, {"Bearer"}, {"Bearer "}, {a}, {"Bearer " + a + b}, {"Bearer " + a, "Bearer " + a}} {
		if _, err := s.Authenticate(t.Context(), header); !errors.Is(err, ErrUnauthorized) {
			t.Errorf("%.20q must be refused, got %v", header, err)
		}
	}
}

func TestTheSecretIsNotKept(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	secret := New()
	replace(t, s, "a", "okta", secret)
	p, err := s.Table.Scan(t.Context(), 0, 1, table.Key{})
	if err != nil || len(p.Items) != 2 {
		t.Fatal(p, err)
	}
	for _, it := range p.Items {
		var m map[string]any
		if err := attributevalue.UnmarshalMap(it, &m); err != nil || strings.Contains(fmt.Sprint(m), strings.TrimPrefix(secret, Prefix)) {
			t.Errorf("the table holds the secret: %v %v", m, err)
		}
	}
}

func TestAReplacedTokenEnds(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	old, other, fresh := New(), New(), New()
	replace(t, s, "a", "automatic", old)
	replace(t, s, "a", "given", other)
	valid := func(secret string) bool {
		_, err := s.Authenticate(t.Context(), []string{"Bearer " + secret})
		return err == nil
	}
	if !valid(old) {
		t.Fatal("a token is valid at once")
	}
	replace(t, s, "a", "automatic", fresh)
	replace(t, s, "a", "automatic", fresh) // again is no harm
	if *now = now.Add(remembered); valid(old) || !valid(fresh) || !valid(other) {
		t.Error("the token before it ends after what may be remembered, and no other does")
	}
}

func TestAnExpiredTokenEndsAtOnce(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	secret := New()
	it, err := attributevalue.MarshalMap(item{Key: key(hashed(secret)), Tenant: "a", Expires: now.Unix() + 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Table.Write(t.Context(), table.Put{Item: it}); err != nil {
		t.Fatal(err)
	}
	for seconds, valid := range []bool{true, true, false} { // also where it is remembered
		if _, err := s.Authenticate(t.Context(), []string{"Bearer " + secret}); (err == nil) != valid {
			t.Errorf("after %d s: %v", seconds, err)
		}
		*now = now.Add(time.Second)
	}
}

func TestAValidTokenIsRemembered(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	secret := New()
	replace(t, s, "a", "okta", secret)
	calls := func(header string) int {
		ctx, usage := table.WithUsage(context.Background())
		s.Authenticate(ctx, []string{"Bearer " + header})
		return usage().Calls
	}
	if first, second := calls(secret), calls(secret); first != 1 || second != 0 {
		t.Errorf("%d calls, then %d; want 1, then none for 5 s", first, second)
	}
	if *now = now.Add(remembered); calls(secret) != 1 {
		t.Error("a token is asked for again after 5 s")
	}
	for range 2 {
		if calls("wrong") != 1 {
			t.Error("what is refused is not remembered")
		}
	}
}
