package oauth

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"serverless-scim/internal/table"
	"serverless-scim/internal/token"
)

// Each method of authentication yields a token: RFC 6749 §2.3.1 and §4.4.2, RFC 7523 §2.2.
func TestEachMethodYieldsAToken(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c, secret := s.create("acme", token.ScopeAll, nil)
	s.expectToken(s.post(grant, grantType, "client_id", c.ID, "client_secret", secret), c, token.ScopeAll)
	s.expectToken(s.withHeader(basic(c.ID, secret), grant, grantType), c, token.ScopeAll)
	s.expectToken(s.withHeader(strings.Replace(basic(c.ID, secret), "Basic", "bAsIc", 1), grant, grantType, "client_id", c.ID), c, token.ScopeAll)
	s.expectToken(s.post(grant, grantType, "client_id", c.ID, "client_secret", secret, "audience", "ignored", "scope", ""), c, token.ScopeAll)
	r := newRequest(encodeForm(grant, grantType, "client_id", c.ID, "client_secret", secret))
	r.Header.Set("Content-Type", "Application/X-www-form-urlencoded; charset=UTF-8")
	r.URL.RawQuery = "aadOptscim062020"
	s.expectToken(s.send(r), c, token.ScopeAll)

	own, _ := s.create("acme", token.ScopeAll, &token.AssertionRule{Keys: marshalKeySet(t, publicKey(ecKey(), "ec", ""))})
	claims := ownClaims(start).with(object{"iss": own.ID, "sub": own.ID})
	assertion := func(id string) []string {
		return []string{grant, grantType, "client_assertion_type", assertionType,
			"client_assertion", sign(t, ecKey(), jose.ES256, "ec", claims.with(object{"jti": id}), nil)}
	}
	s.expectToken(s.post(assertion("1")...), own, token.ScopeAll)
	s.expectToken(s.post(append(assertion("2"), "client_id", own.ID)...), own, token.ScopeAll)

	rule := *s.issuer.federated().Assertion
	federated, _ := s.create("acme", token.ScopeAll, &rule)
	s.expectToken(s.post(grant, grantType, "client_id", federated.ID, "client_assertion_type", assertionType, // as Entra ID sends it
		"client_assertion", sign(t, rsaKey(), jose.RS256, "rsa", claimsAt(start), nil), "scope", "scim"), federated, token.ScopeAll)
}

// A client can narrow its scope and cannot widen it.
func TestScopeIsAtMostThatOfTheClient(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for _, x := range []struct {
		client          token.Scope
		requested, want string
	}{
		{token.ScopeAll, "", "scim"}, {token.ScopeAll, "scim", "scim"}, {token.ScopeAll, "scim.read", "scim.read"}, {token.ScopeAll, "scim.read scim", "scim"},
		{token.ScopeAll, "scim scim", "scim"}, {token.ScopeRead, "", "scim.read"}, {token.ScopeRead, "scim.read", "scim.read"}, {token.ScopeRead, "scim", ""},
		{token.ScopeRead, "scim.read scim", ""}, {token.ScopeAll, "SCIM", ""}, {token.ScopeAll, "scim openid", ""}, {token.ScopeAll, " ", ""},
		{token.ScopeAll, "scim,scim.read", ""}, {token.ScopeAll, "scim.write", ""}, {token.ScopeAll, "scim\tscim", ""}, {token.ScopeAll, "https://graph.microsoft.com/.default", ""},
	} {
		s := &service{TB: t, Endpoint: s.Endpoint, clock: s.clock}
		c, secret := s.create("acme", x.client, nil)
		got := s.post(grant, grantType, "client_id", c.ID, "client_secret", secret, "scope", x.requested)
		if x.want == "" {
			got.expect(t, 400, "invalid_scope")
		} else {
			s.expectToken(got, c, token.Scope(x.want))
		}
		if err := s.Tokens.RevokeClient(t.Context(), "acme", c.ID); err != nil { // a tenant has at most 20 clients
			t.Fatal(err)
		}
	}
}

// An assertion with a jti yields one token, also if it is sent twice at once.
func TestAssertionYieldsOneToken(t *testing.T) {
	t.Parallel()
	s := newService(t)
	own, _ := s.create("acme", token.ScopeAll, &token.AssertionRule{Keys: marshalKeySet(t, publicKey(ecKey(), "ec", ""))})
	assertion := sign(t, ecKey(), jose.ES256, "ec", ownClaims(start).with(object{"iss": own.ID, "sub": own.ID}), nil)
	results := make(chan int)
	for range 8 {
		go func() {
			results <- s.post(grant, grantType, "client_assertion_type", assertionType, "client_assertion", assertion).Status
		}()
	}
	count := map[int]int{}
	for range 8 {
		count[<-results]++
	}
	if count[200] != 1 || count[401] != 7 {
		t.Errorf("the statuses are %v", count)
	}
}

// A failure that is not the client's has a status that says whether to repeat the request.
func TestFailuresOfTheServiceSayWhetherToRepeat(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c, secret := s.create("acme", token.ScopeAll, nil)
	form := []string{grant, grantType, "client_id", c.ID, "client_secret", secret}
	transient, permanent := error(&table.TransientError{Err: errors.New("throttled")}), errors.New("denied")
	for range maxFailures + 1 { // they do not count as failures of the client
		s.fault.Store(&transient)
		if got := s.post(form...).expect(t, 503, "temporarily_unavailable"); got.Header["Retry-After"] != "2" {
			t.Fatal(got.Header)
		}
		s.fault.Store(&permanent)
		if got := s.post(form...).expect(t, 500, "server_error"); !errors.Is(got.err, permanent) || strings.Contains(got.text, "denied") {
			t.Fatal(got.err, got.text)
		}
	}
	s.fault.Store(nil)
	s.expectToken(s.post(form...), c, token.ScopeAll)

	rule := *s.issuer.federated().Assertion
	federated, _ := s.create("acme", token.ScopeAll, &rule)
	s.issuer.fail()
	assertion := []string{grant, grantType, "client_id", federated.ID, "client_assertion_type", assertionType,
		"client_assertion", sign(t, rsaKey(), jose.RS256, "rsa", claimsAt(start), nil)}
	if got := s.post(assertion...).expect(t, 503, "temporarily_unavailable"); got.Header["Retry-After"] != "60" {
		t.Error(got.Header)
	}
}

// Only POST is a method of the token endpoint, and other methods do nothing.
func TestOtherMethodsAreRejected(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c, secret := s.create("acme", token.ScopeAll, nil)
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "post"} {
		r := newRequest(encodeForm(grant, grantType, "client_id", c.ID, "client_secret", secret))
		r.Method = method
		if got := s.send(r).expect(t, 405, "invalid_request"); got.Header["Allow"] != "POST" {
			t.Errorf("%s: %v", method, got.Header)
		}
	}
}
