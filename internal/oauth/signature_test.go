package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func TestVerifyRejectsAlgorithmsThatAreNotAccepted(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, _ := newVerifier(i)
	for _, algorithm := range []string{"none", "None", "", "HS256", "RS384", "ES384", "EdDSA", "es256"} {
		assertion := encode(t, object{"alg": algorithm, "kid": "rsa"}, claimsAt(start), []byte{})
		checkRejected(t, v, i.federated(), assertion, errAlgorithm)
	}
	der, err := x509.MarshalPKIXPublicKey(rsaKey().Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range [][]byte{der, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), rsaKey().N.Bytes()} {
		input := encode(t, object{"alg": "HS256", "kid": "rsa"}, claimsAt(start))
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(input))
		checkRejected(t, v, i.federated(), input+"."+encode(t, mac.Sum(nil)), errAlgorithm)
	}
	if n := i.requests.Load(); n != 0 {
		t.Errorf("%d requests for keys", n)
	}
}

func TestVerifyRejectsSignaturesOfOtherKeysAndOtherContent(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, _ := newVerifier(i)
	part := func(s string, n int) string { return strings.Split(s, ".")[n] }
	rs := sign(t, rsaKey(), jose.RS256, "rsa", claimsAt(start), nil)
	ps := sign(t, rsaKey(), jose.PS256, "rsa", claimsAt(start), nil)
	later := sign(t, rsaKey(), jose.RS256, "rsa", claimsAt(start).with(object{"jti": "2"}), nil)
	es := sign(t, ecKey(), jose.ES256, "ec", claimsAt(start), nil)
	digest := sha256.Sum256([]byte(part(es, 0) + "." + part(es, 1)))
	asn1, err := ecKey().Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	for _, assertion := range []string{
		sign(t, otherRSAKey(), jose.RS256, "rsa", claimsAt(start), nil),
		sign(t, otherRSAKey(), jose.PS256, "rsa", claimsAt(start), nil),
		sign(t, otherECKey(), jose.ES256, "ec", claimsAt(start), nil),
		part(ps, 0) + "." + part(rs, 1) + "." + part(rs, 2), // RS256 presented as PS256
		part(rs, 0) + "." + part(ps, 1) + "." + part(ps, 2),
		part(rs, 0) + "." + part(later, 1) + "." + part(rs, 2),
		part(rs, 0) + "." + part(rs, 1) + ".",
		part(es, 0) + "." + part(es, 1) + "." + encode(t, make([]byte, 64)), // r = s = 0
		part(es, 0) + "." + part(es, 1) + "." + encode(t, asn1),             // RFC 7518 §3.4 wants r and s alone
	} {
		checkRejected(t, v, i.federated(), assertion, errSignature)
	}
}

// signP384 returns an assertion that claims ES256, but is signed with a key of another curve.
func signP384(t *testing.T, key *ecdsa.PrivateKey) string {
	input := encode(t, object{"alg": "ES256", "kid": "p384"}, ownClaims(start))
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(append(r.FillBytes(make([]byte, 48)), s.FillBytes(make([]byte, 48))...))
}

func TestOnlyAKeyThatFitsTheAlgorithmVerifies(t *testing.T) {
	t.Parallel()
	v, _ := newVerifier(newIssuer(t))
	p384, short := newECKey(elliptic.P384()), newRSAKey(1024)
	for name, test := range map[string]struct {
		key       any
		assertion string
	}{
		"P-384":               {publicKey(p384, "p384", ""), signP384(t, p384)},
		"1024 bits":           {publicKey(short, "k", ""), sign(t, short, jose.RS256, "k", ownClaims(start), nil)},
		"other algorithm":     {publicKey(rsaKey(), "k", "PS256"), sign(t, rsaKey(), jose.RS256, "k", ownClaims(start), nil)},
		"for encryption":      {jose.JSONWebKey{Key: rsaKey().Public(), KeyID: "k", Use: "enc"}, sign(t, rsaKey(), jose.RS256, "k", ownClaims(start), nil)},
		"EC for RS256":        {publicKey(ecKey(), "k", ""), sign(t, rsaKey(), jose.RS256, "k", ownClaims(start), nil)},
		"RSA for ES256":       {publicKey(rsaKey(), "k", ""), sign(t, ecKey(), jose.ES256, "k", ownClaims(start), nil)},
		"private key":         {jose.JSONWebKey{Key: ecKey(), KeyID: "k"}, sign(t, ecKey(), jose.ES256, "k", ownClaims(start), nil)},
		"symmetric key":       {jose.JSONWebKey{Key: make([]byte, 32), KeyID: "k"}, sign(t, ecKey(), jose.ES256, "k", ownClaims(start), nil)},
		"kid in other case":   {publicKey(ecKey(), "k", ""), sign(t, ecKey(), jose.ES256, "K", ownClaims(start), nil)},
		"key without its kid": {publicKey(ecKey(), "", ""), sign(t, ecKey(), jose.ES256, "k", ownClaims(start), nil)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkRejected(t, v, ownKeys(t, test.key), test.assertion, errNoKey)
		})
	}
	checkAccepted(t, v, ownKeys(t, publicKey(rsaKey(), "k", "PS256")), sign(t, rsaKey(), jose.PS256, "k", ownClaims(start), nil))
	checkAccepted(t, v, ownKeys(t, jose.JSONWebKey{Key: ecKey().Public(), KeyID: "k"}), sign(t, ecKey(), jose.ES256, "k", ownClaims(start), nil))
}

