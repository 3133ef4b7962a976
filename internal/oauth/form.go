package oauth

import (
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"serverless-scim/internal/token"
)

const (
	maxFormBytes  = 32 << 10 // of a request body
	grantType     = "client_credentials"
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" // RFC 7523 §2.2
)

// A form holds the parameters of a request. A parameter without a value is absent (RFC 6749 §3.2).
type form map[string]string

func invalidRequest(description string) error { return &requestError{"invalid_request", description} }

// parseForm returns the parameters of a request, which are in the body (RFC 6749 §2.3.1). Unknown parameters are ignored,
// but no parameter may occur twice (§3.2).
func parseForm(r *http.Request) (form, error) {
	if err := checkQuery(r.URL.RawQuery); err != nil {
		return nil, err
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return nil, invalidRequest("The Content-Type is missing or not supported. Send the parameters in the body, " +
			"as application/x-www-form-urlencoded.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxFormBytes))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, invalidRequest("The request body is larger than 32 KB. Send only the parameters of the token request.")
	}
	if err != nil {
		return nil, invalidRequest("The request body is incomplete. Send the request again.")
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, invalidRequest("The request body is not a valid form. Encode the parameters as " +
			"application/x-www-form-urlencoded.")
	}
	f := form{}
	for name, list := range values {
		if len(list) > 1 {
			return nil, invalidRequest("A parameter occurs twice. Send each parameter once.")
		}
		f[name] = list[0]
	}
	return f, nil
}

// checkQuery returns an error if a query has parameters of a token request, which would then be in the logs of proxies.
func checkQuery(query string) error {
	values, err := url.ParseQuery(query)
	for _, name := range []string{"grant_type", "scope", "client_id", "client_secret", "client_assertion", "client_assertion_type"} {
		if err != nil || values.Has(name) {
			return invalidRequest("The query of the URL has parameters of the token request. Send them in the body, " +
				"and replace the secret.")
		}
	}
	return nil
}

// checkGrantType returns an error unless the grant type is that of client credentials.
func (f form) checkGrantType() error {
	switch f["grant_type"] {
	case grantType:
		return nil
	case "":
		return invalidRequest("The parameter grant_type is missing. Send grant_type=client_credentials.")
	}
	return &requestError{"unsupported_grant_type", "The grant type is not supported. Send grant_type=client_credentials."}
}

// scope returns the scope of an access token: the requested one, or else that of the client. A client of scope scim may
// request scim.read, and a client of scope scim.read only that. Of several scopes, the widest applies.
func (f form) scope(client token.Scope) (token.Scope, error) {
	requested := f["scope"]
	if requested == "" {
		return client, nil
	}
	granted := token.ScopeRead
	for name := range strings.SplitSeq(requested, " ") {
		scope := token.Scope(name)
		if !scope.IsKnown() || scope.AllowsWrites() && !client.AllowsWrites() {
			return "", &requestError{"invalid_scope", "The client may not have this scope. Omit the parameter scope to get " +
				"the scope of the client, or send scope=scim.read."}
		}
		if scope.AllowsWrites() {
			granted = scope
		}
	}
	return granted, nil
}

// credentials authenticate a client: a secret or an assertion.
type credentials struct{ clientID, secret, assertion string }

// credentials returns the credentials of a request, which must use exactly one method (RFC 6749 §2.3). It returns a
// *clientError if no client can have these credentials.
func (f form) credentials(authorization []string) (c credentials, err error) {
	c = credentials{f["client_id"], f["client_secret"], f["client_assertion"]}
	hasAssertion := c.assertion != "" || f["client_assertion_type"] != ""
	switch {
	case len(authorization) > 0 && (c.secret != "" || hasAssertion), c.secret != "" && hasAssertion:
		return c, invalidRequest("The request uses more than one method to authenticate the client. Use one: the header " +
			"Authorization, client_secret, or client_assertion.")
	case hasAssertion && (c.assertion == "" || f["client_assertion_type"] != assertionType):
		return c, invalidRequest("An assertion needs two parameters. Send client_assertion and client_assertion_type=" +
			assertionType + ".")
	case len(authorization) > 0:
		id, secret, ok := parseBasic(authorization)
		if !ok {
			return c, &clientError{"the header Authorization is not valid"}
		}
		if c.clientID != "" && c.clientID != id {
			return c, invalidRequest("The parameter client_id differs from the header Authorization. Omit the parameter.")
		}
		c.clientID, c.secret = id, secret
	}
	return c, c.complete()
}

// complete takes the ID of the client from the assertion if the request does not have it (RFC 7521 §4.2). It returns an error
// if the secret or the assertion is malformed. A malformed ID costs no call either: Store.Client rejects it.
func (c *credentials) complete() error {
	if c.assertion != "" {
		subject := SubjectOf(c.assertion)
		if subject == "" {
			return &clientError{"the assertion is malformed"}
		}
		if c.clientID == "" {
			c.clientID = subject
		}
	} else if !token.IsClientSecret(c.secret) {
		return &clientError{"the secret or the assertion is missing, or the secret is malformed"}
	}
	return nil
}

// parseBasic returns the ID and the secret in a header Authorization, which are form-encoded (RFC 6749 §2.3.1).
func parseBasic(authorization []string) (id, secret string, ok bool) {
	scheme, encoded, _ := strings.Cut(authorization[0], " ")
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	id, secret, ok = strings.Cut(string(decoded), ":")
	if len(authorization) > 1 || !strings.EqualFold(scheme, "Basic") || err != nil || !ok {
		return "", "", false
	}
	id, idErr := url.QueryUnescape(id)
	secret, secretErr := url.QueryUnescape(secret)
	return id, secret, idErr == nil && secretErr == nil
}
