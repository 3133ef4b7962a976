package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/gateway"
	"serverless-scim/internal/oauth"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
	"serverless-scim/internal/token"
)

// createClient creates an OAuth client of a tenant, with a secret.
func (c *client) createClient(tenant string, scope token.Scope) (created token.Client, secret string) {
	c.Helper()
	secret = token.NewClientSecret()
	created, err := c.config.Tokens.CreateClient(c.Context(), token.Client{Label: secret[50:], Tenant: tenant, Scope: scope, TokenLifetime: time.Hour})
	if err == nil {
		created, err = c.config.Tokens.AddClientSecret(c.Context(), tenant, created.ID, secret, token.DefaultSecretLifetime, 0)
	}
	if err != nil {
		c.Fatal(err)
	}
	return created, secret
}

// postToken sends a request to the token endpoint, with the credentials in the form.
func (c *client) postToken(id, secret string, pairs ...string) clientResponse {
	c.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest("POST", "/v2"+oauth.TokenPath, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.send(r)
}

// requestToken returns an access token whose first use is recorded.
func (c *client) requestToken(id, secret string) (access string) {
	c.Helper()
	access, _ = c.expect(c.postToken(id, secret), 200).body["access_token"].(string)
	if _, err := c.config.Tokens.Authenticate(c.Context(), []string{access}); err != nil {
		c.Fatal(err)
	}
	return access
}

// A client gets tokens of its tenant alone, whatever tenant the path, the header, or the form names.
func TestClientGetsTokensOfItsTenantOnly(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	tenants := []string{"acme", "acme-2"}
	ids, secrets, users := [2]string{}, [2]string{}, [2]string{}
	for i, tenant := range tenants {
		users[i] = c.createTenant(t, tenant).user
		created, secret := c.createClient(tenant, token.ScopeAll)
		ids[i], secrets[i] = created.ID, secret
	}
	for i, tenant := range tenants {
		other := 1 - i
		before := c.dumpTenant(tenants[other])
		access := c.requestToken(ids[i], secrets[i])
		identity, err := c.config.Tokens.Authenticate(t.Context(), []string{access})
		if err != nil || identity.Tenant.Name != tenant {
			t.Errorf("a client of %s has a token of %s, %v", tenant, identity.Tenant.Name, err)
		}
		for _, attempt := range [][]string{
			{ids[i], secrets[other]}, {ids[other], secrets[i]}, {strings.Replace(ids[i], tenant, tenants[other], 1), secrets[i]},
		} {
			c.expect(c.postToken(attempt[0], attempt[1], "tenant", tenants[other]), 401)
		}
		c.secret = access
		c.expect(c.do("GET", "/Users/"+users[i], ""), 200)
		c.expect(c.do("GET", "/Users/"+users[other], ""), 404)
		c.expect(c.do("DELETE", "/Users/"+users[other], ""), 404)
		if c.dumpTenant(tenants[other]) != before {
			t.Errorf("a client of %s changed items of %s", tenant, tenants[other])
		}
	}
}

// The scope of an access token is that of the request, and no request with it can do more.
func TestAccessTokenHasItsScope(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	created, secret := c.createClient("test", token.ScopeAll)
	reader, _ := c.expect(c.postToken(created.ID, secret, "scope", "scim.read"), 200).body["access_token"].(string)
	c.secret = reader
	c.expect(c.do("GET", "/Users", ""), 200)
	c.expect(c.do("POST", "/Users", `{"userName":"ada"}`), 403)
	c.secret = c.requestToken(created.ID, secret)
	c.create("/Users", `{"userName":"ada"}`)
}

// The end of an access token is exact. The tokens of a revoked client end within five seconds.
func TestEndOfAccessTokens(t *testing.T) {
	t.Parallel()
	c, k := newClientWithClock(t)
	created, secret := c.createClient("test", token.ScopeAll)
	c.secret = c.requestToken(created.ID, secret)
	k.Add(3599)
	c.expect(c.do("GET", "/Users", ""), 200)
	k.Add(1)
	c.expect(c.do("GET", "/Users", ""), 401)
	c.secret = c.requestToken(created.ID, secret)
	if err := c.config.Tokens.RevokeClient(t.Context(), "test", created.ID); err != nil {
		t.Fatal(err)
	}
	c.expect(c.postToken(created.ID, secret), 401)
	k.Add(5)
	c.expect(c.do("GET", "/Users", ""), 401)
}

// Each request to the token endpoint has one log line, with the client if it exists, and without secrets. The lines of requests
// with an access token name the client too.
func TestLogNamesTheClient(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	created, secret := c.createClient("test", token.ScopeAll)
	wrong, unknown := token.NewClientSecret(), token.NewClientID("test")
	access := ""
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() { access = c.requestToken(created.ID, secret) }, `tenant=test token="" method=POST route=/oauth/token status=200 client=` + created.ID},
		{func() { c.postToken(created.ID, wrong) },
			`tenant=test token="" method=POST route=/oauth/token status=401 client=` + created.ID + ` error="oauth: invalid_client: the client does not exist, or the secret is not valid"`},
		{func() { c.postToken(unknown, secret) },
			`tenant="" token="" method=POST route=/oauth/token status=401 error="oauth: invalid_client: the client does not exist, or the secret is not valid"`},
		{func() { c.postToken(created.ID, secret, "scope", "everything") }, `tenant=test token="" method=POST route=/oauth/token status=400 client=` + created.ID +
			` error="oauth: invalid_scope: The client may not have this scope. Omit the parameter scope to get the scope of the client, or send scope=scim.read."`},
		{func() { c.do("GET", "/.well-known/oauth-authorization-server", "") }, `tenant="" token="" method=GET route=/.well-known/oauth-authorization-server status=200`},
		{func() {
			other := *c
			other.secret = access
			other.create("/Users", `{"userName":"ada"}`)
		}, `tenant=test token=ID method=POST route=/Users status=201 client=` + created.ID + ` lenient=schemas-missing`},
	} {
		c.log.Reset()
		step.do()
		text := c.log.String()
		var requests []string
		for line := range strings.Lines(text) {
			if strings.Contains(line, "msg=request ") {
				requests = append(requests, loggedWithoutCosts(line))
			}
			if strings.Contains(line, "msg=audit ") && !strings.Contains(line, "client="+created.ID) {
				t.Errorf("the audit line does not name the client: %s", line)
			}
		}
		if len(requests) != 1 || requests[0] != step.want {
			t.Errorf("got %q, want %q", requests, step.want)
		}
		for _, v := range []string{secret, wrong, unknown, access, "everything"} {
			if v != "" && strings.Contains(text, v) {
				t.Errorf("the log contains %s: %s", v, text)
			}
		}
	}
}

