package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// createClient creates a client with a secret, and its tenant if it does not exist.
func createClient(t *testing.T, s *Store, tenant string) (Client, string) {
	t.Helper()
	if _, err := s.CreateTenant(t.Context(), tenant); err != nil && !errors.Is(err, ErrTenantExists) {
		t.Fatal(err)
	}
	c, secret := Client{ID: NewClientID(tenant), Tenant: tenant, Scope: ScopeAll, TokenLifetime: time.Hour}, NewClientSecret()
	c.Label = "connection " + c.ID
	if err := c.AddSecret(secret, s.Now(), DefaultSecretLifetime, 0); err != nil {
		t.Fatal(err)
	}
	c, err := s.CreateClient(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return c, secret
}

// readClient reads a client that must exist.
func readClient(t *testing.T, s *Store, id string) Client {
	t.Helper()
	c, tenant, err := s.Client(t.Context(), id)
	if err != nil || c.ID != id || tenant.Name != c.Tenant {
		t.Fatal(c, tenant, err)
	}
	return c
}

// countCalls returns the number of table calls that do makes with s.
func countCalls(s *Store, do func(context.Context)) int {
	inner := s.Table
	s.Table = metered(inner)
	defer func() { s.Table = inner }()
	ctx, usage := table.WithUsage(context.Background())
	do(ctx)
	return usage().Calls
}

func TestOnlyTheHolderOfTheSecretIsTheClient(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	c, secret := createClient(t, s, "a")
	_, other := createClient(t, s, "a")
	c = readClient(t, s, c.ID)
	for _, wrong := range []string{"", other, NewClientSecret(), secret[:len(secret)-1], secret + "x", strings.ToUpper(secret),
		hashToken(secret), c.Secrets[0].ID} {
		if c.HasSecret(wrong, *now) {
			t.Errorf("%.14s… authenticates the client", wrong)
		}
	}
	if !c.HasSecret(secret, *now) || (Client{}).HasSecret(secret, *now) {
		t.Error("the secret must authenticate its client, and no client without secrets")
	}
}

func TestTheTableDoesNotHoldClientSecretsAndAccessTokens(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	c, secret := createClient(t, s, "a")
	access := issueAccessToken(t, s, c)
	p, err := s.Table.Scan(t.Context(), table.Key{})
	if err != nil || len(p.Items) != 4 {
		t.Fatal(p, err)
	}
	for _, it := range p.Items {
		text, err := json.Marshal(it)
		for _, random := range []string{secret[len("scimsecret_") : len(secret)-7], access[len("scim_a_") : len(access)-7]} {
			if err != nil || strings.Contains(string(text), random) {
				t.Errorf("the table holds a secret: %s %v", text, err)
			}
		}
	}
}

// A rotated secret stays valid for the overlap, and ends at its own end if that is earlier.
func TestClientSecretsOverlapAndEndExactly(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	c, first := createClient(t, s, "a")
	second, third := NewClientSecret(), NewClientSecret()
	add := func(secret string, lifetime, overlap time.Duration) {
		t.Helper()
		if _, err := s.AddClientSecret(t.Context(), "a", c.ID, secret, lifetime, overlap); err != nil {
			t.Fatal(err)
		}
	}
	start := *now
	add(second, 30*time.Second, 60*time.Second) // first ends at 60
	*now = start.Add(10 * time.Second)
	add(third, time.Hour, 40*time.Second) // first ends at 50, second at 30
	for seconds := 10; seconds < 70; seconds++ {
		*now = start.Add(time.Duration(seconds) * time.Second)
		c := readClient(t, s, c.ID)
		for i, secret := range []string{first, second, third} {
			if end := []int{50, 30, 3610}[i]; c.HasSecret(secret, *now) != (seconds < end) {
				t.Errorf("after %d s: secret %d is valid: %v, but it ends at %d", seconds, i+1, c.HasSecret(secret, *now), end)
			}
		}
	}
	add(NewClientSecret(), time.Hour, 0)
	if c := readClient(t, s, c.ID); c.HasSecret(third, *now) || len(c.Secrets) != 1 {
		t.Errorf("without overlap, earlier secrets must end at once: %+v", c.Secrets)
	}
}

func TestAClientHasAtMostMaxClientSecretsValidSecrets(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	c, secret := createClient(t, s, "a")
	add := func() error {
		*now = now.Add(time.Second)
		_, err := s.AddClientSecret(t.Context(), "a", c.ID, NewClientSecret(), time.Hour, time.Minute)
		return err
	}
	for range MaxClientSecrets - 1 {
		if err := add(); err != nil {
			t.Fatal(err)
		}
	}
	if err := add(); !errors.Is(err, ErrTooManySecrets) {
		t.Errorf("got %v, want ErrTooManySecrets", err)
	}
	c = readClient(t, s, c.ID)
	for i, secret := range c.Secrets[1:] {
		if !secret.Created.After(c.Secrets[i].Created) {
			t.Errorf("the secrets are not sorted: %+v", c.Secrets)
		}
	}
	if len(c.Secrets) != MaxClientSecrets || !c.HasSecret(secret, *now) {
		t.Errorf("a rejected rotation changed the client: %+v", c)
	}
	if *now = now.Add(time.Minute); add() != nil {
		t.Error("expired secrets must not count")
	}
}

// Two concurrent rotations of a client both take effect.
func TestConcurrentRotationsLoseNoSecret(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	c, first := createClient(t, s, "a")
	inner, calls, second, third := s.Table, 0, NewClientSecret(), NewClientSecret()
	s.Table = tabletest.Faults{Table: inner, Before: func(call tabletest.Call) error {
		if calls++; calls != 2 { // between the read and the write
			return nil
		}
		_, err := (&Store{Table: inner, Now: s.Now}).AddClientSecret(t.Context(), "a", c.ID, second, time.Hour, time.Hour)
		return err
	}}
	if _, err := s.AddClientSecret(t.Context(), "a", c.ID, third, time.Hour, time.Hour); err != nil {
		t.Fatal(err)
	}
	c = readClient(t, s, c.ID)
	for i, secret := range []string{first, second, third} {
		if !c.HasSecret(secret, *now) {
			t.Errorf("secret %d is lost", i+1)
		}
	}
}

func TestGarbageCostsNoCall(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	c, secret := createClient(t, s, "a")
	long := clientPrefix + strings.Repeat("a", 100) + "_" + c.ID[len("client_a_"):len(c.ID)-7]
	for _, id := range []string{"", "client_", "a", c.ID[1:], c.ID + "0", c.ID[:len(c.ID)-1], strings.ToUpper(c.ID), secret, New("a"),
		strings.Replace(c.ID, "_a_", "_b_", 1), "client__" + c.ID[len("client_a_"):], long + checksumOf(long), "client_\x00" + c.ID[8:]} {
		n := countCalls(s, func(ctx context.Context) {
			if _, _, err := s.Client(ctx, id); !errors.Is(err, ErrNoClient) {
				t.Errorf("%q: got %v, want ErrNoClient", id, err)
			}
		})
		if _, ok := TenantOfClient(id); ok || n != 0 {
			t.Errorf("%q: %d calls, %v", id, n, ok)
		}
	}
	for _, wrong := range []string{"", "scimsecret_", secret[1:], secret + "0", secret[:len(secret)-1], strings.ToUpper(secret), New("secret"),
		New("a"), c.ID, strings.Replace(secret, "secret", "secrat", 1)} {
		if IsClientSecret(wrong) {
			t.Errorf("%q cannot be a client secret", wrong)
		}
	}
	if tenant, ok := TenantOfClient(c.ID); !ok || tenant != "a" || !IsClientSecret(secret) {
		t.Error("a generated ID or secret is rejected")
	}
	longest := NewClientID(strings.Repeat("a", 63)) // the longest name of a tenant
	if _, ok := TenantOfClient(longest); !ok {
		t.Error("the ID of the tenant with the longest name is rejected")
	}
}

// The error does not tell whether a client is unknown, or its tenant missing, disabled, or deleted.
func TestAClientOfNoActiveTenantDoesNotExist(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	disabled, _ := createClient(t, s, "disabled")
	deleted, _ := createClient(t, s, "deleted")
	purged, _ := createClient(t, s, "purged")
	revoked, _ := createClient(t, s, "a")
	change := map[string]func(*Tenant) error{
		"disabled": func(t *Tenant) error { t.DisabledAt = *now; return nil },
		"deleted":  func(t *Tenant) error { t.DeletedAt = *now; return nil },
	}
	for tenant := range change {
		if _, err := s.UpdateTenant(t.Context(), tenant, change[tenant]); err != nil {
			t.Fatal(err)
		}
	}
	if tenant, err := s.Tenant(t.Context(), "purged"); err != nil || s.PurgeTenant(t.Context(), tenant) != nil {
		t.Fatal(err)
	}
	if err := s.RevokeClient(t.Context(), "a", revoked.ID); err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string]string{"of a disabled tenant": disabled.ID, "of a deleted tenant": deleted.ID, "of a purged tenant": purged.ID,
		"revoked": revoked.ID, "unknown": NewClientID("a"), "of an unknown tenant": NewClientID("b")} {
		n := countCalls(s, func(ctx context.Context) {
			if _, _, err := s.Client(ctx, id); err != ErrNoClient {
				t.Errorf("client %s: got %v, want ErrNoClient", name, err)
			}
		})
		if n != 1 {
			t.Errorf("client %s: %d calls, want 1", name, n)
		}
	}
	for tenant, c := range map[string]Client{"disabled": disabled, "deleted": deleted, "purged": purged, "a": revoked} {
		if _, err := s.IssueAccessToken(t.Context(), c, New(tenant), ScopeAll, nil); err != ErrNoClient {
			t.Errorf("token of a client of %s: got %v, want ErrNoClient", tenant, err)
		}
	}
}

