package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"serverless-scim/internal/token"
)

// checkRejected fails the test unless an assertion is rejected for this cause, and the error contains nothing of it.
func checkRejected(t *testing.T, v *Verifier, c token.Client, assertion string, cause error) {
	t.Helper()
	used, err := v.Verify(t.Context(), c, []string{testEndpoint, testBase}, assertion)
	if used != nil || !errors.Is(err, ErrAssertion) || !errors.Is(err, cause) {
		t.Errorf("got %v, %v, want %v", used, err, cause)
		return
	}
	for part := range strings.SplitSeq(assertion, ".") {
		if len(part) > 3 && strings.Contains(err.Error(), part) {
			t.Errorf("the error contains a part of the assertion: %v", err)
		}
	}
}

func checkAccepted(t *testing.T, v *Verifier, c token.Client, assertion string) *token.UsedAssertion {
	t.Helper()
	used, err := v.Verify(t.Context(), c, []string{testEndpoint, testBase}, assertion)
	if err != nil {
		t.Error(err)
	}
	return used
}

func TestVerifyAcceptsEachAlgorithm(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, _ := newVerifier(i)
	for algorithm, key := range map[jose.SignatureAlgorithm]any{jose.RS256: rsaKey(), jose.PS256: rsaKey(), jose.ES256: ecKey()} {
		kid := map[bool]string{true: "ec", false: "rsa"}[algorithm == jose.ES256]
		checkAccepted(t, v, i.federated(), sign(t, key, algorithm, kid, claimsAt(start), nil))
		own := ownKeys(t, publicKey(rsaKey(), "rsa", ""), publicKey(ecKey(), "ec", ""))
		checkAccepted(t, v, own, sign(t, key, algorithm, kid, ownClaims(start), nil))
	}
	if n := i.requests.Load(); n != 1 {
		t.Errorf("%d requests for keys, want 1", n)
	}
}

func TestVerifyChecksEachClaimBeforeItFetchesKeys(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) int64 { return start.Add(d).Unix() }
	for name, test := range map[string]struct {
		changes object
		cause   error
	}{
		"no issuer":            {object{"iss": nil}, jwt.ErrInvalidIssuer},
		"other issuer":         {object{"iss": testIssuer + "/"}, jwt.ErrInvalidIssuer},
		"issuer in other case": {object{"iss": strings.ToUpper(testIssuer)}, jwt.ErrInvalidIssuer},
		"issuer is a list":     {object{"iss": []string{testIssuer}}, errMalformed},
		"claim in other case":  {object{"iss": nil, "ISS": testIssuer}, jwt.ErrInvalidIssuer},
		"no subject":           {object{"sub": nil}, jwt.ErrInvalidSubject},
		"other subject":        {object{"sub": testSubject[1:]}, jwt.ErrInvalidSubject},
		"no audience":          {object{"aud": nil}, jwt.ErrInvalidAudience},
		"empty audience":       {object{"aud": ""}, jwt.ErrInvalidAudience},
		"no audiences":         {object{"aud": []string{}}, jwt.ErrInvalidAudience},
		"other audiences":      {object{"aud": []string{testAudience + "/.default", "x"}}, jwt.ErrInvalidAudience},
		"the token endpoint":   {object{"aud": testEndpoint}, jwt.ErrInvalidAudience},
		"audience is a number": {object{"aud": 1}, errMalformed},
		"no exp":               {object{"exp": nil}, errNoExpiry},
		"exp is null":          {object{"exp": json.RawMessage("null")}, errNoExpiry},
		"exp is a string":      {object{"exp": fmt.Sprint(at(time.Hour))}, errMalformed},
		"exp overflows":        {object{"exp": 1e300}, errMalformed},
		"exp is zero":          {object{"exp": 0}, jwt.ErrExpired},
		"expired":              {object{"exp": at(-time.Minute)}, jwt.ErrExpired},
		"expires too late":     {object{"exp": at(2*time.Hour + 61*time.Second)}, errExpiresTooLate},
		"not valid yet":        {object{"nbf": at(61 * time.Second)}, jwt.ErrNotValidYet},
		"issued in the future": {object{"iat": at(61 * time.Second)}, jwt.ErrIssuedInTheFuture},
		"long jti":             {object{"jti": strings.Repeat("j", maxIDBytes+1)}, errIDTooLong},
		"jti is a number":      {object{"jti": 1}, errMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t)
			v, _ := newVerifier(i)
			checkRejected(t, v, i.federated(), sign(t, ecKey(), jose.ES256, "ec", claimsAt(start).with(test.changes), nil), test.cause)
			if n := i.requests.Load(); n != 0 {
				t.Errorf("%d requests for keys", n)
			}
		})
	}
}