func TestWithoutAKidTheKeyMustBeTheOnlyOneThatFits(t *testing.T) {
	t.Parallel()
	v, _ := newVerifier(newIssuer(t))
	rsa, ec, other := publicKey(rsaKey(), "r", ""), publicKey(ecKey(), "e", ""), publicKey(otherECKey(), "o", "")
	assertion := sign(t, ecKey(), jose.ES256, "", ownClaims(start), nil)
	checkAccepted(t, v, ownKeys(t, rsa, ec), assertion)
	checkRejected(t, v, ownKeys(t, other, ec), assertion, errNoKey)
	checkRejected(t, v, ownKeys(t, rsa), assertion, errNoKey)
	checkRejected(t, v, ownKeys(t), assertion, errNoKey)
}

func TestKeysWithTheSameKidAreAllTried(t *testing.T) {
	t.Parallel()
	v, _ := newVerifier(newIssuer(t))
	rsa, ec, other := publicKey(rsaKey(), "k", ""), publicKey(ecKey(), "k", ""), publicKey(otherECKey(), "k", "")
	assertion := sign(t, ecKey(), jose.ES256, "k", ownClaims(start), nil)
	checkAccepted(t, v, ownKeys(t, rsa, other, ec), assertion)
	checkRejected(t, v, ownKeys(t, rsa, other), assertion, errSignature)
}

// An issuer can publish keys that this program does not know, or that are damaged. They do not affect the others.
func TestUnknownKeysAreLeftOut(t *testing.T) {
	t.Parallel()
	v, _ := newVerifier(newIssuer(t))
	c := ownKeys(t, object{"kty": "AKP", "alg": "ML-DSA-44", "kid": "k", "pub": "AA"}, object{"kty": "EC", "crv": "secp256k1", "kid": "k"},
		object{"kty": "RSA", "kid": "k", "n": "!"}, object{}, 1, nil, publicKey(ecKey(), "k", ""))
	checkAccepted(t, v, c, sign(t, ecKey(), jose.ES256, "k", ownClaims(start), nil))
	for _, document := range []string{"", "{}", "[]", "null", `{"keys":null}`, `{"keys":{}}`, "<html>"} {
		c.Assertion.Keys = []byte(document)
		checkRejected(t, v, c, sign(t, ecKey(), jose.ES256, "k", ownClaims(start), nil), errKeySet)
	}
}

func TestCriticalHeaderParametersAreRejected(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, _ := newVerifier(i)
	for _, header := range []object{{"crit": []string{"exp"}, "exp": 1}, {"crit": []string{"b64"}, "b64": true}, {"crit": []string{}}, {"b64": false}, {"crit": 1}} {
		assertion := encode(t, object{"alg": "ES256", "kid": "ec"}.with(header), claimsAt(start), make([]byte, 64))
		checkRejected(t, v, i.federated(), assertion, errCritical)
	}
	signed := sign(t, ecKey(), jose.ES256, "ec", claimsAt(start), object{"crit": []string{"b64"}, "b64": true})
	checkRejected(t, v, i.federated(), signed, errCritical)
	if n := i.requests.Load(); n != 0 {
		t.Errorf("%d requests for keys", n)
	}
}

func TestKeysAndAddressesInTheHeaderAreIgnored(t *testing.T) {
	t.Parallel()
	i, attacker := newIssuer(t), newIssuer(t)
	attacker.serve(marshalKeySet(t, publicKey(otherECKey(), "ec", ""), publicKey(otherECKey(), "attacker", "")))
	v, _ := newVerifier(i)
	header := object{"jku": attacker.URL, "x5u": attacker.URL, "jwk": publicKey(otherECKey(), "ec", "")}
	checkAccepted(t, v, i.federated(), sign(t, ecKey(), jose.ES256, "ec", claimsAt(start), header))
	checkRejected(t, v, i.federated(), sign(t, otherECKey(), jose.ES256, "ec", claimsAt(start), header), errSignature)
	checkRejected(t, v, i.federated(), sign(t, otherECKey(), jose.ES256, "attacker", claimsAt(start), header), errNoKey)
	if n := attacker.requests.Load(); n != 0 {
		t.Errorf("%d requests to an address in the header", n)
	}
}

func TestOnlyTheCompactFormIsAccepted(t *testing.T) {
	t.Parallel()
	v, _ := newVerifier(newIssuer(t))
	c := ownKeys(t, publicKey(ecKey(), "ec", ""))
	valid := sign(t, ecKey(), jose.ES256, "ec", ownClaims(start), nil)
	parts := strings.Split(valid, ".")
	for _, assertion := range []string{
		"", ".", "...", valid + ".", strings.ReplaceAll(valid, ".", "\n."), valid + "\r\n", "." + valid, " " + valid, valid + "=", parts[0] + "." + parts[1], parts[0] + ".." + parts[2],
		`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		encode(t, []byte(`{"alg":"ES256","alg":"ES256"}`)) + "." + parts[1] + "." + parts[2],
		encode(t, []byte(`{"alg":"ES256"}`), []byte(`{"sub":"a","sub":"b"}`), []byte("s")),
		encode(t, []byte(`{"alg":"ES256","kid":7}`), ownClaims(start), []byte("s")),
	} {
		checkRejected(t, v, c, assertion, errMalformed)
	}
	long := sign(t, ecKey(), jose.ES256, "ec", ownClaims(start).with(object{"x": strings.Repeat("x", maxAssertionBytes)}), nil)
	checkRejected(t, v, c, long, errAssertionTooLong)
	checkAccepted(t, v, c, sign(t, ecKey(), jose.ES256, "ec", ownClaims(start).with(object{"x": strings.Repeat("x", maxAssertionBytes/2)}), nil))
}
