package capture

import (
	"net/http"
	"regexp"
	"strings"

	"serverless-scim/internal/console/traffic"
)

// Masked replaces a token or a password.
const Masked = "•••"

// A masker replaces secrets in what the console keeps of one exchange.
type masker struct {
	secrets []string
}

var (
	// generatedToken matches the tokens that this server issues.
	generatedToken = regexp.MustCompile(`scim_[a-z0-9-]+_[0-9a-v]{40,}`)
	// passwordMember matches a JSON member whose name ends in "password", or an element of a PATCH request with such a path
	// and the value after it.
	passwordMember = regexp.MustCompile(`(?i)("[^"\\]*password"\s*:\s*)("(?:[^"\\]|\\.)*"?|[^",}\]\s]+)`)
	passwordPath   = regexp.MustCompile(`(?i)("path"\s*:\s*"[^"]*password"[^{}]*?"value"\s*:\s*)("(?:[^"\\]|\\.)*"?|[^",}\]\s]+)`)
	passwordValue  = regexp.MustCompile(`(?i)("value"\s*:\s*)("(?:[^"\\]|\\.)*"?|[^",}\]\s]+)([^{}]*?"path"\s*:\s*"[^"]*password")`)
	// clientSecret matches what authenticates an OAuth client: a secret, or an assertion, which is a JWT.
	clientSecret = regexp.MustCompile(`(client_secret=|client_assertion=|scimsecret_|eyJ[\w-]+\.)[^&"\s]*`)
)

// newMasker returns the masker of a request: its token is masked wherever it occurs.
func newMasker(h http.Header) (m masker) {
	for _, v := range h.Values("Authorization") {
		for _, part := range strings.Fields(v) {
			if len(part) >= 8 && !strings.EqualFold(part, "Bearer") {
				m.secrets = append(m.secrets, part)
			}
		}
	}
	return m
}

// text returns a text without secrets.
func (m masker) text(s string) string {
	for _, secret := range m.secrets {
		s = strings.ReplaceAll(s, secret, Masked)
	}
	if strings.Contains(s, "client_") || strings.Contains(s, "scimsecret_") {
		s = clientSecret.ReplaceAllString(s, "$1"+Masked)
	}
	if strings.Contains(s, "scim_") {
		s = generatedToken.ReplaceAllLiteralString(s, Masked)
	}
	return s
}

// body returns what is kept of a body of JSON.
func (m masker) body(b []byte, size int) traffic.Body {
	s := m.text(strings.ToValidUTF8(string(b[:min(len(b), MaxBodyBytes)]), "\uFFFD"))
	if strings.Contains(strings.ToLower(s), "password") {
		s = passwordMember.ReplaceAllString(s, `$1"`+Masked+`"`)
		s = passwordPath.ReplaceAllString(s, `$1"`+Masked+`"`)
		s = passwordValue.ReplaceAllString(s, `$1"`+Masked+`"$3`)
	}
	return traffic.Body{Text: s, Size: size}
}

// header returns a copy of a header without secrets.
func (m masker) header(h http.Header) http.Header {
	kept := make(http.Header, len(h))
	for name, values := range h {
		for _, v := range values {
			switch name {
			case "Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-Api-Key":
				v = Masked
			}
			kept[name] = append(kept[name], m.text(v))
		}
	}
	return kept
}
