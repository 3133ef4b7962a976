package token

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"serverless-scim/internal/table"
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
