package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"serverless-scim/functions/internal/functiontest"
	"serverless-scim/internal/token"
)

const host = "abc123.execute-api.eu-central-1.amazonaws.com"

// restEvent returns an event of the REST API in template.yaml.
func restEvent(method, path, secret, body string) any {
	return newRESTEvent(host, "/v2"+path, "/scim/v2"+path, method, secret, body)
}

// domainEvent returns an event of the REST API in template.yaml at a custom domain. Unlike at the API's own address,
// its path has the base path of the mapping.
func domainEvent(method, path, secret, body string) any {
	return newRESTEvent("scim.example.com", "/scim/v2"+path, "/scim/v2"+path, method, secret, body)
}

func newRESTEvent(domain, path, contextPath, method, secret, body string) any {
	e := events.APIGatewayProxyRequest{
		Resource: "/v2/{proxy+}", HTTPMethod: method, Path: path, Body: body, MultiValueHeaders: map[string][]string{},
		RequestContext: events.APIGatewayProxyRequestContext{DomainName: domain, Stage: "scim", Path: contextPath},
	}
	for name, value := range header(secret) {
		e.MultiValueHeaders[name] = []string{value}
	}
	return e
}

// httpEvent returns an event of an HTTP API. An HTTP API sends a body of type application/scim+json as base64.
func httpEvent(method, path, secret, body string) any {
	return events.APIGatewayV2HTTPRequest{
		Version: "2.0", RawPath: path, Headers: header(secret),
		Body: base64.StdEncoding.EncodeToString([]byte(body)), IsBase64Encoded: body != "",
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			DomainName: host, Stage: "$default",
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: method, Path: path},
		},
	}
}

func header(secret string) map[string]string {
	h := map[string]string{"Content-Type": "application/scim+json"}
	if secret != "" {
		h["Authorization"] = "Bearer " + secret
	}
	return h
}

// eventKinds returns events in the two payload formats, and those of a custom domain.
var eventKinds = map[string]func(method, path, secret, body string) any{
	"REST": restEvent, "domain": domainEvent, "HTTP": httpEvent,
}

// proxyResponse is a response in either payload format. The field json is the decoded body.
type proxyResponse struct {
	StatusCode        int
	Headers           map[string]string
	MultiValueHeaders map[string][]string
	Body              string
	json              map[string]any
}

func (r proxyResponse) header(name string) string {
	if v := r.MultiValueHeaders[name]; len(v) > 0 {
		return v[0]
	}
	return r.Headers[name]
}

// request sends an event and returns the response. The test fails unless the response has the status and a SCIM body.
func request(t testing.TB, i *functiontest.Instance, status int, event any) (response proxyResponse) {
	t.Helper()
	payload, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	out := i.Invoke(t, payload)
	if out.Failed || json.Unmarshal(out.Payload, &response) != nil ||
		json.Unmarshal([]byte(response.Body), &response.json) != nil {
		t.Fatalf("want a proxy response with a JSON body, got %+v", out)
	}
	if media := response.header("Content-Type"); response.StatusCode != status || media != "application/scim+json" {
		t.Fatalf("want status %d in application/scim+json, got %d in %s: %s",
			status, response.StatusCode, media, response.Body)
	}
	return response
}

