// Package servertest checks the form that every response to a SCIM client, or to an OAuth client, must have. The server and
// the gateway responses of API Gateway are tested with it. The package does not check what a response says.
package servertest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"serverless-scim/internal/scim"
)

// CheckResponse returns an error if a response to a request with this method violates a rule: the media type, a JSON
// body with schemas, the error message of RFC 7644 §3.12, WWW-Authenticate with 401, and Retry-After with 429.
func CheckResponse(method string, status int, header http.Header, body []byte) error {
	empty := status == http.StatusNoContent || status == http.StatusNotModified
	switch {
	case empty && len(body) > 0:
		return fmt.Errorf("%d has a body", status)
	case !empty && len(body) == 0 && method != http.MethodHead:
		return fmt.Errorf("%d has no body", status)
	case !empty && header.Get("Content-Type") != "application/scim+json":
		return fmt.Errorf("Content-Type is %q", header.Get("Content-Type"))
	case status == http.StatusUnauthorized && header.Get("WWW-Authenticate") == "":
		return fmt.Errorf("401 has no WWW-Authenticate")
	case status == http.StatusTooManyRequests && !isPositiveInteger(header.Get("Retry-After")):
		return fmt.Errorf("429 with Retry-After %q; Okta waits five minutes unless it is a number of seconds",
			header.Get("Retry-After"))
	case len(body) == 0:
		return nil
	}
	return checkMessage(status, body)
}

// checkMessage returns an error if body is not a SCIM message, or not an error message although the status is an error.
func checkMessage(status int, body []byte) error {
	o, err := scim.ParseObject(body)
	if err != nil {
		return fmt.Errorf("the body is not a JSON object: %w", err)
	}
	schemas, _ := o["schemas"].([]any)
	if len(schemas) == 0 {
		return fmt.Errorf("the body has no schemas")
	}
	detail, _ := o["detail"].(string)
	if status >= http.StatusBadRequest && (o["status"] != strconv.Itoa(status) || detail == "" ||
		schemas[0] != "urn:ietf:params:scim:api:messages:2.0:Error") {
		return fmt.Errorf("the body is not a SCIM error")
	}
	return nil
}

func isPositiveInteger(seconds string) bool {
	n, err := strconv.Atoi(seconds)
	return err == nil && n > 0
}

// CheckOAuthResponse returns an error if a response of the token endpoint or of its metadata violates a rule:
//
//   - It has the media type of JSON.
//   - With an error, its body is the error message of RFC 6749 §5.2 and nothing else.
//   - It has WWW-Authenticate with 401, and Retry-After with 429 and 503.
//   - It has no-store (§5.1), unless it is the metadata.
func CheckOAuthResponse(method string, status int, header http.Header, body []byte) error {
	var o map[string]any
	if err := json.Unmarshal(body, &o); err != nil && method != http.MethodHead {
		return fmt.Errorf("the body is not a JSON object: %w", err)
	}
	code, _ := o["error"].(string)
	description, _ := o["error_description"].(string)
	switch {
	case header.Get("Content-Type") != "application/json":
		return fmt.Errorf("Content-Type is %q", header.Get("Content-Type"))
	case o["issuer"] == nil && len(body) > 0 && (header.Get("Cache-Control") != "no-store" || header.Get("Pragma") != "no-cache"):
		return fmt.Errorf("a cache may keep the response")
	case status == http.StatusUnauthorized && header.Get("WWW-Authenticate") == "":
		return fmt.Errorf("401 has no WWW-Authenticate")
	case (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable) && !isPositiveInteger(header.Get("Retry-After")):
		return fmt.Errorf("%d with Retry-After %q", status, header.Get("Retry-After"))
	case status >= http.StatusBadRequest && len(body) > 0 && (len(o) != 2 || code == "" || description == ""):
		return fmt.Errorf("the body is not an OAuth error")
	}
	return nil
}
