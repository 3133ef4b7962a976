// Package servertest says what is true of every answer, whoever gives it: the server, or API Gateway in its place.
package servertest

import (
	"fmt"
	"net/http"
	"strconv"

	"serverless-scim/internal/scim"
)

// Shape tells what an answer to a request of a method lacks to be a SCIM client's: the media type, JSON with schemas, the
// error of RFC 7644 §3.12, and what goes with 401 and 429. It gives nil for one that lacks nothing.
func Shape(method string, status int, header http.Header, body []byte) error {
	empty := status == http.StatusNoContent || status == http.StatusNotModified
	switch {
	case empty && len(body) > 0:
		return fmt.Errorf("%d has a body", status)
	case !empty && len(body) == 0 && method != http.MethodHead:
		return fmt.Errorf("%d has no body", status)
	case !empty && header.Get("Content-Type") != "application/scim+json":
		return fmt.Errorf("Content-Type is %q", header.Get("Content-Type"))
	case status == http.StatusUnauthorized && header.Get("WWW-Authenticate") == "":
		return fmt.Errorf("401 without WWW-Authenticate")
	case status == http.StatusTooManyRequests && !whole(header.Get("Retry-After")):
		return fmt.Errorf("429 with Retry-After %q; Okta waits five minutes for anything but whole seconds", header.Get("Retry-After"))
	case len(body) == 0:
		return nil
	}
	return shape(status, body)
}

func shape(status int, body []byte) error {
	o, err := scim.ParseObject(body)
	if err != nil {
		return fmt.Errorf("the body is no JSON object: %w", err)
	}
	schemas, _ := o["schemas"].([]any)
	if len(schemas) == 0 {
		return fmt.Errorf("no schemas")
	}
	detail, _ := o["detail"].(string)
	if status >= http.StatusBadRequest && (o["status"] != strconv.Itoa(status) || detail == "" ||
		schemas[0] != "urn:ietf:params:scim:api:messages:2.0:Error") {
		return fmt.Errorf("no SCIM error")
	}
	return nil
}

func whole(seconds string) bool {
	n, err := strconv.Atoi(seconds)
	return err == nil && n > 0
}
