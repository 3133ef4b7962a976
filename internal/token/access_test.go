package token

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

func issueAccessToken(t *testing.T, s *Store, c Client) string {
	t.Helper()
	secret := New(c.Tenant)
	if _, err := s.IssueAccessToken(t.Context(), c, secret, ScopeAll, nil); err != nil {
		t.Fatal(err)
	}
	return secret
}

// countItems returns the number of items that belong to access tokens: tokens, access entries, and used assertions.
func (s *Store) countItems(t *testing.T) (tokens, entries, used int) {
	t.Helper()
	p, err := s.Table.Scan(t.Context(), table.Key{})
	if err != nil || p.LastEvaluatedKey != (table.Key{}) {
		t.Fatal(p.LastEvaluatedKey, err)
	}
	for _, it := range p.Items {
		switch k := it.Key(); {
		case strings.HasPrefix(k.PK, "token#"):
			tokens++
		case strings.HasSuffix(k.SK, "#used"):
			used++
		case strings.HasSuffix(k.PK, "#access"):
			entries++
		}
	}
	return tokens, entries, used
}

func TestAnAccessTokenNamesItsClientAndIsNoTokenOfAnOperator(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	c, _ := createClient(t, s, "a")
	secret := New("a")
	expiresAt, err := s.IssueAccessToken(t.Context(), c, secret, ScopeRead, nil)
	if err != nil || !expiresAt.Equal(now.Add(c.TokenLifetime)) {
		t.Fatal(expiresAt, err)
	}
	id, err := s.Authenticate(t.Context(), []string{"Bearer " + secret})
	if err != nil || id.Client != c.ID || id.Label != c.Label || id.Scope != ScopeRead || id.Tenant.Name != "a" || id.RateKey() != c.ID {
		t.Errorf("%+v, %v", id, err)
	}
	static, issued := createToken(t, s, "a", time.Hour)
	if id, err := s.Authenticate(t.Context(), []string{static}); err != nil || id.Client != "" || id.RateKey() != issued.ID {
		t.Errorf("%+v, %v", id, err)
	}
	if list, err := s.Tokens(t.Context(), "a"); err != nil || len(list) != 1 || list[0].ID != issued.ID {
		t.Errorf("an access token is listed: %+v, %v", list, err)
	}
	if err := s.Revoke(t.Context(), "a", tokenID(hashToken(secret))); !errors.Is(err, ErrNoToken) {
		t.Errorf("got %v, want ErrNoToken", err)
	}
}

func TestAnAccessTokenEndsExactly(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	c, _ := createClient(t, s, "a")
	*now = now.Add(time.Millisecond) // the token is valid for no less than its lifetime
	start := *now
	secret := issueAccessToken(t, s, c)
	for at, valid := range map[time.Duration]bool{0: true, time.Hour: true, time.Hour + 998*time.Millisecond: true, time.Hour + 999*time.Millisecond: false} {
		s.cache = nil
		for range 2 { // also if it is in the cache
			if *now = start.Add(at); s.accepts(secret) != valid {
				t.Errorf("after %v: accepted is %v, want %v", at, !valid, valid)
			}
		}
	}
}