// The operator learns from the log which issuer, subject, or audience the assertion has, and nothing else of it.
func TestTheCauseNamesTheWrongClaim(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, _ := newVerifier(i)
	for claim, value := range map[string]any{"iss": "sent-1", "sub": "sent-1", "aud": []string{"sent-1", "sent-2", "sent-3", "sent-4"}} {
		assertion := sign(t, ecKey(), jose.ES256, "ec", claimsAt(start).with(object{claim: value}), nil)
		_, err := v.Verify(t.Context(), i.federated(), nil, assertion)
		if text := fmt.Sprint(err); !strings.Contains(text, `"sent-1"`) || strings.Contains(text, "sent-4") {
			t.Errorf("%s: %v", claim, err)
		}
	}
}

func TestTheLimitsOfTimesAreExact(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, now := newVerifier(i)
	at := func(d time.Duration) int64 { return start.Add(d).Unix() }
	for _, changes := range []object{
		{"exp": at(-59 * time.Second)},
		{"exp": at(2*time.Hour + time.Minute)},
		{"nbf": at(time.Minute), "iat": at(time.Minute)},
		{"nbf": nil, "iat": nil},
		{"iat": at(-24 * time.Hour)},
		{"exp": float64(at(time.Hour)) + 0.9}, // RFC 7519 §2 allows fractions
	} {
		checkAccepted(t, v, i.federated(), sign(t, ecKey(), jose.ES256, "ec", claimsAt(start).with(changes), nil))
	}
	assertion := sign(t, ecKey(), jose.ES256, "ec", claimsAt(start).with(object{"exp": at(0)}), nil)
	now.advance(time.Minute - time.Nanosecond)
	checkAccepted(t, v, i.federated(), assertion)
	now.advance(time.Nanosecond)
	checkRejected(t, v, i.federated(), assertion, jwt.ErrExpired)
}

func TestTheResultIdentifiesAnAssertionUntilItExpires(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, _ := newVerifier(i)
	id := strings.Repeat("j", maxIDBytes)
	used := checkAccepted(t, v, i.federated(), sign(t, ecKey(), jose.ES256, "ec", claimsAt(start).with(object{"jti": id}), nil))
	want := token.UsedAssertion{Issuer: testIssuer, ID: id, ExpiresAt: start.Add(time.Hour + time.Minute)}
	if used == nil || used.Issuer != want.Issuer || used.ID != want.ID || !used.ExpiresAt.Equal(want.ExpiresAt) {
		t.Errorf("got %v, want %v", used, want)
	}
	if used := checkAccepted(t, v, i.federated(), sign(t, ecKey(), jose.ES256, "ec", claimsAt(start), nil)); used != nil {
		t.Errorf("without a jti: %v", used)
	}
}

func TestAClientWithOwnKeysNamesTheEndpointOrTheIssuer(t *testing.T) {
	t.Parallel()
	v, _ := newVerifier(newIssuer(t))
	c := ownKeys(t, publicKey(ecKey(), "ec", ""))
	signed := func(changes object) string {
		return sign(t, ecKey(), jose.ES256, "ec", ownClaims(start).with(changes), nil)
	}
	for _, audience := range []any{testEndpoint, testBase, []string{"other", testBase}} {
		if used := checkAccepted(t, v, c, signed(object{"aud": audience})); used == nil || used.Issuer != testClientID || used.ID != "1" {
			t.Errorf("got %v", used)
		}
	}
	checkAccepted(t, v, c, signed(object{"exp": start.Add(time.Hour + time.Minute).Unix()}))
	checkRejected(t, v, c, signed(object{"exp": start.Add(time.Hour + 61*time.Second).Unix()}), errExpiresTooLate)
	checkRejected(t, v, c, signed(object{"aud": testBase + "/"}), jwt.ErrInvalidAudience)
	checkRejected(t, v, c, signed(object{"jti": nil}), errNoID)
	checkRejected(t, v, c, signed(object{"jti": ""}), errNoID)
	checkRejected(t, v, c, signed(object{"iss": testIssuer}), jwt.ErrInvalidIssuer)

	other := c
	other.ID = "client_other_abcdefghijklmnop1234567"
	rule := *c.Assertion
	other.Assertion = &rule
	rule.Issuer, rule.Subject = other.ID, other.ID
	checkRejected(t, v, other, signed(nil), jwt.ErrInvalidIssuer)

	c.Assertion.Audience = testAudience
	checkAccepted(t, v, c, signed(object{"aud": testAudience}))
	checkRejected(t, v, c, signed(nil), jwt.ErrInvalidAudience)
}

