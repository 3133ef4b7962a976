package server

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/leniency"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/token"
)

// A request is an HTTP request with the identity of its token and the directory of its tenant.
type request struct {
	*http.Request
	requestID string // in the log
	identity  token.Identity
	types     *scim.Types // resource types that are enabled for the tenant
	directory *directory.Directory
	leniency  *leniency.Set // how the request departs from the RFCs
	baseURL   string        // URL of the service, without a trailing slash
	omitBody  bool          // the response contains the entity tag of a resource, but not the resource
}

// maxBodyBytes is the largest request body. A payload of Lambda is at most 6 MB and contains the body as an escaped
// string.
const maxBodyBytes = 4 << 20

// body reads, decompresses, and returns the request body. It returns an error if the media type is not JSON, if the
// content coding is unknown, or if the body is too large.
func (r *request) body() ([]byte, error) {
	t := r.Header.Get("Content-Type")
	if t == "" {
		r.leniency.Add(leniency.ContentTypeMissing)
	} else {
		media, parameters, err := mime.ParseMediaType(t) // ignores the parameters, because some clients send a wrong charset
		if charset := parameters["charset"]; err != nil || len(parameters) > 1 || len(parameters) == 1 && !strings.EqualFold(charset, "utf-8") {
			r.leniency.Add(leniency.ContentTypeParameter)
		}
		if media != "application/scim+json" && media != "application/json" {
			return nil, &scim.Error{Status: http.StatusUnsupportedMediaType,
				Detail: fmt.Sprintf("The Content-Type %q is not supported. Send the body as application/scim+json.", t)}
		}
	}
	b, err := readAtMost(r.Body)
	if err == nil {
		b, err = r.decompress(b)
	}
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, &scim.Error{Status: http.StatusRequestEntityTooLarge,
			Detail: "The request body is larger than 4 MB. Change a large group with several smaller PATCH requests."}
	}
	if known := (*scim.Error)(nil); err != nil && !errors.As(err, &known) {
		err = &scim.Error{Status: http.StatusBadRequest, Type: scim.InvalidSyntax,
			Detail: "The request body is incomplete. Send the request again.", Err: err}
	}
	return b, err
}

// readAtMost reads at most maxBodyBytes. It returns an *http.MaxBytesError if there are more.
func readAtMost(r io.Reader) ([]byte, error) {
	return io.ReadAll(http.MaxBytesReader(nil, io.NopCloser(r), maxBodyBytes))
}

// decompress returns the content of a body of the content coding gzip (RFC 9110 §8.4.1.3), which must also be at most
// maxBodyBytes. It reads no more than that, so a small body cannot fill the memory. A body without a content coding is
// returned unchanged.
func (r *request) decompress(body []byte) ([]byte, error) {
	switch coding := strings.ToLower(strings.Join(r.Header.Values("Content-Encoding"), ", ")); coding {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
	default:
		return nil, unsupportedCodingError(coding)
	}
	if !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) { // API Gateway decompresses the body of a REST API itself
		r.leniency.Add(leniency.NotCompressed)
		return body, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err == nil {
		body, err = readAtMost(z)
	}
	if tooLarge := (*http.MaxBytesError)(nil); err != nil && !errors.As(err, &tooLarge) {
		return nil, &scim.Error{Status: http.StatusBadRequest, Type: scim.InvalidSyntax, Err: err,
			Detail: "The request body is not complete gzip data. Compress it again, or send it without Content-Encoding."}
	}
	return body, err
}

// queryParameters returns the parameters of the query string by their names in lower case. It returns an error for a
// malformed parameter, which url.URL.Query would drop: a request without its filter would list all resources.
func (r *request) queryParameters() (map[string]string, error) {
	if r.URL.RawQuery == "" {
		return nil, nil
	}
	p := map[string]string{}
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") { // url.ParseQuery would reject a semicolon in a value
		name, v, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err == nil {
			v, err = url.QueryUnescape(v)
		}
		if err != nil {
			return nil, scim.BadRequest(scim.InvalidValue, "The query string is not properly encoded. Percent-encode its values.")
		}
		r.recordParameter(name)
		name = strings.ToLower(name)
		if _, repeated := p[name]; repeated && isParameter(name) {
			return nil, scim.BadRequest(scim.InvalidValue,
				"The query string contains the parameter %s twice. Send it once.", name)
		}
		p[name] = v
	}
	return p, nil
}

// isParameter reports whether RFC 7644 §3.4.2, RFC 7644 §3.9, or RFC 9865 §2 defines a parameter. The server ignores
// all other parameters.
func isParameter(name string) bool {
	return slices.ContainsFunc(searchNames[1:], func(p string) bool { return strings.ToLower(p) == name })
}

