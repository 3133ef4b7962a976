package oauth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"serverless-scim/internal/token"
)

const (
	testIssuer   = "https://login.example.com/tenant/v2.0"
	testSubject  = "d2f8ee76-c549-45b8-a143-f5b640669704"
	testAudience = "api://b5ba7a93-4452-4522-aeb4-a2b5da870c16"
	testEndpoint = "https://scim.example.com/v2/oauth/token"
	testBase     = "https://scim.example.com/v2"
	testClientID = "client_acme_abcdefghijklmnop1234567"
)

// Generating keys is slow, so the tests share them. The first two are of the issuer, the others are of an attacker.
var (
	rsaKey      = sync.OnceValue(func() *rsa.PrivateKey { return newRSAKey(2048) })
	ecKey       = sync.OnceValue(func() *ecdsa.PrivateKey { return newECKey(elliptic.P256()) })
	otherRSAKey = sync.OnceValue(func() *rsa.PrivateKey { return newRSAKey(2048) })
	otherECKey  = sync.OnceValue(func() *ecdsa.PrivateKey { return newECKey(elliptic.P256()) })
)

func newRSAKey(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

func newECKey(c elliptic.Curve) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func publicKey(key any, kid, algorithm string) jose.JSONWebKey {
	k := jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: algorithm, Use: "sig"}
	return k.Public()
}

func marshalKeySet(t testing.TB, keys ...any) []byte {
	b, err := json.Marshal(map[string]any{"keys": append([]any{}, keys...)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// An issuer serves a key set on the loopback interface. It counts the requests.
type issuer struct {
	*httptest.Server
	requests atomic.Int64
	handler  atomic.Pointer[http.HandlerFunc]
}

// newIssuer returns an issuer with rsaKey, whose kid is "rsa", and ecKey, whose kid is "ec".
func newIssuer(t testing.TB) *issuer {
	i := &issuer{}
	i.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.requests.Add(1)
		(*i.handler.Load())(w, r)
	}))
	t.Cleanup(i.Close)
	i.serve(marshalKeySet(t, publicKey(rsaKey(), "rsa", ""), publicKey(ecKey(), "ec", "")))
	return i
}

func (i *issuer) respond(h http.HandlerFunc) { i.handler.Store(&h) }

func (i *issuer) serve(body []byte) {
	i.respond(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
}

func (i *issuer) fail() {
	i.respond(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
}

func (i *issuer) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(i.Certificate())
	return pool
}

func (i *issuer) client() *http.Client {
	return NewClient(ClientOptions{AllowLoopback: true, Roots: i.roots()})
}

// federated returns a client that authenticates by assertions of the issuer.
func (i *issuer) federated() token.Client {
	return token.Client{ID: testClientID, Assertion: &token.AssertionRule{
		Issuer: testIssuer, Subject: testSubject, Audience: testAudience, KeysURL: i.URL + "/keys",
	}}
}

// ownKeys returns a client that authenticates by assertions signed with its own keys.
func ownKeys(t testing.TB, keys ...any) token.Client {
	return token.Client{ID: testClientID, Assertion: &token.AssertionRule{
		Issuer: testClientID, Subject: testClientID, Keys: marshalKeySet(t, keys...),
	}}
}

// A clock is the time of a test.
type clock struct{ elapsed atomic.Int64 }

// start has no fraction of a second, so that claims can be exactly at a limit.
var start = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func (c *clock) now() time.Time          { return start.Add(time.Duration(c.elapsed.Load())) }
func (c *clock) advance(d time.Duration) { c.elapsed.Add(int64(d)) }

func newVerifier(i *issuer) (*Verifier, *clock) {
	c := &clock{}
	return &Verifier{Keys: &KeySets{Client: i.client(), Now: c.now}, Now: c.now}, c
}

// object is the header or the claims of an assertion.
type object map[string]any

// with returns a copy with other members. A nil value deletes a member.
func (o object) with(changes object) object {
	c := maps.Clone(o)
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// claimsAt returns claims like those of Entra ID, which has no jti.
func claimsAt(now time.Time) object {
	return object{
		"iss": testIssuer, "sub": testSubject, "aud": testAudience, "uti": "Fx9",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
}

// ownClaims returns claims of a client with its own keys.
func ownClaims(now time.Time) object {
	return claimsAt(now).with(object{"iss": testClientID, "sub": testClientID, "aud": testEndpoint, "jti": "1", "uti": nil})
}

// sign returns an assertion that names kid unless it is empty.
func sign(t testing.TB, key any, algorithm jose.SignatureAlgorithm, kid string, claims object, header object) string {
	o := (&jose.SignerOptions{}).WithType("JWT")
	if kid != "" {
		o.WithHeader("kid", kid)
	}
	for k, v := range header {
		o.WithHeader(jose.HeaderKey(k), v)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	s, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// encode returns the compact form of parts that are strings or objects. The signature of the result is not computed.
func encode(t testing.TB, parts ...any) string {
	var encoded []string
	for _, p := range parts {
		b, isBytes := p.([]byte)
		if !isBytes {
			var err error
			if b, err = json.Marshal(p); err != nil {
				t.Fatal(err)
			}
		}
		encoded = append(encoded, base64.RawURLEncoding.EncodeToString(b))
	}
	return strings.Join(encoded, ".")
}