// loggedWithoutCosts returns the attributes of a log line that do not differ in each run.
func loggedWithoutCosts(line string) string {
	_, line, _ = strings.Cut(strings.TrimSpace(line), "requestId=request ")
	before, rest, _ := strings.Cut(line, " milliseconds=")
	_, after, found := strings.Cut(rest, "table.writeUnits=")
	if _, after, _ = strings.Cut(after, " "); found && after != "" {
		before += " " + after
	}
	if i := strings.Index(before, "token="); i >= 0 && !strings.HasPrefix(before[i:], `token=""`) {
		before = before[:i] + "token=ID" + before[i+len("token=")+16:]
	}
	return before
}

// A panic and an error of the table get responses of the token endpoint, and a log line.
func TestTokenEndpointSurvivesFailures(t *testing.T) {
	t.Parallel()
	var fault func() error
	c := newClient(t)
	created, secret := c.createClient("test", token.ScopeAll)
	faulty := tabletest.Faults{Table: c.config.Tokens.Table, Before: func(tabletest.Call) error { return fault() }}
	c.config.OAuth = oauth.New(&token.Store{Table: faulty, Now: time.Now}, c.config.Limiter, nil)
	c.handler = New(c.config)
	for want, f := range map[int]func() error{
		500: func() error { panic("boom") }, 503: func() error { return &table.TransientError{Err: http.ErrHandlerTimeout} }, 200: func() error { return nil },
	} {
		fault = f
		c.log.Reset()
		c.expect(c.postToken(created.ID, secret), want)
		if n := strings.Count(c.log.String(), fmt.Sprint("route=/oauth/token status=", want)); n != 1 {
			t.Errorf("%d: %d lines", want, n)
		}
	}
}

