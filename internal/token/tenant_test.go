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
	if _, err := s.Create(t.Context(), "a", "okta", New("a"), DefaultLifetime); !errors.Is(err, ErrNoTenant) {
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
	_, createErr := s.Create(t.Context(), "a", "okta", New("a"), DefaultLifetime)
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

func TestRotateLimitsTheOldTokenToTheOverlap(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	old, issued := createToken(t, s, "a", 48*time.Hour)
	*now = now.Add(time.Hour)
	fresh := New("a")
	next, err := s.Rotate(t.Context(), "a", issued.ID, fresh, time.Minute)
	if err != nil || next.Label != issued.Label || next.ExpiresAt.Sub(next.Created) != 48*time.Hour {
		t.Fatalf("%+v, %v", next, err)
	}
	for range 60 {
		if !s.accepts(old) || !s.accepts(fresh) {
			t.Fatal("a token is rejected during the overlap")
		}
		*now = now.Add(time.Second)
	}
	if s.accepts(old) || !s.accepts(fresh) {
		t.Error("after the overlap, only the old token must be rejected")
	}
	third, err := s.Rotate(t.Context(), "a", issued.ID, New("a"), DefaultOverlap)
	if err != nil || third.ExpiresAt.Sub(third.Created) != 48*time.Hour || s.accepts(old) {
		t.Errorf("the rotation of an expired token must not extend it: %+v, %v", third, err)
	}
	if _, err := s.Rotate(t.Context(), "a", "none", New("a"), DefaultOverlap); !errors.Is(err, ErrNoToken) {
		t.Error(err)
	}
	if _, err := s.Create(t.Context(), "a", issued.Label, New("a"), DefaultLifetime); !errors.Is(err, ErrLabelTaken) {
		t.Errorf("second token with the label: got %v, want ErrLabelTaken", err)
	}
}

func TestATenantHasAtMostMaxTokens(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	var last Token
	for range MaxTokens {
		_, last = createToken(t, s, "a", time.Hour)
	}
	_, createErr := s.Create(t.Context(), "a", "okta", New("a"), DefaultLifetime)
	_, rotateErr := s.Rotate(t.Context(), "a", last.ID, New("a"), DefaultOverlap)
	if !errors.Is(createErr, ErrTooManyTokens) || !errors.Is(rotateErr, ErrTooManyTokens) {
		t.Errorf("got %v, %v, want ErrTooManyTokens", createErr, rotateErr)
	}
	*now = now.Add(time.Hour)
	if _, err := s.Create(t.Context(), "a", "okta", New("a"), DefaultLifetime); err != nil {
		t.Errorf("expired tokens must not count: %v", err)
	}
}

func TestAChosenTokenDoesNotHaveThePrefixAndBelongsToOneTenant(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	if err := s.ReplaceToken(t.Context(), "a", "given", "scim_chosen"); err == nil {
		t.Error("a chosen token with the prefix of generated tokens is accepted")
	}
	replaceToken(t, s, "a", "given", "shared")
	replaceToken(t, s, "b", "given", "shared")
	if list, err := s.Tokens(t.Context(), "a"); err != nil || len(list) != 0 {
		t.Errorf("a token that now belongs to another tenant is listed: %v, %v", list, err)
	}
}