func TestAnAccessTokenNeedsAKnownScopeOfItsClientAndAGeneratedSecret(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	c, _ := createClient(t, s, "a")
	reader := c
	reader.Scope = ScopeRead
	for _, wrong := range []struct {
		client Client
		secret string
		scope  Scope
	}{{reader, New("a"), ScopeAll}, {c, New("a"), ""}, {c, New("a"), "other"}, {c, New("b"), ScopeAll}, {c, "chosen", ScopeAll}} {
		if _, err := s.IssueAccessToken(t.Context(), wrong.client, wrong.secret, wrong.scope, nil); err == nil || strings.Contains(err.Error(), wrong.secret) {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
	if tokens, entries, _ := s.countItems(t); tokens+entries != 0 {
		t.Error("a rejected token is stored")
	}
}

func TestRevokingAClientEndsItsTokensWithinCacheTTL(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	c, _ := createClient(t, s, "a")
	other, _ := createClient(t, s, "a")
	var secrets []string
	for i := range 120 { // more than fit one transaction
		secrets = append(secrets, New("a"))
		if _, err := s.IssueAccessToken(t.Context(), c, secrets[i], ScopeAll, &UsedAssertion{"i", fmt.Sprint(i), *now}); err != nil {
			t.Fatal(err)
		}
	}
	kept := issueAccessToken(t, s, other)
	if !s.accepts(secrets[0]) || !s.accepts(kept) {
		t.Fatal("a new access token is not accepted")
	}
	if err := s.RevokeClient(t.Context(), "a", c.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.RevokeClient(t.Context(), "a", c.ID); err != ErrNoClient {
		t.Errorf("revoked client: got %v, want ErrNoClient", err)
	}
	if s.accepts(secrets[1]) {
		t.Error("a token that is not in the cache is accepted")
	}
	if *now = now.Add(cacheTTL); s.accepts(secrets[0]) || !s.accepts(kept) {
		t.Error("after cacheTTL, only the tokens of the revoked client must be rejected")
	}
	if tokens, entries, used := s.countItems(t); tokens != 1 || entries != 1 || used != 0 {
		t.Errorf("%d tokens, %d entries and %d used assertions remain, want those of the other client", tokens, entries, used)
	}
}

// Whichever call of one operation the other one precedes or follows: the client is revoked, and either it gets no token, or
// the token is deleted.
func TestAClientThatIsRevokedMeanwhileKeepsNoToken(t *testing.T) {
	t.Parallel()
	for _, revokeFirst := range []bool{false, true} {
		for position := range 6 {
			s, _ := newStore(t)
			c, _ := createClient(t, s, "a")
			issueAccessToken(t, s, c)
			inner, access, calls := s.Table, New("a"), 0
			var issueErr error
			ops := []func(*Store){func(s *Store) { _, issueErr = s.IssueAccessToken(t.Context(), c, access, ScopeAll, nil) },
				func(s *Store) {
					if err := s.RevokeClient(t.Context(), "a", c.ID); err != nil {
						t.Error(err)
					}
				}}
			outer, nested := ops[0], ops[1]
			if revokeFirst {
				outer, nested = nested, outer
			}
			hook := func(tabletest.Call) error {
				if calls++; calls == position+1 {
					nested(&Store{Table: inner, Now: s.Now})
				}
				return nil
			}
			outer(&Store{Table: tabletest.Faults{Table: inner, Before: hook, After: hook}, Now: s.Now})
			if calls <= position {
				nested(&Store{Table: inner, Now: s.Now})
			}
			if issueErr != nil && issueErr != ErrNoClient {
				t.Error(issueErr)
			}
			if tokens, entries, _ := s.countItems(t); tokens+entries != 0 || s.accepts(access) {
				t.Errorf("revoke first %v, position %d: %d tokens and %d entries remain", revokeFirst, position, tokens, entries)
			}
		}
	}
}

func TestAnAssertionIsUsedOnce(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	c, _ := createClient(t, s, "a")
	second, _ := createClient(t, s, "a")
	issue := func(c Client, issuer, id string) error {
		_, err := s.IssueAccessToken(t.Context(), c, New("a"), ScopeAll, &UsedAssertion{issuer, id, now.Add(time.Hour)})
		return err
	}
	for _, step := range []struct {
		client     Client
		issuer, id string
		want       error
	}{{c, "i", "1", nil}, {c, "i", "1", ErrAssertionUsed}, {c, "i", "2", nil}, {c, "i1", "", nil}, {c, "j", "1", nil}, {second, "i", "1", nil}} {
		if err := issue(step.client, step.issuer, step.id); err != step.want {
			t.Errorf("assertion %s of %s: got %v, want %v", step.id, step.issuer, err, step.want)
		}
	}
	if *now = now.Add(time.Hour); issue(c, "i", "1") != ErrAssertionUsed {
		t.Error("an assertion is forgotten at its end, although a clock may be behind")
	}
	if tokens, _, used := s.countItems(t); tokens != 5 || used != 5 {
		t.Errorf("%d tokens and %d used assertions, want 5 of each", tokens, used)
	}
}

func TestOfConcurrentUsesOfAnAssertionOneSucceeds(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	c, _ := createClient(t, s, "a")
	instances := []*Store{{Table: s.Table, Now: s.Now}, {Table: s.Table, Now: s.Now}}
	errs := make([]error, 20)
	var g sync.WaitGroup
	for i := range errs {
		g.Go(func() {
			_, errs[i] = instances[i%2].IssueAccessToken(context.Background(), c, New("a"), ScopeAll, &UsedAssertion{"i", "1", *now})
		})
	}
	g.Wait()
	succeeded := 0
	for _, err := range errs {
		if err == nil {
			succeeded++
		} else if err != ErrAssertionUsed {
			t.Error(err)
		}
	}
	if tokens, entries, used := s.countItems(t); succeeded != 1 || tokens != 1 || entries != 1 || used != 1 {
		t.Errorf("%d uses succeed, %d tokens, %d entries, %d used assertions; want 1 of each", succeeded, tokens, entries, used)
	}
}

// A table without a time to live does not fill up: each call removes expired items, of every age and of both kinds.
func TestIssueAccessTokenRemovesExpiredItems(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	c, _ := createClient(t, s, "a")
	second, _ := createClient(t, s, "a")
	static, _ := createToken(t, s, "a", 100*24*time.Hour)
	kept := issueAccessToken(t, s, second)
	for i := range 2000 { // 60 are valid at a time, more than a call looks at
		*now = now.Add(time.Minute)
		used := UsedAssertion{"i", fmt.Sprint(i), *now}
		if _, err := s.IssueAccessToken(t.Context(), c, New("a"), ScopeAll, &used); err != nil {
			t.Fatal(err)
		}
	}
	tokens, entries, used := s.countItems(t)
	if tokens+used > 400 || tokens != entries+1 { // and the token of the operator
		t.Errorf("%d tokens, %d entries, and %d used assertions remain", tokens, entries, used)
	}
	if !s.accepts(static) || s.accepts(kept) {
		t.Error("a token of the operator is removed, or an expired one accepted")
	}
}

func TestARemovalThatFailsDoesNotFailTheToken(t *testing.T) {
	t.Parallel()
	s, now := newStore(t)
	c, _ := createClient(t, s, "a")
	issueAccessToken(t, s, c)
	*now = now.Add(2 * time.Hour)
	inner := s.Table
	for _, method := range []string{"Query", "Write"} {
		writes := 0
		s.Table = tabletest.Faults{Table: inner, Before: func(call tabletest.Call) error {
			if call.Method == "Write" {
				writes++
			}
			if call.Method == method && (method == "Query" || writes == 2) {
				return &table.InvalidError{Reason: "x"}
			}
			return nil
		}}
		if !s.accepts(issueAccessToken(t, s, c)) {
			t.Errorf("%s: the token is not accepted", method)
		}
	}
}
