package token

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

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
	if _, err := s.Create(t.Context(), "a", issued.Label, New("a"), ScopeAll, DefaultLifetime); !errors.Is(err, ErrLabelTaken) {
		t.Errorf("second token with the label: got %v, want ErrLabelTaken", err)
	}
}

// A token that was rotated has a replacement. So it cannot be rotated again before it expires, and its replacement can.
func TestATokenThatIsBeingRotatedCannotBeRotatedAgain(t *testing.T) {
	t.Parallel()
	for _, overlap := range []time.Duration{time.Minute, 1000 * time.Hour} { // the second exceeds the lifetime of the token
		s, now := newStore(t)
		old, issued := createToken(t, s, "a", 48*time.Hour)
		*now = now.Add(time.Second)
		next, err := s.Rotate(t.Context(), "a", issued.ID, New("a"), overlap)
		if err != nil {
			t.Fatal(err)
		}
		*now = now.Add(time.Second)
		if _, err := s.Rotate(t.Context(), "a", issued.ID, New("a"), overlap); !errors.Is(err, ErrRotated) || !s.accepts(old) {
			t.Errorf("overlap %v: got %v, want ErrRotated, and the old token still valid", overlap, err)
		}
		if _, err := s.Rotate(t.Context(), "a", next.ID, New("a"), overlap); err != nil {
			t.Errorf("overlap %v: the replacement cannot be rotated: %v", overlap, err)
		}
		list, err := s.Tokens(t.Context(), "a")
		if err != nil || len(list) != 3 || !list[0].RotatedAt.Equal(now.Add(-time.Second)) || !list[2].RotatedAt.IsZero() {
			t.Errorf("overlap %v: %+v, %v", overlap, list, err)
		}
	}
}

// Of two concurrent rotations of a token, one succeeds, and the other does not claim that there is no such token.
func TestOfTwoConcurrentRotationsOneSucceeds(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	_, issued := createToken(t, s, "a", 48*time.Hour)
	inner, calls := s.Table, 0
	s.Table = tabletest.Faults{Table: inner, Before: func(c tabletest.Call) error {
		if c.Method != "Write" {
			return nil
		}
		if calls++; calls > 1 {
			return nil
		}
		first := &Store{Table: inner, Now: s.Now} // rotates between the read and the write of the other rotation
		_, err := first.Rotate(t.Context(), "a", issued.ID, New("a"), 1000*time.Hour)
		return err
	}}
	if _, err := s.Rotate(t.Context(), "a", issued.ID, New("a"), 1000*time.Hour); !errors.Is(err, ErrRotated) {
		t.Errorf("got %v, want ErrRotated", err)
	}
}

// Tokens are listed in the order of their creation, also those of one second.
func TestTokensAreListedInTheOrderOfTheirCreation(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	var want []string
	for range MaxTokens {
		_, issued := createToken(t, s, "a", time.Hour)
		want = append(want, issued.ID)
		*now = now.Add(time.Millisecond)
	}
	list, err := s.Tokens(t.Context(), "a")
	var got []string
	for _, issued := range list {
		got = append(got, issued.ID)
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestATenantHasAtMostMaxTokens(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	var last Token
	for range MaxTokens {
		_, last = createToken(t, s, "a", time.Hour)
	}
	_, createErr := s.Create(t.Context(), "a", "okta", New("a"), ScopeAll, DefaultLifetime)
	_, rotateErr := s.Rotate(t.Context(), "a", last.ID, New("a"), DefaultOverlap)
	if !errors.Is(createErr, ErrTooManyTokens) || !errors.Is(rotateErr, ErrTooManyTokens) {
		t.Errorf("got %v, %v, want ErrTooManyTokens", createErr, rotateErr)
	}
	*now = now.Add(time.Hour)
	if _, err := s.Create(t.Context(), "a", "okta", New("a"), ScopeAll, DefaultLifetime); err != nil {
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
