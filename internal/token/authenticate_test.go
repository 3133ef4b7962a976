package token

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/leniency"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

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

// The profile interop accepts a token as a bearer token or alone, and refuses it as a password.
func TestProfilesAcceptFormsOfTheToken(t *testing.T) {
	t.Parallel()
	for profile, refused := range map[Profile]string{"": "", ProfileLenient: "", ProfileInterop: "basic"} {
		for _, scheme := range []string{"bearer", "", "basic"} {
			i, l := Identity{Tenant: Tenant{Settings: Settings{Profile: profile}}, scheme: scheme}, &leniency.Set{}
			if err := i.ApplyProfile(l); errors.Is(err, ErrUnauthorized) != (profile == ProfileInterop && scheme == refused) {
				t.Errorf("profile %q, scheme %q: %v", profile, scheme, err)
			}
			if l.IsInterop() != (profile == ProfileInterop) {
				t.Errorf("profile %q: interop is %v", profile, l.IsInterop())
			}
		}
	}
}