// A rule without one of its parts would otherwise accept any value of the claim.
func TestARuleThatLeavesAClaimOpenAcceptsNothing(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, _ := newVerifier(i)
	assertion := sign(t, ecKey(), jose.ES256, "ec", claimsAt(start), nil)
	for _, change := range []func(*token.AssertionRule){
		func(r *token.AssertionRule) { r.Issuer = "" },
		func(r *token.AssertionRule) { r.Subject = "" },
		func(r *token.AssertionRule) { r.Audience = "" },
	} {
		c := i.federated()
		change(c.Assertion)
		checkRejected(t, v, c, assertion, errNoRule)
	}
	checkRejected(t, v, token.Client{ID: testClientID}, assertion, errNoRule)
	checkRejected(t, v, token.Client{Assertion: &token.AssertionRule{}}, assertion, errNoRule)
	c := i.federated()
	c.Assertion.KeysURL = ""
	checkRejected(t, v, c, assertion, errKeySet)

	own, signed := ownKeys(t, publicKey(ecKey(), "ec", "")), sign(t, ecKey(), jose.ES256, "ec", ownClaims(start).with(object{"aud": ""}), nil)
	for _, audiences := range [][]string{nil, {""}, {testEndpoint, ""}} {
		if _, err := v.Verify(t.Context(), own, audiences, signed); !errors.Is(err, errNoRule) {
			t.Errorf("%q: %v", audiences, err)
		}
	}
}

func TestSubjectOfReturnsTheClientOfAnUnverifiedAssertion(t *testing.T) {
	t.Parallel()
	signed := sign(t, otherECKey(), jose.ES256, "", ownClaims(start), nil)
	unsigned := encode(t, object{"alg": "none"}, ownClaims(start), []byte{})
	for assertion, want := range map[string]string{signed: testClientID, unsigned: "", "": "", "a.b.c": "", "..": ""} {
		if got := SubjectOf(assertion); got != want {
			t.Errorf("%q: got %q, want %q", assertion, got, want)
		}
	}
}

func TestGarbageCausesNoFetch(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, _ := newVerifier(i)
	valid := sign(t, ecKey(), jose.ES256, "ec", claimsAt(start), nil)
	header, rest, _ := strings.Cut(valid, ".")
	for n := range 2000 {
		garbage := []string{
			strings.Repeat("x", n), strings.Repeat(".", n), valid[:n%strings.LastIndex(valid, ".")], valid + ".", valid + strings.Repeat("A", maxAssertionBytes),
			header + "." + encode(t, object{"iss": testIssuer, "sub": fmt.Sprint(n)}, []byte("signature")),
			encode(t, object{"alg": "none", "kid": fmt.Sprint(n)}) + "." + rest,
			sign(t, otherECKey(), jose.ES256, fmt.Sprint(n), claimsAt(start).with(object{"aud": "other"}), nil),
		}[n%8]
		if _, err := v.Verify(t.Context(), i.federated(), nil, garbage); !errors.Is(err, ErrAssertion) {
			t.Fatalf("%q: %v", garbage, err)
		}
	}
	if n := i.requests.Load(); n != 0 {
		t.Errorf("%d requests for keys", n)
	}
}

// Verify either accepts what the issuer has signed, or returns ErrAssertion.
func FuzzAssertion(f *testing.F) {
	v, _ := newVerifier(newIssuer(f))
	c := ownKeys(f, publicKey(ecKey(), "ec", ""), publicKey(rsaKey(), "rsa", ""))
	valid := sign(f, ecKey(), jose.ES256, "ec", ownClaims(start), nil)
	payload := strings.Split(valid, ".")[1]
	for _, seed := range []string{
		valid, "", "..", "a.b.c", `{"payload":"","signatures":[]}`, valid[:len(valid)-1], " " + valid, strings.ReplaceAll(valid, ".", "\n."),
		sign(f, rsaKey(), jose.PS256, "rsa", ownClaims(start).with(object{"exp": 1e18, "aud": []any{}}), nil),
		sign(f, otherECKey(), jose.ES256, "", ownClaims(start), object{"crit": []string{"x"}, "jwk": publicKey(otherECKey(), "ec", "")}),
		encode(f, object{"alg": "none", "x5c": []string{"MII="}}, ownClaims(start), []byte{}),
		encode(f, object{"alg": "ES256", "kid": "ec", "b64": false, "jku": "https://127.0.0.1/"}, object{}, make([]byte, 64)),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, assertion string) {
		SubjectOf(assertion)
		used, err := v.Verify(context.Background(), c, []string{testEndpoint}, assertion)
		if err == nil {
			if used == nil || used.ID != "1" || SubjectOf(assertion) != testClientID {
				t.Fatalf("accepted %q", assertion)
			}
			return
		}
		if !errors.Is(err, ErrAssertion) || strings.Contains(assertion, payload) && strings.Contains(err.Error(), payload) {
			t.Fatalf("%q: %v", assertion, err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	i := newIssuer(b)
	v, _ := newVerifier(i)
	c, assertion := i.federated(), sign(b, rsaKey(), jose.RS256, "rsa", claimsAt(start), nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(b.Context(), c, nil, assertion); err != nil {
			b.Fatal(err)
		}
	}
}
