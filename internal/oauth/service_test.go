package oauth

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/table/tabletest"
	"serverless-scim/internal/token"
)

// A service is an Endpoint on an embedded table. It counts the calls of the table, which fail with fault if that is set.
type service struct {
	testing.TB
	*Endpoint
	clock  *clock
	issuer *issuer
	calls  atomic.Int64
	fault  atomic.Pointer[error]
	table  table.Table // without counts and faults
}

// newService returns a service with the tenants acme and other.
func newService(t testing.TB) *service {
	s := &service{TB: t, clock: &clock{}, issuer: newIssuer(t)}
	tab, err := bolt.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tab.Close() })
	s.table = tab
	counted := tabletest.Faults{Table: tab, Before: func(tabletest.Call) error {
		s.calls.Add(1)
		if err := s.fault.Load(); err != nil {
			return *err
		}
		return nil
	}}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	s.Endpoint = New(&token.Store{Table: counted, Now: s.clock.now}, &token.Limiter{Table: counted, Now: s.clock.now, Log: log}, s.issuer.client())
	for _, tenant := range []string{"acme", "other"} {
		if _, err := s.Tokens.CreateTenant(t.Context(), tenant); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// create creates a client of a tenant. Without a rule, it has the secret that is returned.
func (s *service) create(tenant string, scope token.Scope, rule *token.AssertionRule) (c token.Client, secret string) {
	s.Helper()
	c = token.Client{ID: token.NewClientID(tenant), Label: tenant + token.NewClientSecret()[50:], Tenant: tenant, Scope: scope,
		TokenLifetime: time.Hour, Assertion: rule}
	if rule != nil && rule.Issuer == "" {
		rule.Issuer, rule.Subject = c.ID, c.ID
	}
	c, err := s.Tokens.CreateClient(s.Context(), c)
	if err == nil && rule == nil {
		secret = token.NewClientSecret()
		c, err = s.Tokens.AddClientSecret(s.Context(), tenant, c.ID, secret, token.DefaultSecretLifetime, 0)
	}
	if err != nil {
		s.Fatal(err)
	}
	return c, secret
}

// A reply is a response with its JSON.
type reply struct {
	Response
	err  error
	text string
	json map[string]any
}

func (s *service) send(r *http.Request) (got reply) {
	s.Helper()
	got.Response, got.err = s.ServeToken(r, testBase)
	if got.err != nil {
		e := ErrorResponse(got.err)
		e.Tenant, e.Client = got.Tenant, got.Client
		got.Response = e
	}
	b, err := json.Marshal(got.Body)
	if err == nil {
		err = json.Unmarshal(b, &got.json)
	}
	if err != nil {
		s.Fatal(err)
	}
	got.text = string(b)
	if got.Header["Cache-Control"] != "no-store" || got.Header["Pragma"] != "no-cache" || got.Header["Content-Type"] != "application/json" {
		s.Errorf("the header is %v", got.Header)
	}
	return got
}

func newRequest(body string) *http.Request {
	r := httptest.NewRequest("POST", testEndpoint, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// post sends a form of pairs of names and values.
func (s *service) post(pairs ...string) reply {
	s.Helper()
	return s.send(newRequest(encodeForm(pairs...)))
}

func encodeForm(pairs ...string) string {
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return form.Encode()
}

func basic(id, secret string) string {
	pair := url.QueryEscape(id) + ":" + url.QueryEscape(secret)
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
}

// withHeader sends a form with a header Authorization.
func (s *service) withHeader(authorization string, pairs ...string) reply {
	s.Helper()
	r := newRequest(encodeForm(pairs...))
	r.Header.Set("Authorization", authorization)
	return s.send(r)
}

// expect checks the status and the error code of a reply.
func (got reply) expect(t testing.TB, status int, code string) reply {
	t.Helper()
	if found, _ := got.json["error"].(string); got.Status != status || found != code {
		t.Errorf("got %d %s, want %d %s", got.Status, got.text, status, code)
	}
	return got
}

// expectToken checks that a reply has an access token of a client with a scope, which authenticates requests of the client.
func (s *service) expectToken(got reply, c token.Client, scope token.Scope) {
	s.Helper()
	secret, _ := got.json["access_token"].(string)
	if got.Status != 200 || got.json["token_type"] != "Bearer" || got.json["expires_in"] != c.TokenLifetime.Seconds() ||
		got.json["scope"] != string(scope) || len(got.json) != 4 || got.Tenant != c.Tenant || got.Client != c.ID {
		s.Fatalf("got %d %s of %s", got.Status, got.text, got.Client)
	}
	i, err := s.Tokens.Authenticate(s.Context(), []string{"Bearer " + secret})
	if err != nil || i.Tenant.Name != c.Tenant || i.Client != c.ID || i.Scope != scope {
		s.Errorf("the token is of %+v, %v", i, err)
	}
}

const grant = "grant_type"