// Every field of a client is stored, and a client authenticates by secrets or by assertions.
func TestAClientWithAnAssertionRuleHasNoSecrets(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	createClient(t, s, "a")
	rule := AssertionRule{Issuer: "https://issuer.example", Subject: "s", Audience: "api://a", Keys: json.RawMessage(`{"keys":[]}`), KeysURL: "https://issuer.example/keys"}
	c, err := s.CreateClient(t.Context(), Client{Tenant: "a", Label: "l", Scope: ScopeRead, TokenLifetime: 6 * time.Hour, Assertion: &rule})
	if err != nil {
		t.Fatal(err)
	}
	if got := readClient(t, s, c.ID); fmt.Sprint(*got.Assertion) != fmt.Sprint(rule) || got.Label != "l" || got.Scope != ScopeRead ||
		got.TokenLifetime != 6*time.Hour || !got.Created.Equal(c.Created) || c.Created.IsZero() || got.Secrets != nil {
		t.Errorf("got %+v, want %+v", got, c)
	}
	_, err = s.AddClientSecret(t.Context(), "a", c.ID, NewClientSecret(), time.Hour, 0)
	if !errors.Is(err, ErrNoSecrets) {
		t.Errorf("got %v, want ErrNoSecrets", err)
	}
}

func TestATenantHasAtMostMaxClientsWithDifferentLabels(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	create := func(tenant, label string) error {
		_, err := s.CreateClient(t.Context(), Client{Tenant: tenant, Label: label, Scope: ScopeAll, TokenLifetime: time.Hour})
		return err
	}
	if err := create("a", "l"); err != ErrNoTenant {
		t.Errorf("got %v, want ErrNoTenant", err)
	}
	first, _ := createClient(t, s, "a")
	if err := create("a", first.Label); err != ErrLabelTaken {
		t.Errorf("got %v, want ErrLabelTaken", err)
	}
	for len(must(s.Clients(t.Context(), "a"))) < MaxClients {
		*now = now.Add(time.Second)
		createClient(t, s, "a")
	}
	if err := create("a", "l"); err != ErrTooManyClients {
		t.Errorf("got %v, want ErrTooManyClients", err)
	}
	list := must(s.Clients(t.Context(), "a"))
	for i, c := range list[1:] {
		if !c.Created.After(list[i].Created) {
			t.Error("the clients are not in the order of their creation")
		}
	}
	for _, lifetime := range []time.Duration{0, time.Hour - 1, 6*time.Hour + 1} {
		if _, err := s.CreateClient(t.Context(), Client{Tenant: "b", Scope: ScopeAll, TokenLifetime: lifetime}); err == nil || err == ErrNoTenant {
			t.Errorf("a lifetime of %v is accepted: %v", lifetime, err)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestAnotherTenantsClientCannotBeChanged(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	c, secret := createClient(t, s, "a")
	createClient(t, s, "b")
	access := issueAccessToken(t, s, c)
	_, rotateErr := s.AddClientSecret(t.Context(), "b", c.ID, NewClientSecret(), time.Hour, 0)
	if err := s.RevokeClient(t.Context(), "b", c.ID); err != ErrNoClient || rotateErr != ErrNoClient {
		t.Errorf("got %v and %v, want ErrNoClient", err, rotateErr)
	}
	if list := must(s.Clients(t.Context(), "b")); len(list) != 1 || list[0].ID == c.ID {
		t.Errorf("the clients of b are %+v", list)
	}
	if !readClient(t, s, c.ID).HasSecret(secret, *now) || !s.accepts(access) {
		t.Error("another tenant changed a client")
	}
}

func TestCallsOfClients(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	c, _ := createClient(t, s, "a")
	access := New("a")
	for _, op := range []struct {
		name string
		want int
		do   func(context.Context) error
	}{
		{"CreateClient", 2, func(ctx context.Context) error {
			_, err := s.CreateClient(ctx, Client{Tenant: "a", Scope: ScopeAll, TokenLifetime: time.Hour})
			return err
		}},
		{"Clients", 1, func(ctx context.Context) error { _, err := s.Clients(ctx, "a"); return err }},
		{"Client", 1, func(ctx context.Context) error { _, _, err := s.Client(ctx, c.ID); return err }},
		{"AddClientSecret", 2, func(ctx context.Context) error {
			_, err := s.AddClientSecret(ctx, "a", c.ID, NewClientSecret(), time.Hour, 0)
			return err
		}},
		{"IssueAccessToken", 2, func(ctx context.Context) error {
			_, err := s.IssueAccessToken(ctx, c, access, ScopeAll, &UsedAssertion{"i", "1", s.Now()})
			return err
		}},
		{"IssueAccessToken again", 1, func(ctx context.Context) error {
			if _, err := s.IssueAccessToken(ctx, c, New("a"), ScopeAll, &UsedAssertion{"i", "1", s.Now()}); err != ErrAssertionUsed {
				return fmt.Errorf("got %w, want ErrAssertionUsed", err)
			}
			return nil
		}},
		{"Authenticate", 2, func(ctx context.Context) error { _, err := s.Authenticate(ctx, []string{access}); return err }},
		{"Authenticate again", 0, func(ctx context.Context) error { _, err := s.Authenticate(ctx, []string{access}); return err }},
		{"RevokeClient", 3, func(ctx context.Context) error { return s.RevokeClient(ctx, "a", c.ID) }},
	} {
		n := countCalls(s, func(ctx context.Context) {
			if err := op.do(ctx); err != nil {
				t.Errorf("%s: %v", op.name, err)
			}
		})
		if n != op.want {
			t.Errorf("%s makes %d calls, want %d", op.name, n, op.want)
		}
	}
}
