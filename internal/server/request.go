package server

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/token"
)

// request is an authenticated request: whose directory it is about, which resource type, which resource.
type request struct {
	*http.Request
	requestID string // in the log
	identity  token.Identity
	types     *scim.Types // those that the tenant has switched on
	directory *directory.Store
	baseURL   string   // address before the endpoint
	segments  []string // of the path behind it, if that leads to an endpoint
	rt        *scim.ResourceType
	id        string
}

// body reads the request's body.
func (r *request) body() ([]byte, error) {
	if t := r.Header.Get("Content-Type"); t != "" {
		media, _, _ := mime.ParseMediaType(t) // parameters are ignored: some clients name a wrong charset
		if media != "application/scim+json" && media != "application/json" {
			return nil, &scim.Error{Status: 415, Detail: "Send the body as application/scim+json."}
		}
	}
	b, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBodyBytes))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, &scim.Error{Status: 413, Detail: "The request body is larger than 4 MB. " +
			"Change large groups by PATCH, in several requests."}
	}
	if err != nil {
		return nil, &scim.Error{Status: 400, Type: scim.InvalidSyntax, Detail: "The request body broke off. Send it again.", Err: err}
	}
	return b, nil
}

// queryParameters is the query string, strictly: url.URL.Query drops what it cannot read, and a filter that is dropped
// lists everybody. Names are folded to lower case.
func (r *request) queryParameters() (map[string]string, error) {
	p := map[string]string{}
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") { // and not at a semicolon, which url.ParseQuery refuses
		name, v, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err == nil {
			v, err = url.QueryUnescape(v)
		}
		if err != nil {
			return nil, scim.BadRequest(scim.InvalidValue, "The query string is not properly encoded. Percent-encode its values.")
		}
		name = strings.ToLower(name)
		if _, twice := p[name]; twice && isParameter(name) {
			return nil, scim.BadRequest(scim.InvalidValue, "The parameter %s stands in the query string twice. Send it once.", name)
		}
		p[name] = v
	}
	return p, nil
}

// isParameter tells the parameters of RFC 7644 §3.4.2 and §3.9 and RFC 9865 §2; others are ignored.
func isParameter(name string) bool {
	return slices.Contains([]string{"filter", "startindex", "count", "cursor", "attributes", "excludedattributes", "sortby", "sortorder"}, name)
}

func (r *request) projection() (scim.Projection, error) {
	p, err := r.queryParameters()
	if err != nil {
		return scim.Projection{}, err
	}
	return scim.NewProjection(r.targetTypes(), p["attributes"], p["excludedattributes"])
}

// decodeResource is the resource that a request sends, and what its answer is to show.
func (r *request) decodeResource() (o scim.Object, p scim.Projection, err error) {
	if p, err = r.projection(); err != nil {
		return nil, p, err
	}
	body, err := r.body()
	if err == nil {
		o, err = r.rt.Decode(body)
	}
	return o, p, err
}

// targetTypes is the resource types that the request is about: that of the endpoint, or all at the root.
func (r *request) targetTypes() []*scim.ResourceType {
	if r.rt == nil {
		return r.types.ResourceTypes
	}
	return []*scim.ResourceType{r.rt}
}

// ifMatch is the precondition of a request that changes a resource (RFC 7644 §3.14).
func (r *request) ifMatch() directory.Precondition {
	return parseEntityTags(r.Header.Values("If-Match"))
}

// parseEntityTags is true of versions among entity tags, nil without any. Tags are compared weakly: ours are weak.
func parseEntityTags(headers []string) directory.Precondition {
	if len(headers) == 0 {
		return nil
	}
	var tags []string
	for tag := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		tags = append(tags, strings.TrimPrefix(strings.TrimSpace(tag), "W/"))
	}
	return func(version string) bool {
		return slices.Contains(tags, "*") || slices.Contains(tags, strings.TrimPrefix(version, "W/"))
	}
}
