package admin

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"serverless-scim/internal/token"
)

const (
	maxURLBytes  = 1000 // of the URL of a key set, and of the other values of a federation
	maxKeys      = 10   // of a key set
	maxKeysBytes = 16 << 10
	minRSABits   = 2048
)

// assertionRule returns the rule for the assertions of a new client with the ID, or nil if the client has a secret.
func (in commandInput) assertionRule(id string) (*token.AssertionRule, error) {
	hasKeys, hasFederation := isPresent(in.Keys), isPresent(in.Federation)
	switch {
	case hasKeys && hasFederation:
		return nil, errors.New("a client has keys or a federation, not both")
	case (hasKeys || hasFederation) && in.Days != nil:
		return nil, errors.New("days is the lifetime of a secret; a client with keys or a federation has none")
	case hasKeys:
		return keysRule(in.Keys, id)
	case hasFederation:
		return federationRule(in.Federation)
	}
	return nil, nil
}

func isPresent(value json.RawMessage) bool { return len(value) > 0 && string(value) != "null" }

// keysRule returns the rule of a client that signs assertions with its own keys.
func keysRule(value json.RawMessage, id string) (*token.AssertionRule, error) {
	var keys Keys
	if decodeStrictly(value, &keys) != nil || isPresent(keys.JWKS) == (keys.URL != "") {
		return nil, errors.New(`keys must be {"jwks":{"keys":[…]}} or {"url":"https://…"}`)
	}
	rule := &token.AssertionRule{Issuer: id, Subject: id, KeysURL: keys.URL}
	if keys.URL != "" {
		return rule, checkURL("the url of keys", keys.URL)
	}
	var err error
	rule.Keys, err = publicKeys(keys.JWKS)
	return rule, err
}

// federationRule returns the rule of a client that has assertions of another issuer.
func federationRule(value json.RawMessage) (*token.AssertionRule, error) {
	var f Federation
	if decodeStrictly(value, &f) != nil {
		return nil, errors.New(`federation must be {"issuer":"…","url":"https://…","subject":"…","audience":"…"}`)
	}
	for _, field := range [][2]string{{"issuer", f.Issuer}, {"url", f.URL}, {"subject", f.Subject}, {"audience", f.Audience}} {
		if field[1] == "" || len(field[1]) > maxURLBytes {
			return nil, fmt.Errorf("%s of federation must have 1 to %d characters", field[0], maxURLBytes)
		}
	}
	if _, isClient := token.TenantOfClient(f.Issuer); isClient {
		return nil, errors.New("issuer of federation is a client ID; a client that signs its own assertions has keys")
	}
	if strings.HasSuffix(f.Audience, "/.default") { // Entra ID shows the scope of a request instead of the audience
		return nil, errors.New("audience of federation ends in /.default, which no assertion has; leave this ending out")
	}
	rule := &token.AssertionRule{Issuer: f.Issuer, Subject: f.Subject, Audience: f.Audience, KeysURL: f.URL}
	return rule, checkURL("url of federation", f.URL)
}

// decodeStrictly decodes a JSON object without unknown fields. Its errors can contain values, which can be secret.
func decodeStrictly(value json.RawMessage, v any) error {
	d := json.NewDecoder(bytes.NewReader(value))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// checkURL returns an error unless s is an https URL with a host name. name is that of the field.
func checkURL(name, s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Contains(s, "#") || len(s) > maxURLBytes {
		return fmt.Errorf("%s is not valid; it must begin with https:// and a host name, without a user name and without #", name)
	}
	return nil
}

// publicKeys checks a key set, and returns it without the members that the check does not cover. An error does not repeat
// values, because a key can be private.
func publicKeys(value json.RawMessage) (json.RawMessage, error) {
	var set jose.JSONWebKeySet
	if len(value) > maxKeysBytes {
		return nil, fmt.Errorf("the key set has %d bytes; it must have at most %d", len(value), maxKeysBytes)
	}
	if json.Unmarshal(value, &set) != nil {
		return nil, errors.New("the key set cannot be read; it must be a JWKS with RSA or EC keys")
	}
	if len(set.Keys) < 1 || len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("the key set has %d keys; it must have 1 to %d", len(set.Keys), maxKeys)
	}
	var ids []string
	public := jose.JSONWebKeySet{}
	for i, k := range set.Keys {
		if problem := keyProblem(k); problem != "" {
			return nil, fmt.Errorf("key %d of the key set %s", i+1, problem)
		}
		if len(set.Keys) > 1 && k.KeyID == "" || slices.Contains(ids, k.KeyID) {
			return nil, fmt.Errorf("key %d of the key set has no kid of its own; of several keys, each needs one", i+1)
		}
		ids = append(ids, k.KeyID)
		public.Keys = append(public.Keys, jose.JSONWebKey{Key: k.Key, KeyID: k.KeyID, Algorithm: k.Algorithm, Use: k.Use})
	}
	return json.Marshal(public)
}

// keyProblem says why a key cannot verify assertions, or returns "".
func keyProblem(k jose.JSONWebKey) string {
	algorithms := []string{""}
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		if algorithms = append(algorithms, "RS256", "PS256"); key.N.BitLen() < minRSABits {
			return fmt.Sprintf("has %d bits; an RSA key needs at least %d", key.N.BitLen(), minRSABits)
		}
	case *ecdsa.PublicKey:
		if algorithms = append(algorithms, "ES256"); key.Curve != elliptic.P256() {
			return "is not on the curve P-256, the only one that is supported"
		}
	default:
		return "is not a public RSA or EC key; a private key must stay with the client, so send only the public part"
	}
	switch {
	case !slices.Contains(algorithms, k.Algorithm):
		return "has another alg than RS256, PS256, or ES256, or one that its type does not allow"
	case k.Use != "" && k.Use != "sig":
		return "has another use than sig"
	}
	return ""
}
