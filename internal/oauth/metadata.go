package oauth

import (
	"net/http"
	"strings"

	"serverless-scim/internal/token"
)

// The paths of the endpoints after the base URL. RFC 8414 §3.1 puts the path of the issuer after the well-known path, which
// is outside of the base path. A service that shares a host cannot answer there, so clients get the address of the metadata.
const (
	TokenPath    = "/oauth/token"
	MetadataPath = "/.well-known/oauth-authorization-server"
)

// SplitPath splits the path of an endpoint of this package into the base path and TokenPath or MetadataPath. For any other
// path, ok is false.
func SplitPath(path string) (base, endpoint string, ok bool) {
	path = strings.TrimSuffix(path, "/")
	for _, endpoint := range []string{TokenPath, MetadataPath} {
		if base, ok := strings.CutSuffix(path, endpoint); ok {
			return base, endpoint, true
		}
	}
	return "", "", false
}

// ServerMetadata describes the authorization server (RFC 8414 §2).
type ServerMetadata struct {
	Issuer                string        `json:"issuer"`
	TokenEndpoint         string        `json:"token_endpoint"`
	Scopes                []token.Scope `json:"scopes_supported"`
	ResponseTypes         []string      `json:"response_types_supported"` // required by §2 and empty, although §3.2 omits empty lists
	GrantTypes            []string      `json:"grant_types_supported"`
	AuthenticationMethods []string      `json:"token_endpoint_auth_methods_supported"`
	SigningAlgorithms     []string      `json:"token_endpoint_auth_signing_alg_values_supported"`
	Documentation         string        `json:"service_documentation"`
}

// Metadata returns the metadata of a service with a base URL, which is the issuer.
func Metadata(baseURL string) ServerMetadata {
	return ServerMetadata{
		Issuer:                baseURL,
		TokenEndpoint:         baseURL + TokenPath,
		Scopes:                []token.Scope{token.ScopeAll, token.ScopeRead},
		ResponseTypes:         []string{},
		GrantTypes:            []string{grantType},
		AuthenticationMethods: []string{"client_secret_basic", "client_secret_post", "private_key_jwt"},
		SigningAlgorithms:     []string{"RS256", "PS256", "ES256"},
		Documentation:         "https://www.rfc-editor.org/rfc/rfc6749#section-4.4",
	}
}

// ServeMetadata serves GET and HEAD on MetadataPath. Clients may keep the metadata for an hour.
func ServeMetadata(r *http.Request, baseURL string) (Response, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return Response{}, &methodError{"GET"}
	}
	header := map[string]string{"Content-Type": "application/json", "Cache-Control": "max-age=3600"}
	return Response{Status: http.StatusOK, Header: header, Body: Metadata(baseURL)}, nil
}
