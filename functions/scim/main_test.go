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

// rest is an event of a REST API behind the stage "prod".
func rest(method, path, secret, body string) any {
	e := events.APIGatewayProxyRequest{
		Resource: "/{proxy+}", HTTPMethod: method, Path: path, Body: body, MultiValueHeaders: map[string][]string{},
		RequestContext: events.APIGatewayProxyRequestContext{DomainName: host, Stage: "prod", Path: "/prod" + path},
	}
	for name, value := range header(secret) {
		e.MultiValueHeaders[name] = []string{value}
	}
	return e
}

// httpAPI is an event of an HTTP API, which takes application/scim+json for binary.
func httpAPI(method, path, secret, body string) any {
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

// kinds are the two payload formats.
var kinds = map[string]func(method, path, secret, body string) any{"REST": rest, "HTTP": httpAPI}

// answer is a proxy answer with its body read.
type answer struct {
	StatusCode        int
	Headers           map[string]string
	MultiValueHeaders map[string][]string
	Body              string
	json              map[string]any
}

func (a answer) header(name string) string {
	if v := a.MultiValueHeaders[name]; len(v) > 0 {
		return v[0]
	}
	return a.Headers[name]
}

// request sends an event, and wants an answer in SCIM form with that status.
func request(t *testing.T, i *functiontest.Instance, status int, event any) (a answer) {
	t.Helper()
	payload, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	out := i.Invoke(t, payload)
	if out.Failed || json.Unmarshal(out.Payload, &a) != nil || json.Unmarshal([]byte(a.Body), &a.json) != nil {
		t.Fatalf("want a proxy answer with a JSON body, got %+v", out)
	}
	if media := a.header("Content-Type"); a.StatusCode != status || media != "application/scim+json" {
		t.Fatalf("want status %d in application/scim+json, got %d in %s: %s", status, a.StatusCode, media, a.Body)
	}
	return a
}

func TestFunction(t *testing.T) {
	t.Parallel()
	binary := functiontest.BuildFunction(t, ".")
	t.Run("without a token there is only 401", func(t *testing.T) {
		t.Parallel()
		i := functiontest.StartInstance(t, binary, "TABLE_NAME=scim", "DYNAMODB_ENDPOINT=http://127.0.0.1:1", "METRICS_NAMESPACE=Scim/test")
		for kind, event := range kinds {
			for _, path := range []string{"/", "/Users", "/ServiceProviderConfig", "/nothing/of/this"} {
				a := request(t, i, 401, event("POST", path, "", `{"userName":"ada"}`))
				if a.json["status"] != "401" || a.header("Www-Authenticate") == "" {
					t.Errorf("%s %s: not a SCIM error with a challenge: %+v", kind, path, a)
				}
			}
		}
		if log := i.Stop(); strings.Count(log, `"Namespace":"Scim/test"`) != 4*len(kinds) || strings.Count(log, `"ColdStarts":1`) != 1 {
			t.Errorf("want metrics with each request, and one cold start: %s", log)
		}
	})
	t.Run("an event of another kind is an error, and the next is served", func(t *testing.T) {
		t.Parallel()
		i := functiontest.StartInstance(t, binary, "TABLE_NAME=scim", "DYNAMODB_ENDPOINT=http://127.0.0.1:1")
		for _, event := range []string{`{}`, `null`, `"text"`, `{"Records":[{"eventSource":"aws:sqs"}]}`} {
			if out := i.Invoke(t, []byte(event)); !out.Failed || !bytes.Contains(out.Payload, []byte("API Gateway")) {
				t.Errorf("%s: want an error that tells what is expected, got %+v", event, out)
			}
		}
		request(t, i, 401, rest("GET", "/Users", "", ""))
	})
	t.Run("what is missing is named", func(t *testing.T) {
		t.Parallel()
		functiontest.CheckMissingVariable(t, binary)
	})
	t.Run("users live in DynamoDB", func(t *testing.T) {
		t.Parallel()
		env, secret := store(t)
		keepUsers(t, functiontest.StartInstance(t, binary, env...), secret)
	})
	t.Run("BASE_URL is the address that answers give", func(t *testing.T) {
		t.Parallel()
		env, secret := store(t)
		i := functiontest.StartInstance(t, binary, append(env, "BASE_URL=https://scim.example.com/v2/")...)
		a := request(t, i, 201, rest("POST", "/Users", secret, `{"userName":"ada"}`))
		if location := a.header("Location"); !strings.HasPrefix(location, "https://scim.example.com/v2/Users/u") {
			t.Errorf("Location is %q", location)
		}
	})
}

// keepUsers makes users with each kind of event and reads them with the other.
func keepUsers(t *testing.T, i *functiontest.Instance, secret string) {
	for kind, event := range kinds {
		a := request(t, i, 201, event("POST", "/Users", secret, `{"userName":"`+kind+`@example.com","password":"tr0ub4dor"}`))
		id, _ := a.json["id"].(string)
		location := a.header("Location")
		base := map[string]string{"REST": "https://" + host + "/prod", "HTTP": "https://" + host}[kind]
		if location != base+"/Users/"+id {
			t.Errorf("%s: Location is %q, not below the address that the client used", kind, location)
		}
		for other, event := range kinds {
			a := request(t, i, 200, event("GET", "/Users/"+id, secret, ""))
			if a.json["userName"] != kind+"@example.com" {
				t.Errorf("made by %s, read by %s: %v", kind, other, a.json)
			}
		}
		request(t, i, 401, event("GET", "/Users/"+id, secret+"x", ""))
		request(t, i, 409, event("POST", "/Users", secret, `{"userName":"`+strings.ToUpper(kind)+`@example.com"}`))
	}
	log := i.Stop()
	if strings.Contains(log, secret) || strings.Contains(log, "tr0ub4dor") {
		t.Errorf("the log holds a secret:\n%s", log)
	}
	for line := range strings.Lines(log) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a line of the log is not JSON: %s", line)
		}
	}
}

// store makes a table with a token, and gives the variables that name it.
func store(t *testing.T) (env []string, secret string) {
	table, endpoint, name := functiontest.NewDynamoTable(t)
	secret = token.New("default")
	tokens := &token.Store{Table: table, Now: time.Now}
	if err := tokens.ReplaceToken(t.Context(), "default", "test", secret); err != nil {
		t.Fatal(err)
	}
	return []string{"TABLE_NAME=" + name, "DYNAMODB_ENDPOINT=" + endpoint}, secret
}