// searchNames holds the names of a SearchRequest. All but the first are also parameters of a query string.
var searchNames = [...]string{"schemas", "filter", "startIndex", "count", "cursor", "attributes", "excludedAttributes", "sortBy", "sortOrder"}

// recordParameter records the name of a parameter that departs from the RFCs. OneLogin sends a trailing &, which makes an
// empty name and is valid. The parameter resourceTypes is that of /Changes.
func (r *request) recordParameter(name string) {
	switch {
	case name == "" || name == "resourceTypes" || slices.Contains(searchNames[1:], name):
	case isParameter(strings.ToLower(name)):
		r.leniency.Add(leniency.ParameterCase)
	default:
		r.leniency.Add(leniency.ParameterUnknown)
	}
}

// recordEndpoint records that the path of the request spells its endpoint in another case, or ends with a slash. The
// segments begin with the endpoint; the root has none.
func (r *request) recordEndpoint(target route, segments []string) {
	if len(segments) == 0 {
		return
	}
	if strings.HasSuffix(r.URL.Path, "/") {
		r.leniency.Add(leniency.TrailingSlash)
	}
	serviceEndpoints := [...]string{"Bulk", "Changes", "Me", "ResourceTypes", "Schemas", "ServiceProviderConfig", searchSegment}
	rt := target.resourceType
	if rt == nil && !slices.Contains(serviceEndpoints[:], segments[0]) || rt != nil && "/"+segments[0] != rt.Endpoint {
		r.leniency.Add(leniency.PathCase)
	}
}

// projection returns the attributes that a response with a resource of type rt contains, as the query string selects
// them.
func (r *request) projection(rt *scim.ResourceType) (scim.Projection, error) {
	p, err := r.queryParameters()
	if err != nil {
		return scim.Projection{}, err
	}
	return scim.NewProjection([]*scim.ResourceType{rt}, p["attributes"], p["excludedattributes"], r.leniency)
}

// decodeResource returns the resource of type rt in the request body, and the projection of the response.
func (r *request) decodeResource(rt *scim.ResourceType) (o scim.Object, p scim.Projection, err error) {
	if p, err = r.projection(rt); err != nil {
		return nil, p, err
	}
	body, err := r.body()
	if err == nil {
		o, err = rt.Decode(body, r.leniency)
	}
	return o, p, err
}

// ifMatch reports whether a version is among those of If-Match (RFC 7644 §3.14). It is nil if the request has no such
// header. It compares versions without the digest of display names, because the rename of another resource must not fail
// a write.
func (r *request) ifMatch() func(tag string) bool {
	return parseEntityTags(r.Header.Values("If-Match"), directory.VersionOf)
}

// writePrecondition returns the precondition of a request that changes a resource: its version is among those of
// If-Match, and not among those of If-None-Match (RFC 9110 §13.1.2). It returns nil if the request has neither header.
func (r *request) writePrecondition() directory.Precondition {
	match, noneMatch := r.ifMatch(), parseEntityTags(r.Header.Values("If-None-Match"), directory.VersionOf)
	if match == nil && noneMatch == nil {
		return nil
	}
	return func(tag string) bool {
		return (match == nil || match(tag)) && (noneMatch == nil || !noneMatch(tag))
	}
}

// parseEntityTags returns a function that reports whether an entity tag, or the part of it that comparedPart returns, is
// among the tags of the headers. It returns nil if there are no headers. Tags are compared weakly (RFC 9110 §8.8.3.2),
// because all tags of this server are weak.
func parseEntityTags(headers []string, comparedPart func(tag string) string) func(tag string) bool {
	if len(headers) == 0 {
		return nil
	}
	var tags []string
	for tag := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		tags = append(tags, comparedPart(strings.TrimPrefix(strings.TrimSpace(tag), "W/")))
	}
	return func(tag string) bool {
		return slices.Contains(tags, "*") || slices.Contains(tags, comparedPart(strings.TrimPrefix(tag, "W/")))
	}
}

// loggedMethod returns the method of a request for the log, and "other" instead of an unknown method.
func (r *request) loggedMethod() string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return r.Method
	}
	return "other"
}

// An errorWithHeader is an error whose response has one more header field.
type errorWithHeader struct {
	err         *scim.Error
	name, value string // of the header field
}

func (e *errorWithHeader) Error() string { return e.err.Error() }

func (e *errorWithHeader) Unwrap() error { return e.err }

// unsupportedCodingError returns the 415 error of a body whose content coding is not gzip. Its Accept-Encoding names
// the coding that the server supports (RFC 9110 §15.5.16).
func unsupportedCodingError(coding string) error {
	err := &scim.Error{Status: http.StatusUnsupportedMediaType, Detail: fmt.Sprintf(
		"The Content-Encoding %q is not supported. Compress the body with gzip, or send it without a coding.", coding)}
	return &errorWithHeader{err: err, name: "Accept-Encoding", value: "gzip"}
}