func TestFunction(t *testing.T) {
	t.Parallel()
	binary := functiontest.BuildFunction(t, ".")
	t.Run("every request without a token gets 401", func(t *testing.T) {
		t.Parallel()
		i := functiontest.StartInstance(t, binary, "TABLE_NAME=scim", "DYNAMODB_ENDPOINT=http://127.0.0.1:1",
			"METRICS_NAMESPACE=Scim/test")
		for kind, event := range eventKinds {
			for _, path := range []string{"/", "/Users", "/ServiceProviderConfig", "/nothing/of/this"} {
				response := request(t, i, 401, event("POST", path, "", `{"userName":"ada"}`))
				if response.json["status"] != "401" || response.header("Www-Authenticate") == "" {
					t.Errorf("%s %s: not a SCIM error with a challenge: %+v", kind, path, response)
				}
			}
		}
		log := i.Stop()
		if strings.Count(log, `"Namespace":"Scim/test"`) != 4*len(eventKinds) || strings.Count(log, `"ColdStarts":1`) != 1 {
			t.Errorf("want metrics with each request, and one cold start: %s", log)
		}
	})
	t.Run("other events are errors, and the next event is served", func(t *testing.T) {
		t.Parallel()
		i := functiontest.StartInstance(t, binary, "TABLE_NAME=scim", "DYNAMODB_ENDPOINT=http://127.0.0.1:1")
		for _, event := range []string{`{}`, `null`, `"text"`, `{"Records":[{"eventSource":"aws:sqs"}]}`} {
			if out := i.Invoke(t, []byte(event)); !out.Failed || !bytes.Contains(out.Payload, []byte("API Gateway")) {
				t.Errorf("%s: want an error that names API Gateway, got %+v", event, out)
			}
		}
		request(t, i, 401, restEvent("GET", "/Users", "", ""))
	})
	t.Run("a missing variable is named", func(t *testing.T) {
		t.Parallel()
		functiontest.CheckMissingVariable(t, binary)
	})
	t.Run("users are stored in DynamoDB", func(t *testing.T) {
		t.Parallel()
		env, secret := newStore(t)
		testUsers(t, functiontest.StartInstance(t, binary, env...), secret)
	})
	t.Run("OAuth clients get tokens", func(t *testing.T) {
		t.Parallel()
		env, tokens := newTokenStore(t)
		secret := token.NewClientSecret()
		c, err := tokens.CreateClient(t.Context(), token.Client{Label: "entra", Tenant: "default", Scope: token.ScopeAll, TokenLifetime: time.Hour})
		if err == nil {
			c, err = tokens.AddClientSecret(t.Context(), "default", c.ID, secret, token.DefaultSecretLifetime, 0)
		}
		if err != nil {
			t.Fatal(err)
		}
		testOAuth(t, functiontest.StartInstance(t, binary, env...), c.ID, secret)
	})
	t.Run("BASE_URL is the base of locations", func(t *testing.T) {
		t.Parallel()
		env, secret := newStore(t)
		i := functiontest.StartInstance(t, binary, append(env, "BASE_URL=https://proxy.example.com/scim/v2/")...)
		response := request(t, i, 201, restEvent("POST", "/Users", secret, `{"userName":"ada"}`))
		if location := response.header("Location"); !strings.HasPrefix(location, "https://proxy.example.com/scim/v2/Users/u") {
			t.Errorf("Location is %q", location)
		}
	})
}

// testUsers creates users with each kind of event and reads them with both.
func testUsers(t *testing.T, i *functiontest.Instance, secret string) {
	for kind, event := range eventKinds {
		user := `{"userName":"` + kind + `@example.com","password":"tr0ub4dor"}`
		response := request(t, i, 201, event("POST", "/Users", secret, user))
		id, _ := response.json["id"].(string)
		location := response.header("Location")
		base := map[string]string{"REST": "https://" + host + "/scim/v2", "domain": "https://scim.example.com/scim/v2",
			"HTTP": "https://" + host}[kind]
		if location != base+"/Users/"+id {
			t.Errorf("%s: Location is %q, want one below the address of the request", kind, location)
		}
		for other, event := range eventKinds {
			response := request(t, i, 200, event("GET", "/Users/"+id, secret, ""))
			if response.json["userName"] != kind+"@example.com" {
				t.Errorf("created by %s, read by %s: %v", kind, other, response.json)
			}
		}
		request(t, i, 401, event("GET", "/Users/"+id, secret+"x", ""))
		request(t, i, 409, event("POST", "/Users", secret, `{"userName":"`+strings.ToUpper(kind)+`@example.com"}`))
	}
	log := i.Stop()
	if strings.Contains(log, secret) || strings.Contains(log, "tr0ub4dor") {
		t.Errorf("the log contains a secret:\n%s", log)
	}
	for line := range strings.Lines(log) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a log line is not JSON: %s", line)
		}
	}
}

// newStore creates a table with a token and returns the variables that name the table.
func newStore(t testing.TB) (env []string, secret string) {
	t.Helper()
	env, tokens := newTokenStore(t)
	secret = token.New("default")
	if err := tokens.ReplaceToken(t.Context(), "default", "test", secret); err != nil {
		t.Fatal(err)
	}
	return env, secret
}

// newTokenStore creates a table with the tenant default and returns the variables that name the table.
func newTokenStore(t testing.TB) (env []string, tokens *token.Store) {
	t.Helper()
	table, endpoint, name := functiontest.NewDynamoTable(t)
	tokens = &token.Store{Table: table, Now: time.Now}
	if _, err := tokens.CreateTenant(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	return []string{"TABLE_NAME=" + name, "DYNAMODB_ENDPOINT=" + endpoint}, tokens
}
