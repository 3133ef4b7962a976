package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"serverless-scim/internal/gateway"
	"serverless-scim/internal/oauth"
	"serverless-scim/internal/replay"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/token"
)

// authlibVariable is the environment variable with the path of a Python that has the packages Authlib and requests.
const authlibVariable = "SCIM_TEST_AUTHLIB"

// An oauthProvider is a server with a tenant, whose clients get tokens.
type oauthProvider struct {
	*httptest.Server
	base   string
	tokens *token.Store
}

func newOAuthProvider(t *testing.T) *oauthProvider {
	t.Helper()
	tab, err := bolt.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tab.Close() })
	p := &oauthProvider{tokens: &token.Store{Table: tab, Now: time.Now}}
	if _, err := p.tokens.CreateTenant(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	p.Server = httptest.NewUnstartedServer(nil)
	p.base = baseURL(p.Listener.Addr())
	p.Config.Handler = newHandler(newConfig(t, tab, io.Discard), p.tokens, p.base, 0)
	p.Start()
	t.Cleanup(p.Close)
	return p
}

// createClient creates a client, whose public keys are keys unless they are nil. Otherwise it has the secret.
func (p *oauthProvider) createClient(t *testing.T, keys json.RawMessage) (id, secret string) {
	t.Helper()
	c := token.Client{ID: token.NewClientID(tenant), Label: rand.Text(), Tenant: tenant, Scope: token.ScopeAll, TokenLifetime: time.Hour}
	if keys != nil {
		c.Assertion = &token.AssertionRule{Issuer: c.ID, Subject: c.ID, Keys: keys}
	}
	c, err := p.tokens.CreateClient(t.Context(), c)
	if err == nil && keys == nil {
		secret = token.NewClientSecret()
		c, err = p.tokens.AddClientSecret(t.Context(), tenant, c.ID, secret, token.DefaultSecretLifetime, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c.ID, secret
}

// The client of package oauth2 gets a token in each of its styles, and uses it for a request.
func TestGoClientGetsTokens(t *testing.T) {
	t.Parallel()
	p := newOAuthProvider(t)
	id, secret := p.createClient(t, nil)
	for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleAutoDetect, oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams} {
		for _, scope := range [][]string{nil, {"scim"}, {"scim.read"}} {
			c := clientcredentials.Config{ClientID: id, ClientSecret: secret, TokenURL: p.base + oauth.TokenPath, Scopes: scope, AuthStyle: style}
			got, err := c.Token(t.Context())
			if err != nil || got.TokenType != "Bearer" || got.Extra("expires_in") != 3600.0 || got.Extra("scope") != strings.Join(append(scope, "scim")[:1], "") {
				t.Fatalf("style %d: %+v, %v", style, got, err)
			}
			response, err := c.Client(t.Context()).Get(p.base + "/Users")
			if err != nil {
				t.Fatal(err)
			}
			if response.Body.Close(); response.StatusCode != 200 {
				t.Errorf("style %d: GET /Users: %d", style, response.StatusCode)
			}
		}
		wrong := clientcredentials.Config{ClientID: id, ClientSecret: token.NewClientSecret(), TokenURL: p.base + oauth.TokenPath, AuthStyle: style}
		_, err := wrong.Token(t.Context())
		if e, ok := err.(*oauth2.RetrieveError); !ok || e.ErrorCode != "invalid_client" || e.ErrorDescription == "" || e.Response.StatusCode != 401 {
			t.Errorf("style %d: %v", style, err)
		}
	}
}

// Authlib gets a token by each of its methods from the address in the metadata, and creates a user with it.
func TestPythonClientGetsTokens(t *testing.T) {
	t.Parallel()
	python := os.Getenv(authlibVariable)
	if python == "" {
		t.Skipf("set %s to the path of a Python with Authlib and requests", authlibVariable)
	}
	p := newOAuthProvider(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public()}}})
	if err != nil {
		t.Fatal(err)
	}
	keyFile := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), 0o600); err != nil {
		t.Fatal(err)
	}
	id, secret := p.createClient(t, nil)
	own, _ := p.createClient(t, jwks)
	cmd := exec.CommandContext(t.Context(), python, "testdata/authlib_client.py", p.base, id, secret, own, keyFile)
	if out, err := cmd.CombinedOutput(); err != nil || strings.Count(string(out), "created") != 3 {
		t.Errorf("%v\n%s", err, out)
	}
}

// The responses to the conversations of Okta and Entra ID are the same with an access token.
func TestEventsWithAccessToken(t *testing.T) {
	t.Parallel()
	conversations, err := replay.LoadConversations("../../events")
	if err != nil {
		t.Fatal(err)
	}
	for style, s := range map[string]oauth2.AuthStyle{"header": oauth2.AuthStyleInHeader, "form": oauth2.AuthStyleInParams} {
		t.Run(style, func(t *testing.T) {
			t.Parallel()
			h, tokens := newProviderOf(t)
			p := &oauthProvider{tokens: tokens}
			id, secret := p.createClient(t, nil)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.URL.Scheme, r.URL.Host = "http", r.Host
				h.ServeHTTP(w, r)
			}))
			defer server.Close()
			c := clientcredentials.Config{ClientID: id, ClientSecret: secret, TokenURL: server.URL + basePath + oauth.TokenPath, AuthStyle: s}
			access, err := c.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for run, target := range []replay.Target{replay.HTTPTarget(server.Client(), server.URL+basePath), replay.FunctionTarget(gateway.New(h).Invoke)} {
				playEvents(t, conversations, replay.Player{Target: target, Token: access.AccessToken, RunSuffix: fmt.Sprint(style, run)})
			}
		})
	}
}
