package token

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

func TestTokensOfADisabledOrDeletedTenantAreRejected(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	secret, _ := createToken(t, s, "a", DefaultLifetime)
	for state, change := range map[string]func(*Tenant) *time.Time{
		"disabled": func(t *Tenant) *time.Time { return &t.DisabledAt },
		"deleted":  func(t *Tenant) *time.Time { return &t.DeletedAt },
	} {
		for _, since := range []time.Time{now.UTC(), {}} {
			_, err := s.UpdateTenant(t.Context(), "a", func(t *Tenant) error { *change(t) = since; return nil })
			if err != nil {
				t.Fatal(err)
			}
			if *now = now.Add(cacheTTL); s.accepts(secret) != since.IsZero() {
				t.Errorf("%s since %v: accepted is %v", state, since, !since.IsZero())
			}
		}
	}
}

func TestATokenNeedsATenantThatIsNotDeleted(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	if _, err := s.Create(t.Context(), "a", "okta", New("a"), ScopeAll, DefaultLifetime); !errors.Is(err, ErrNoTenant) {
		t.Errorf("no tenant: got %v, want ErrNoTenant", err)
	}
	_, issued := createToken(t, s, "a", DefaultLifetime)
	if _, err := s.CreateTenant(t.Context(), "a"); !errors.Is(err, ErrTenantExists) {
		t.Errorf("existing tenant: got %v, want ErrTenantExists", err)
	}
	_, err := s.UpdateTenant(t.Context(), "a", func(t *Tenant) error { t.DeletedAt = now.UTC(); return nil })
	if err != nil {
		t.Fatal(err)
	}
	_, createErr := s.Create(t.Context(), "a", "okta", New("a"), ScopeAll, DefaultLifetime)
	_, rotateErr := s.Rotate(t.Context(), "a", issued.ID, New("a"), DefaultOverlap)
	for _, err := range []error{createErr, rotateErr} {
		if !errors.Is(err, ErrNoTenant) {
			t.Errorf("deleted tenant: got %v, want ErrNoTenant", err)
		}
	}
}

func TestTenantsAreStoredAndListed(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	rate := 7
	settings := Settings{
		StrictMembers: true, NoContent: true, ResourceTypes: []string{"User"}, RateLimit: &rate, Deprovisioning: 20,
	}
	for i := range 3 {
		if _, err := s.CreateTenant(t.Context(), fmt.Sprint("t", i)); err != nil {
			t.Fatal(err)
		}
	}
	changed, err := s.UpdateTenant(t.Context(), "t1", func(t *Tenant) error { t.Settings = settings; return nil })
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Tenant(t.Context(), "t1")
	if err != nil || *got.Settings.RateLimit != 7 || !got.Settings.StrictMembers ||
		got.Settings.Deprovisioning != 20 || got.version != changed.version || !got.Created.Equal(*now) {
		t.Errorf("%+v, %v", got, err)
	}
	all, err := s.Tenants(t.Context())
	if err != nil || len(all) != 3 || all[0].Name != "t0" || all[2].Name != "t2" {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := s.Tenant(t.Context(), "none"); !errors.Is(err, ErrNoTenant) {
		t.Error(err)
	}
	if _, err := s.UpdateTenant(t.Context(), "none", func(*Tenant) error { return nil }); !errors.Is(err, ErrNoTenant) {
		t.Error(err)
	}
}

func TestConcurrentUpdateTenantsLoseNothing(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	if _, err := s.CreateTenant(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			_, err := s.UpdateTenant(t.Context(), "a", func(t *Tenant) error { t.Settings.Deprovisioning++; return nil })
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got, _ := s.Tenant(t.Context(), "a"); got.Settings.Deprovisioning != 20 {
		t.Errorf("20 increments result in %d", got.Settings.Deprovisioning)
	}
}

func TestUpdateTenantAppliesBothOfTwoConcurrentUpdates(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	if _, err := s.CreateTenant(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	calls := 0
	_, err := s.UpdateTenant(t.Context(), "a", func(tenant *Tenant) error {
		if calls++; calls == 1 { // the second update happens between the read and the write of the first
			_, err := s.UpdateTenant(t.Context(), "a", func(tenant *Tenant) error { tenant.DisabledAt = now.UTC(); return nil })
			if err != nil {
				t.Error(err)
			}
		}
		tenant.Settings.Deprovisioning = 20
		return nil
	})
	got, readErr := s.Tenant(t.Context(), "a")
	if err != nil || readErr != nil || calls != 2 || got.Settings.Deprovisioning != 20 || !got.DisabledAt.Equal(*now) {
		t.Errorf("got %+v after %d calls: %v, %v", got, calls, err, readErr)
	}
}

func TestUpdateTenantEndsAtTheDeadlineIfConflictsContinue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := newStore(t)
		if _, err := s.CreateTenant(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		s.Table = tabletest.Faults{Table: s.Table, Before: func(c tabletest.Call) error {
			if c.Method == "Write" {
				return &table.ConditionError{Items: map[int]table.Item{0: nil}}
			}
			return nil
		}}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start, calls := time.Now(), 0
		_, err := s.UpdateTenant(ctx, "a", func(*Tenant) error { calls++; return nil })
		if transient := (*table.TransientError)(nil); !errors.As(err, &transient) || !errors.Is(err, table.ErrConflict) {
			t.Errorf("got %v, want a transient error", err)
		}
		if took := time.Since(start); calls < 2 || took > 5*time.Second {
			t.Errorf("%d attempts in %v, want several until the deadline", calls, took)
		}
	})
}
