package oauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"serverless-scim/internal/token"
)

// ErrAssertion reports that an assertion does not authenticate the client. It wraps a cause, which is for the log and not
// for the client. The cause contains nothing of the assertion, except for a wrong issuer, subject, or audience.
var ErrAssertion = errors.New("oauth: assertion does not authenticate the client")

// Causes of ErrAssertion. Those of package jwt are constants too. Other errors of go-jose can quote the assertion.
var (
	errNoRule           = errors.New("client has no complete rule for assertions")
	errAssertionTooLong = errors.New("assertion is too long")
	errMalformed        = errors.New("assertion is not a well-formed JWT in compact form")
	errAlgorithm        = errors.New("algorithm of the assertion is not accepted")
	errCritical         = errors.New("assertion has a critical header parameter")
	errNoExpiry         = errors.New("assertion has no claim exp")
	errExpiresTooLate   = errors.New("claim exp is too far ahead")
	errNoID             = errors.New("assertion has no claim jti")
	errIDTooLong        = errors.New("claim jti is too long")
	errSignature        = errors.New("signature of the assertion is wrong")
)

const (
	maxAssertionBytes = 16 << 10
	maxIDBytes        = 256
	maxExpiryAhead    = time.Hour     // for a client's own keys
	maxFederatedAhead = 2 * time.Hour // longer, because the issuer decides: tokens of Entra ID are valid for 60 to 90 minutes
	clockSkew         = time.Minute   // between the issuer and this process
)

// algorithms are the signature algorithms of assertions. There is no symmetric one, because keys are public.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256}

// A Verifier verifies the assertions that authenticate clients. It is safe for concurrent use.
type Verifier struct {
	Keys *KeySets
	Now  func() time.Time
}

// Verify returns nil or what identifies the assertion if it authenticates c, and otherwise an error that wraps ErrAssertion.
// audiences are the URLs of the token endpoint and of the issuer in the metadata. One of them must be an audience of the
// assertion if the client has its own keys, unless the rule names another audience.
//
// An assertion of the client's own keys must have a jti, as OpenID Connect Core §9 requires. RFC 7523 §3 leaves that open.
// An assertion of a federation can lack it, because Entra ID sets uti instead. The result is then nil, and the assertion can
// be used until it expires.
func (v *Verifier) Verify(ctx context.Context, c token.Client, audiences []string, assertion string) (*token.UsedAssertion, error) {
	used, err := v.verify(ctx, c, audiences, assertion)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAssertion, err)
	}
	return used, nil
}

// verify checks first what needs no keys, so that only an assertion with all the right claims can cause a fetch.
func (v *Verifier) verify(ctx context.Context, c token.Client, audiences []string, assertion string) (*token.UsedAssertion, error) {
	expected, err := expectedClaims(c, audiences, v.Now())
	if err != nil {
		return nil, err
	}
	parsed, err := parseAssertion(assertion)
	if err != nil {
		return nil, err
	}
	if err := checkClaims(parsed.claims, expected, hasOwnKeys(c)); err != nil {
		return nil, err
	}
	keys, err := v.findKeys(ctx, c.Assertion, parsed.header)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(keys, parsed.isSignedBy) {
		return nil, errSignature
	}
	if parsed.claims.ID == "" {
		return nil, nil
	}
	return &token.UsedAssertion{
		Issuer: parsed.claims.Issuer, ID: parsed.claims.ID, ExpiresAt: parsed.claims.Expiry.Time().Add(clockSkew),
	}, nil
}

// SubjectOf returns the claim sub of an assertion, which is not verified, or "" if the assertion is malformed. It is the ID
// of the client if the client has its own keys (RFC 7523 §3).
func SubjectOf(assertion string) string {
	parsed, err := parseAssertion(assertion)
	if err != nil {
		return ""
	}
	return parsed.claims.Subject
}

// A parsedAssertion is an assertion whose signature has not been verified.
type parsedAssertion struct {
	token  *jwt.JSONWebToken
	header jose.Header
	claims jwt.Claims
}

