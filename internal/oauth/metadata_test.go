package oauth

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
)

// RFC 8414 §2 and §3.2.
func TestMetadataLeadsToTheEndpoint(t *testing.T) {
	t.Parallel()
	const want = `{"issuer":"https://scim.example.com/v2","token_endpoint":"https://scim.example.com/v2/oauth/token",` +
		`"scopes_supported":["scim","scim.read"],"response_types_supported":[],"grant_types_supported":["client_credentials"],` +
		`"token_endpoint_auth_methods_supported":["client_secret_basic","client_secret_post","private_key_jwt"],` +
		`"token_endpoint_auth_signing_alg_values_supported":["RS256","PS256","ES256"],` +
		`"service_documentation":"https://www.rfc-editor.org/rfc/rfc6749#section-4.4"}`
	for _, method := range []string{"GET", "HEAD"} {
		got, err := ServeMetadata(httptest.NewRequest(method, testBase+MetadataPath, nil), testBase)
		b, _ := json.Marshal(got.Body)
		if err != nil || got.Status != 200 || string(b) != want || got.Header["Content-Type"] != "application/json" || got.Header["Cache-Control"] != "max-age=3600" {
			t.Errorf("%s: %v %+v %s", method, err, got, b)
		}
	}
	_, err := ServeMetadata(httptest.NewRequest("POST", testBase+MetadataPath, nil), testBase)
	if got := ErrorResponse(err); got.Status != 405 || got.Header["Allow"] != "GET" {
		t.Errorf("%v: %+v", err, got)
	}
	for algorithm := range len(algorithms) {
		if Metadata(testBase).SigningAlgorithms[algorithm] != string(algorithms[algorithm]) {
			t.Errorf("the metadata has other algorithms than %v", algorithms)
		}
	}
	for path, want := range map[string]string{"/v2/oauth/token": "/v2 /oauth/token", "/oauth/token/": " /oauth/token", "/a/oauth/token/x": " ", "/v2/token": " ",
		"/v2/.well-known/oauth-authorization-server": "/v2 /.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server/v2": " ",
		"/xoauth/token": " ", "/v2/OAuth/Token": " ", "": " ", "/Users/oauth/token": "/Users /oauth/token"} {
		base, endpoint, ok := SplitPath(path)
		if got := base + " " + endpoint; got != want || ok != (endpoint != "") {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
