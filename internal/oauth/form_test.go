package oauth

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"serverless-scim/internal/token"
)

// RFC 6749 §5.2: a request that is not valid gets an error that says what to do, and costs no call to the table.
func TestInvalidRequestsGetTheErrorsOfRFC6749(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c, secret := s.create("acme", token.ScopeAll, nil)
	valid := []string{grant, grantType, "client_id", c.ID, "client_secret", secret}
	with := func(pairs ...string) string { return encodeForm(append(pairs, valid...)...) }
	without := strings.ReplaceAll(encodeForm(valid...), "grant_type=client_credentials&", "")
	jwt := sign(t, ecKey(), jose.ES256, "ec", ownClaims(start), nil)
	for name, x := range map[string]struct {
		body, code string
		change     func(*http.Request)
	}{
		"no grant type":             {strings.Replace(without, "&grant_type=client_credentials", "", 1), "invalid_request", nil},
		"empty grant type":          {strings.Replace(with(), "=client_credentials", "=", 1), "invalid_request", nil},
		"password grant":            {strings.Replace(with(), "=client_credentials", "=password", 1), "unsupported_grant_type", nil},
		"refresh token":             {strings.Replace(with(), "=client_credentials", "=refresh_token", 1), "unsupported_grant_type", nil},
		"JWT bearer grant":          {strings.Replace(with(), "=client_credentials", "=urn:ietf:params:oauth:grant-type:jwt-bearer", 1), "unsupported_grant_type", nil},
		"grant type in upper case":  {strings.Replace(with(), "client_credentials", "CLIENT_CREDENTIALS", 1), "unsupported_grant_type", nil},
		"grant type twice":          {with(grant, grantType), "invalid_request", nil},
		"client_id twice":           {with("client_id", c.ID), "invalid_request", nil},
		"another client_id":         {with("client_id", token.NewClientID("acme")), "invalid_request", nil},
		"secret twice":              {with("client_secret", secret), "invalid_request", nil},
		"scope twice":               {with("scope", "scim", "scope", "scim"), "invalid_request", nil},
		"unknown parameter twice":   {with("x", "1", "x", "2"), "invalid_request", nil},
		"secret and assertion":      {with("client_assertion", jwt, "client_assertion_type", assertionType), "invalid_request", nil},
		"secret and assertion type": {with("client_assertion_type", assertionType), "invalid_request", nil},
		"header and secret":         {with(), "invalid_request", func(r *http.Request) { r.Header.Set("Authorization", basic(c.ID, secret)) }},
		"header and assertion": {encodeForm(grant, grantType, "client_assertion", jwt, "client_assertion_type", assertionType), "invalid_request",
			func(r *http.Request) { r.Header.Set("Authorization", basic(c.ID, secret)) }},
		"header and another client_id": {encodeForm(grant, grantType, "client_id", token.NewClientID("acme")), "invalid_request",
			func(r *http.Request) { r.Header.Set("Authorization", basic(c.ID, secret)) }},
		"assertion without a type":    {encodeForm(grant, grantType, "client_assertion", jwt), "invalid_request", nil},
		"type without an assertion":   {encodeForm(grant, grantType, "client_assertion_type", assertionType), "invalid_request", nil},
		"SAML assertion":              {encodeForm(grant, grantType, "client_assertion", jwt, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"), "invalid_request", nil},
		"too large":                   {with("x", strings.Repeat("x", maxFormBytes)), "invalid_request", nil},
		"not a form":                  {with() + "&x=%zz", "invalid_request", nil},
		"semicolons":                  {strings.ReplaceAll(with(), "&", ";"), "invalid_request", nil},
		"empty":                       {"", "invalid_request", nil},
		"JSON":                        {`{"grant_type":"client_credentials"}`, "invalid_request", func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }},
		"no media type":               {with(), "invalid_request", func(r *http.Request) { r.Header.Del("Content-Type") }},
		"broken media type":           {with(), "invalid_request", func(r *http.Request) { r.Header.Set("Content-Type", ";") }},
		"secret in the query":         {with(), "invalid_request", func(r *http.Request) { r.URL.RawQuery = "client_secret=" + secret }},
		"assertion in the query":      {with(), "invalid_request", func(r *http.Request) { r.URL.RawQuery = "client_assertion=" + jwt }},
		"client_id in the query":      {with(), "invalid_request", func(r *http.Request) { r.URL.RawQuery = "x&client_id=" + c.ID }},
		"everything in the query":     {"", "invalid_request", func(r *http.Request) { r.URL.RawQuery = with() }},
		"a broken query":              {with(), "invalid_request", func(r *http.Request) { r.URL.RawQuery = "a;client_secret=" + secret }},
		"body ends early":             {with(), "invalid_request", func(r *http.Request) { r.Body = io.NopCloser(io.MultiReader(r.Body, failingReader{})) }},
		"scopes that nobody can have": {with("scope", "openid"), "invalid_scope", nil},
	} {
		r := newRequest(x.body)
		r.RemoteAddr = "2001:db8:0:" + fmt.Sprintf("%x", len(name)*1000+int(name[0])) + "::1" // mostly sources of their own
		if x.change != nil {
			x.change(r)
		}
		before := s.calls.Load()
		got := s.send(r).expect(t, 400, x.code)
		if calls := s.calls.Load() - before; calls > 0 && x.code != "invalid_scope" {
			t.Errorf("%s: %d calls", name, calls)
		}
		if description, _ := got.json["error_description"].(string); !strings.Contains(description, ". ") || strings.Contains(got.text, secret) || len(got.json) != 2 || got.Header["WWW-Authenticate"] != "" {
			t.Errorf("%s: %s", name, got.text)
		}
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Each form gets a token or an error of RFC 6749. Only the right credentials get a token.
func FuzzTokenRequest(f *testing.F) {
	s := newService(f)
	c, secret := s.create("acme", token.ScopeAll, nil)
	f.Add(encodeForm(grant, grantType, "client_id", c.ID, "client_secret", secret), "application/x-www-form-urlencoded", "", "")
	f.Add(encodeForm(grant, grantType, "scope", "scim scim.read"), "application/x-www-form-urlencoded;charset=utf-8", basic(c.ID, secret), "x=1")
	f.Add(encodeForm(grant, grantType, "client_assertion", "a.b.c", "client_assertion_type", assertionType), "application/x-www-form-urlencoded", "", "client_id=1")
	f.Fuzz(func(t *testing.T, body, media, authorization, query string) {
		s := &service{TB: t, Endpoint: s.Endpoint, clock: s.clock}
		s.clock.advance(10 * time.Second)
		r := newRequest(body)
		r.Header.Set("Content-Type", media)
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		r.URL.RawQuery = query
		got := s.send(r)
		if code, _ := got.json["error"].(string); got.Status == 200 != (code == "") || got.Status != 200 && got.Status != 400 && got.Status != 401 {
			t.Fatalf("%d %s", got.Status, got.text)
		}
		decoded, _ := url.QueryUnescape(body)
		if got.Status == 200 && !strings.Contains(decoded, secret) && authorization == "" {
			t.Fatalf("%q got a token", body)
		}
	})
}