// parseAssertion ignores the header parameters jwk, jku, x5c and x5u. It rejects every critical header parameter, and b64,
// which go-jose supports and which a JWT does not use (RFC 7797 §7).
func parseAssertion(s string) (p parsedAssertion, err error) {
	if len(s) > maxAssertionBytes {
		return p, errAssertionTooLong
	}
	p.token, err = jwt.ParseSigned(s, algorithms)
	if _, ok := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err); ok {
		return p, errAlgorithm
	} else if err != nil || strings.ContainsAny(s, "\r\n") { // which package base64 skips
		return p, errMalformed
	}
	p.header = p.token.Headers[0]
	for _, name := range []jose.HeaderKey{"crit", "b64"} {
		if _, ok := p.header.ExtraHeaders[name]; ok {
			return p, errCritical
		}
	}
	if p.token.UnsafeClaimsWithoutVerification(&p.claims) != nil {
		return p, errMalformed
	}
	return p, nil
}

func (p parsedAssertion) isSignedBy(key any) bool { return p.token.Claims(key) == nil }

// hasOwnKeys reports whether c signs its assertions itself.
func hasOwnKeys(c token.Client) bool {
	return c.Assertion.Issuer == c.ID && c.Assertion.Subject == c.ID
}

// expectedClaims returns what the rule of c demands. It returns an error if the rule leaves a claim open, because package jwt
// does not check a claim for which it expects nothing.
func expectedClaims(c token.Client, audiences []string, now time.Time) (jwt.Expected, error) {
	if c.Assertion == nil {
		return jwt.Expected{}, errNoRule
	}
	if c.Assertion.Audience != "" || !hasOwnKeys(c) {
		audiences = []string{c.Assertion.Audience}
	}
	e := jwt.Expected{Issuer: c.Assertion.Issuer, Subject: c.Assertion.Subject, AnyAudience: audiences, Time: now}
	if e.Issuer == "" || e.Subject == "" || len(audiences) == 0 || slices.Contains(audiences, "") {
		return jwt.Expected{}, errNoRule
	}
	return e, nil
}

// checkClaims returns an error if the claims are not as expected. Package jwt checks neither that exp exists nor that it is
// near, and accepts an assertion at the very instant at which its UsedAssertion ends.
func checkClaims(c jwt.Claims, expected jwt.Expected, ownKeys bool) error {
	if c.Expiry == nil {
		return errNoExpiry
	}
	expiry, ahead := c.Expiry.Time(), maxFederatedAhead
	if ownKeys {
		ahead = maxExpiryAhead
	}
	switch {
	case !expected.Time.Before(expiry.Add(clockSkew)):
		return jwt.ErrExpired
	case expiry.After(expected.Time.Add(ahead + clockSkew)):
		return errExpiresTooLate
	case len(c.ID) > maxIDBytes:
		return errIDTooLong
	case c.ID == "" && ownKeys:
		return errNoID
	}
	return nameWrongClaim(c.ValidateWithLeeway(expected, clockSkew), c)
}

// nameWrongClaim adds a wrong issuer, subject, or audience to an error, so that the operator can correct the rule.
func nameWrongClaim(err error, c jwt.Claims) error {
	var value any
	switch {
	case errors.Is(err, jwt.ErrInvalidIssuer):
		value = c.Issuer
	case errors.Is(err, jwt.ErrInvalidSubject):
		value = c.Subject
	case errors.Is(err, jwt.ErrInvalidAudience):
		value = []string(c.Audience)[:min(len(c.Audience), 3)]
	default:
		return err
	}
	return fmt.Errorf("%w: it is %.200q", err, value)
}

// findKeys returns the keys of the rule that can have signed an assertion with this header.
func (v *Verifier) findKeys(ctx context.Context, rule *token.AssertionRule, h jose.Header) ([]any, error) {
	if rule.KeysURL != "" {
		return v.Keys.find(ctx, rule.KeysURL, h.KeyID, h.Algorithm)
	}
	set, err := parseKeySet(rule.Keys)
	if err != nil {
		return nil, err
	}
	keys := set.find(h.KeyID, h.Algorithm)
	if len(keys) == 0 {
		return nil, errNoKey
	}
	return keys, nil
}
