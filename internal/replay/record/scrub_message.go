package record

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// target returns the path of a request from the endpoint on.
func (s *scrubber) target(x *exchange) string {
	endpoint := x.endpoint
	if _, err := url.PathUnescape(endpoint); err != nil || x.Response.Status == http.StatusNotFound && x.id == "" {
		endpoint = url.PathEscape(s.text([]string{"externalid"}, endpoint)) // not an endpoint
	}
	if x.id == "" {
		return "/" + endpoint
	}
	return "/" + endpoint + "/" + s.segment(x.endpoint, x.id)
}

// segment returns the replacement of the segment after the endpoint in a path.
func (s *scrubber) segment(endpoint, text string) string {
	if slices.Contains(discoveryEndpoints, endpoint) || text == ".search" || text == "" {
		return s.secret(text)
	}
	if decoded, err := url.PathUnescape(text); err == nil && !s.ids[text] {
		return url.PathEscape(s.text([]string{"externalid"}, decoded))
	}
	return s.text(nil, text)
}

// header returns the headers of a request to record. It drops those that belong to the connection, to a proxy, or that
// it does not know, because they can identify the sender.
func (s *scrubber) header(h http.Header, status int) http.Header {
	out := http.Header{}
	for name, values := range h {
		switch {
		case name == "Authorization" && status == http.StatusUnauthorized:
			out[name] = []string{s.note("token", values[0], "Bearer wrong")}
		case name == "Authorization":
			out[name] = []string{s.note("token", values[0], "Bearer scrubbed")}
		case slices.Contains(recordedHeaders, name):
			for _, v := range values {
				out.Add(name, s.headerValue(name, v))
			}
		case name != "Content-Length" && name != "Connection":
			s.note("header "+name, strings.Join(values, ", "), "(removed)")
		}
	}
	return out
}

var recordedHeaders = []string{"Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Content-Type",
	"If-Match", "If-None-Match", "Prefer", "User-Agent"}

func (s *scrubber) headerValue(name, value string) string {
	switch {
	case name == "If-Match" || name == "If-None-Match":
		return s.version(value)
	case s.personal && (name != "User-Agent" || strings.Contains(value, "@")): // an agent can have a version like 1.0.0.0
		value = s.note("header "+name, value, s.names.replace(value, suspicious))
	}
	return s.secret(value)
}

// query returns the parameters of a query to record. It drops those that neither SCIM nor an identity provider defines.
func (s *scrubber) query(q url.Values) url.Values {
	out := url.Values{}
	for name, values := range q {
		lower := strings.ToLower(name)
		if !slices.Contains(recordedParameters, lower) {
			s.note("query parameter", name+"="+strings.Join(values, ", "), "(removed)")
			continue
		}
		for _, v := range values {
			out.Add(name, s.value([]string{lower}, '"', v))
		}
	}
	return out
}

// recordedParameters are those of SCIM, and the flag that Entra ID copies from the URL of the tenant.
var recordedParameters = []string{"filter", "startindex", "count", "cursor", "attributes", "excludedattributes", "sortby",
	"sortorder", "aadoptscim062020"}

// discovery returns the body of a discovery endpoint, which describes the server. Only the server's address is replaced.
func (s *scrubber) discovery(body []byte) []byte {
	w := walker{name: func(name string) string { return name }}
	w.value = func(attribute []string, _ jsontext.Kind, text string) string {
		if attribute[len(attribute)-1] == "location" {
			return s.location(text)
		}
		return s.token(text)
	}
	out, _ := w.walk(body, []string{""})
	return out
}

// reply returns the checked headers and the body of a response.
func (s *scrubber) reply(x *exchange) (header map[string]string, body []byte) {
	body, header = x.Response.Body, map[string]string{}
	if x.Response.Status == http.StatusOK && slices.Contains(discoveryEndpoints, x.endpoint) {
		body = s.discovery(body)
	} else {
		s.hidesDetail = s.masked
		body = s.json(body)
		s.hidesDetail = false
	}
	got := x.Response.Header
	if v := got.Get("Content-Type"); v != "" && len(body) > 0 {
		header["Content-Type"] = s.secret(v)
	}
	if v := got.Get("Location"); v != "" {
		header["Location"] = s.location(v)
	}
	if v := got.Get("ETag"); v != "" {
		header["ETag"] = s.version(v)
	}
	return header, body
}

// maskFilter replaces the words of a filter that is not valid, except those of the protocol.
func maskFilter(filter string) string {
	words := strings.Fields("and or not pr eq ne co sw ew gt ge lt le id meta members groups value roles urn")
	return runPattern().ReplaceAllStringFunc(filter, func(run string) string {
		lower := strings.ToLower(run)
		if personalAttributes[lower] != "" || slices.Contains(protocolAttributes, lower) || slices.Contains(words, lower) {
			return run
		}
		return mask(run)
	})
}

// replacements returns what was replaced, in the order of the first places.
func (s *scrubber) replacements() (all []Replacement) {
	for _, r := range s.order {
		all = append(all, *r)
	}
	return all
}

// lastTwoSegments returns the endpoint and the ID at the end of an address. The resource at /ServiceProviderConfig has
// no ID.
func lastTwoSegments(address string) string {
	if last := path.Base(address); last == "ServiceProviderConfig" {
		return last
	}
	return path.Join(path.Base(path.Dir(address)), path.Base(address))
}

func isAbsoluteURL(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.IsAbs() && u.Host != ""
}
