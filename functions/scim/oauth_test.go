package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"serverless-scim/functions/internal/functiontest"
	"serverless-scim/internal/oauth"
	"serverless-scim/internal/token"
)

// testOAuth gets access tokens with the events of each kind, in both styles, and creates users with them.
func testOAuth(t *testing.T, i *functiontest.Instance, id, secret string) {
	for kind, event := range eventKinds {
		for _, inHeader := range []bool{false, true} {
			form, authorization := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}}.Encode(), ""
			if inHeader {
				form, authorization = "grant_type=client_credentials", "Basic "+base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
			}
			response := requestToken(t, i, event("POST", oauth.TokenPath, "", form), authorization)
			access, _ := response.json["access_token"].(string)
			if response.StatusCode != 200 || access == "" || response.header("Content-Type") != "application/json" || response.header("Cache-Control") != "no-store" {
				t.Fatalf("%s: %+v", kind, response)
			}
			request(t, i, 201, event("POST", "/Users", access, fmt.Sprintf(`{"userName":"%s %v"}`, kind, inHeader)))
		}
		response := requestToken(t, i, event("POST", oauth.TokenPath, "", "grant_type=client_credentials&client_id="+id+"&client_secret="+token.NewClientSecret()), "")
		if response.StatusCode != 401 || response.json["error"] != "invalid_client" || response.header("Www-Authenticate") == "" {
			t.Errorf("%s: %+v", kind, response)
		}
	}
	if log := i.Stop(); strings.Contains(log, secret) || strings.Count(log, `"route":"/oauth/token"`) != 3*len(eventKinds) ||
		strings.Count(log, `"client":"`+id) != 7*len(eventKinds) {
		t.Errorf("the log contains the secret, or not each request with its client:\n%s", log)
	}
}

// requestToken sends an event with a form, and with an Authorization header unless that is empty.
func requestToken(t *testing.T, i *functiontest.Instance, event any, authorization string) (response proxyResponse) {
	t.Helper()
	headers := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	if authorization != "" {
		headers["Authorization"] = authorization
	}
	switch e := event.(type) {
	case events.APIGatewayProxyRequest:
		for name, value := range headers {
			e.MultiValueHeaders[name] = []string{value}
		}
	case events.APIGatewayV2HTTPRequest:
		maps.Copy(e.Headers, headers)
	}
	payload, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	out := i.Invoke(t, payload)
	if out.Failed || json.Unmarshal(out.Payload, &response) != nil || json.Unmarshal([]byte(response.Body), &response.json) != nil {
		t.Fatalf("want a proxy response with a JSON body, got %+v", out)
	}
	return response
}