// Without an endpoint, its paths are as any other path that does not exist.
func TestWithoutOAuthItsPathsDoNotExist(t *testing.T) {
	t.Parallel()
	c := newClient(t, func(c *Config) { c.OAuth = nil })
	for _, p := range publicPaths() {
		for _, method := range []string{"GET", "POST"} {
			c.expect(c.do(method, p.path, ""), 404)
			c.expect(c.do(method, p.path, "", "Authorization", "Bearer wrong"), 401)
		}
	}
	schemes, _ := c.do("GET", "/ServiceProviderConfig", "").body["authenticationSchemes"].([]any)
	if len(schemes) != 1 {
		t.Errorf("the schemes are %v", schemes)
	}
}

// Without a BaseURL, issuer and token endpoint are the address of the request, as API Gateway states it.
func TestMetadataHasTheAddressOfTheRequest(t *testing.T) {
	t.Parallel()
	c := newClient(t, func(c *Config) { c.BaseURL = "" })
	event := `{"resource":"/v2/{proxy+}","httpMethod":"GET","path":"/v2/.well-known/oauth-authorization-server","multiValueHeaders":{"Host":["evil.example"],"X-Forwarded-Host":["evil.example"]},
		"requestContext":{"domainName":"api.example.com","stage":"scim","path":"/scim/v2/.well-known/oauth-authorization-server","identity":{"sourceIp":"192.0.2.7"}}}`
	out, err := gateway.New(c.handler).Invoke(t.Context(), []byte(event))
	var response struct {
		StatusCode int
		Body       string
	}
	var metadata oauth.ServerMetadata
	if err == nil {
		err = json.Unmarshal(out, &response)
	}
	if err == nil {
		err = json.Unmarshal([]byte(response.Body), &metadata)
	}
	if err != nil || response.StatusCode != 200 || metadata.Issuer != "https://api.example.com/scim/v2" || metadata.TokenEndpoint != metadata.Issuer+"/oauth/token" {
		t.Errorf("%v: %s", err, out)
	}
}

// The source of a request is the address that API Gateway states, and not a header.
func TestGatewayStatesTheSource(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	h := gateway.New(c.handler)
	status := func(event string, source string) int {
		out, err := h.Invoke(t.Context(), fmt.Appendf(nil, event, source))
		var response struct{ StatusCode int }
		if err == nil {
			err = json.Unmarshal(out, &response)
		}
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode
	}
	const rest = `{"resource":"/{proxy+}","httpMethod":"POST","path":"/v2/oauth/token","body":"grant_type=x","multiValueHeaders":{"X-Forwarded-For":["10.0.0.1"],"Content-Type":["application/x-www-form-urlencoded"]},
		"requestContext":{"path":"/v2/oauth/token","identity":{"sourceIp":"%s"}}}`
	const httpAPI = `{"version":"2.0","rawPath":"/v2/oauth/token","body":"grant_type=x","headers":{"x-forwarded-for":"10.0.0.1","content-type":"application/x-www-form-urlencoded"},
		"requestContext":{"http":{"method":"POST","path":"/v2/oauth/token","sourceIp":"%s"}}}`
	for i, event := range []string{rest, httpAPI} {
		limited := 0
		for range 200 { // two windows of ten seconds may share them
			if status(event, fmt.Sprint("192.0.2.", i)) == 429 {
				limited++
			}
		}
		if limited < 50 || status(event, fmt.Sprint("198.51.100.", i)) != 400 {
			t.Errorf("%.40s: %d requests of the source were limited", event, limited)
		}
	}
}
