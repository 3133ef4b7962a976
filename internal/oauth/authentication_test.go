package oauth

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"serverless-scim/internal/token"
)

// A client whose existence must not show gets the response of a client that exists, after the same number of calls. The log has
// the client only if it exists, and nothing that was sent.
func TestAllFailuresOfAuthenticationLookTheSame(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c, secret := s.create("acme", token.ScopeAll, nil)
	stranger, strangersSecret := s.create("other", token.ScopeAll, nil)
	rule := *s.issuer.federated().Assertion
	federated, _ := s.create("acme", token.ScopeAll, &rule)
	rotated, old := s.create("acme", token.ScopeAll, nil)
	if _, err := s.Tokens.AddClientSecret(t.Context(), "acme", rotated.ID, token.NewClientSecret(), token.DefaultSecretLifetime, time.Minute); err != nil {
		t.Fatal(err)
	}
	s.clock.advance(time.Minute)
	revoked, revokedSecret := s.create("acme", token.ScopeAll, nil)
	if err := s.Tokens.RevokeClient(t.Context(), "acme", revoked.ID); err != nil {
		t.Fatal(err)
	}
	inactive := map[string][2]string{}
	for name, change := range map[string]func(*token.Tenant){
		"disabled": func(t *token.Tenant) { t.DisabledAt = s.clock.now() }, "deleted": func(t *token.Tenant) { t.DeletedAt = s.clock.now() },
	} {
		if _, err := s.Tokens.CreateTenant(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		of, secret := s.create(name, token.ScopeAll, nil)
		inactive[name] = [2]string{of.ID, secret}
		if _, err := s.Tokens.UpdateTenant(t.Context(), name, func(t *token.Tenant) error { change(t); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	assertion := func(changes object) string {
		return sign(t, rsaKey(), jose.RS256, "rsa", claimsAt(s.clock.now()).with(changes), nil)
	}
	good := assertion(nil)
	wellFormed := token.NewClientSecret()
	want := ""
	for name, x := range map[string]struct {
		id, secret, assertion, client string
		calls                         int64
	}{
		"unknown client":                      {token.NewClientID("acme"), secret, "", "", 1},
		"client of an unknown tenant":         {token.NewClientID("nobody"), secret, "", "", 1},
		"wrong secret":                        {c.ID, wellFormed, "", c.ID, 1},
		"secret of another client":            {c.ID, strangersSecret, "", c.ID, 1},
		"another client of the same secret":   {stranger.ID, secret, "", stranger.ID, 1},
		"secret that was replaced":            {rotated.ID, old, "", rotated.ID, 1},
		"revoked client":                      {revoked.ID, revokedSecret, "", "", 1},
		"disabled tenant":                     {inactive["disabled"][0], inactive["disabled"][1], "", "", 1},
		"deleted tenant":                      {inactive["deleted"][0], inactive["deleted"][1], "", "", 1},
		"secret for assertions":               {federated.ID, secret, "", federated.ID, 1},
		"assertion for secrets":               {c.ID, "", good, c.ID, 1},
		"assertion for an unknown client":     {token.NewClientID("acme"), "", good, "", 1},
		"assertion for a client of another":   {stranger.ID, "", good, stranger.ID, 1},
		"assertion for another audience":      {federated.ID, "", assertion(object{"aud": "api://other"}), federated.ID, 1},
		"expired assertion":                   {federated.ID, "", assertion(object{"exp": start.Unix() - 100}), federated.ID, 1},
		"assertion of another key":            {federated.ID, "", sign(t, otherRSAKey(), jose.RS256, "rsa", claimsAt(s.clock.now()), nil), federated.ID, 1},
		"assertion that names another client": {"", "", assertion(object{"sub": c.ID}), c.ID, 1},
		"no ID":                               {"", secret, "", "", 0},
		"no secret":                           {c.ID, "", "", "", 0},
		"malformed ID":                        {c.ID + "x", secret, "", "", 0},
		"malformed secret":                    {c.ID, secret + "x", "", "", 0},
		"token as secret":                     {c.ID, token.New("acme"), "", "", 0},
		"malformed assertion":                 {federated.ID, "", good + ".x", "", 0},
		"subject that is no client":           {"", "", good, "", 0},
	} {
		for _, header := range []bool{false, true} {
			if header && x.assertion != "" {
				continue
			}
			s.clock.advance(time.Millisecond)
			s.sources = failureLimiter{}
			before := s.calls.Load()
			var got reply
			switch {
			case x.assertion != "":
				got = s.post(grant, grantType, "client_id", x.id, "client_assertion_type", assertionType, "client_assertion", x.assertion)
			case header:
				got = s.withHeader(basic(x.id, x.secret), grant, grantType)
			default:
				got = s.post(grant, grantType, "client_id", x.id, "client_secret", x.secret)
			}
			got.expect(t, 401, "invalid_client")
			if calls := s.calls.Load() - before; calls != x.calls || got.Client != x.client {
				t.Errorf("%s: %d calls, want %d; the client is %q: %v", name, calls, x.calls, got.Client, got.err)
			}
			if text := fmt.Sprint(got.text, got.Header); want == "" {
				want = text
			} else if text != want {
				t.Errorf("%s: %s, others get %s", name, text, want)
			}
			if got.Header["WWW-Authenticate"] != `Basic realm="SCIM"` {
				t.Errorf("%s: no challenge", name)
			}
			for _, sent := range []string{x.secret, x.assertion, x.id} {
				if sent != "" && strings.Contains(got.err.Error(), sent) {
					t.Errorf("%s: the log gets %v", name, got.err)
				}
			}
		}
	}
	for _, authorization := range []string{"", "Basic", "Basic ", "Basic %%%", "Bearer " + secret, "Basic " + base64.StdEncoding.EncodeToString([]byte(c.ID+secret)),
		"Basic " + base64.StdEncoding.EncodeToString([]byte("%zz:"+secret)), basic(c.ID, secret) + " " + basic(c.ID, secret)} {
		got := s.withHeader(authorization, grant, grantType).expect(t, 401, "invalid_client")
		if text := fmt.Sprint(got.text, got.Header); text != want {
			t.Errorf("%q: %s", authorization, text)
		}
	}
	r := newRequest(encodeForm(grant, grantType))
	r.Header["Authorization"] = []string{basic(c.ID, secret), basic(c.ID, secret)}
	s.send(r).expect(t, 401, "invalid_client")
}

// 2,000 requests that no client can send cost no call to the table and no fetch, and none gets a token.
func TestGarbageCostsNoCall(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c, secret := s.create("acme", token.ScopeAll, nil)
	rule := *s.issuer.federated().Assertion
	federated, _ := s.create("acme", token.ScopeAll, &rule)
	signed := sign(t, rsaKey(), jose.RS256, "rsa", claimsAt(start), nil)
	before := s.calls.Load()
	for n := range 2000 {
		text, i := strings.Repeat(fmt.Sprintf("%x", n), n%50), n%len(secret)
		flip := func(s string) string { i := n % len(s); return s[:i] + string('a'+(s[i]+1)%26) + s[i+1:] }
		form := [][]string{
			{"client_id", text, "client_secret", secret},
			{"client_id", c.ID, "client_secret", text},
			{"client_id", flip(c.ID), "client_secret", secret},
			{"client_id", c.ID, "client_secret", flip(secret)},
			{"client_id", c.ID, "client_secret", secret[:i]},
			{"client_id", federated.ID, "client_assertion_type", assertionType, "client_assertion", signed[:n%strings.LastIndex(signed, ".")] + text},
			{"client_id", text, "client_assertion_type", assertionType, "client_assertion", signed},
			{"client_assertion_type", assertionType, "client_assertion", signed},
			{"client_id", federated.ID, "client_assertion_type", assertionType, "client_assertion", encode(t, object{"alg": "none"}, object{"sub": c.ID}, []byte{})},
		}[n%9]
		r := newRequest(encodeForm(append(form, grant, grantType)...))
		r.RemoteAddr = fmt.Sprintf("192.0.2.%d:1", n/40)
		if got := s.send(r); got.Status != 401 && got.Status != 400 {
			t.Fatalf("%q: %d %s", form, got.Status, got.text)
		}
	}
	if calls, fetches := s.calls.Load()-before, s.issuer.requests.Load(); calls != 0 || fetches != 0 {
		t.Errorf("%d calls, %d fetches", calls, fetches)
	}
}
