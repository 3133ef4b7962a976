package admin

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"serverless-scim/internal/token"
)

// A clientResult is what create-client and rotate-client-secret return.
type clientResult struct {
	ID      string `json:"client_id"`
	Secret  string `json:"client_secret"`
	Minutes int
	Secrets []struct{ ID string }
	Enter   string
}

// client runs a command that must return a client.
func (at *adminTest) client(event string) (out clientResult) {
	at.Helper()
	text := at.execute(event)
	if err := json.Unmarshal([]byte(text), &out); err != nil || out.ID == "" {
		at.Fatalf("%s: %s", event, text)
	}
	return out
}

// authenticates reports whether a secret authenticates a client.
func (at *adminTest) authenticates(c clientResult, secret string) bool {
	at.Helper()
	stored, _, err := at.Tokens.Client(at.Context(), c.ID)
	if err != nil && !errors.Is(err, token.ErrNoClient) {
		at.Fatal(err)
	}
	return stored.HasSecret(secret, at.now)
}

func TestAClientSecretIsReturnedOnlyOnce(t *testing.T) {
	t.Parallel()
	at := newAdminTest(t)
	at.mustExecute(`{"command":"create-tenant","tenant":"acme"}`)
	c := at.client(`{"command":"create-client","tenant":"acme","label":"entra","scope":"scim.read","minutes":360}`)
	if !at.authenticates(c, c.Secret) || c.Minutes != 360 || !strings.Contains(c.Enter, "/oauth/token") {
		t.Fatalf("%+v", c)
	}
	next := at.client(fmt.Sprintf(`{"command":"rotate-client-secret","tenant":"acme","client":%q,"hours":1,"days":1095}`, c.ID))
	if next.ID != c.ID || !at.authenticates(c, c.Secret) || !at.authenticates(c, next.Secret) || len(next.Secrets) != 2 {
		t.Errorf("during the overlap, both secrets must be valid: %+v", next)
	}
	list := at.execute(`{"command":"list-clients","tenant":"acme"}`)
	for _, want := range []string{c.ID, c.Secrets[0].ID, next.Secrets[1].ID, `"expires":"2026-01-02T04:04:05Z"`, `"expires":"2029-01-01T03:04:05Z"`, `"minutes":360`} {
		if !strings.Contains(list, want) {
			t.Errorf("the list has no %s: %s", want, list)
		}
	}
	if at.now = at.now.Add(time.Hour); at.authenticates(c, c.Secret) || !at.authenticates(c, next.Secret) {
		t.Error("after the overlap, only the old secret must be rejected")
	}
	if got := at.execute(`{"command":"list-clients","tenant":"acme"}`); strings.Count(got, `"expired":true`) != 1 {
		t.Errorf("the list must show one expired secret: %s", got)
	}
	at.execute(fmt.Sprintf(`{"command":"revoke-client","tenant":"acme","client":%q}`, c.ID))
	if at.authenticates(c, next.Secret) {
		t.Error("a revoked client is accepted")
	}
	for _, secret := range []string{c.Secret, next.Secret} {
		if strings.Contains(list, secret) || strings.Contains(at.log.String(), secret[20:40]) {
			t.Errorf("%s is in the list or in the log", secret)
		}
	}
	id := `"client":"` + c.ID + `"`
	for _, want := range []string{`"command":"create-client"`, id + `,"label":"entra","scope":"scim.read","outcome":"done"`,
		`"command":"rotate-client-secret"`, `"command":"revoke-client"`, id + `,"outcome":"done"`} {
		if !strings.Contains(at.log.String(), want) {
			t.Errorf("the audit log has no %s:\n%s", want, at.log.String())
		}
	}
}

// keySet returns a JWKS with the keys, whose kid is their number.
func keySet(t *testing.T, change func(*jose.JSONWebKey), keys ...any) string {
	t.Helper()
	var set jose.JSONWebKeySet
	for i, key := range keys {
		k := jose.JSONWebKey{Key: key, KeyID: fmt.Sprint(i + 1)}
		if change != nil {
			change(&k)
		}
		set.Keys = append(set.Keys, k)
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func mustKey[K any](key K, err error) K {
	if err != nil {
		panic(err)
	}
	return key
}

func TestAClientHasKeysOrAFederation(t *testing.T) {
	t.Parallel()
	at := newAdminTest(t)
	at.mustExecute(`{"command":"create-tenant","tenant":"acme"}`)
	rsaKey, ecKey := mustKey(rsa.GenerateKey(rand.Reader, 2048)), mustKey(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	set := keySet(t, func(k *jose.JSONWebKey) { k.Use = "sig" }, &rsaKey.PublicKey, &ecKey.PublicKey)
	for label, field := range map[string]string{
		"set": `"keys":{"jwks":` + set + `}`, "url": `"keys":{"url":"https://client.example/keys?v=1"}`,
		"federation": `"federation":{"issuer":"https://login.example/t/v2.0","url":"https://login.example/t/keys","subject":"s","audience":"api://a"}`,
	} {
		c := at.client(fmt.Sprintf(`{"command":"create-client","tenant":"acme","label":%q,%s}`, label, field))
		stored, _, err := at.Tokens.Client(t.Context(), c.ID)
		if err != nil || c.Secret != "" || stored.Assertion == nil || stored.Secrets != nil || !strings.Contains(c.Enter, "and client_id.") {
			t.Fatalf("%s: %+v, %+v, %v", label, c, stored, err)
		}
		want := token.AssertionRule{Issuer: c.ID, Subject: c.ID, Keys: stored.Assertion.Keys, KeysURL: "https://client.example/keys?v=1"}
		if label == "set" {
			want.KeysURL = ""
		} else if label == "federation" {
			want = token.AssertionRule{Issuer: "https://login.example/t/v2.0", Subject: "s", Audience: "api://a", KeysURL: "https://login.example/t/keys"}
		}
		if fmt.Sprint(*stored.Assertion) != fmt.Sprint(want) || (label == "set") != (stored.Assertion.Keys != nil) {
			t.Errorf("%s: got %+v, want %+v", label, *stored.Assertion, want)
		}
		if list := at.execute(`{"command":"list-clients","tenant":"acme"}`); !strings.Contains(list, field) {
			t.Errorf("the list has no %s: %s", field, list)
		}
		rotate := at.execute(fmt.Sprintf(`{"command":"rotate-client-secret","tenant":"acme","client":%q}`, c.ID))
		if !strings.Contains(rotate, "authenticates by assertions and has no secret") {
			t.Error(rotate)
		}
	}
}

// A key set without members that the server does not use is stored.
func TestAKeySetIsStoredWithoutUnknownMembers(t *testing.T) {
	t.Parallel()
	key := mustKey(rsa.GenerateKey(rand.Reader, 2048))
	set := strings.Replace(keySet(t, nil, &key.PublicKey), `"kty"`, `"comment":"internal","kty"`, 1)
	if stored, err := publicKeys(json.RawMessage(set)); err != nil || strings.Contains(string(stored), "internal") {
		t.Errorf("%s, %v", stored, err)
	}
}

func TestKeySetsThatCannotVerifyAssertionsAreRejected(t *testing.T) {
	t.Parallel()
	at := newAdminTest(t)
	at.mustExecute(`{"command":"create-tenant","tenant":"acme"}`)
	rsaKey, ecKey := mustKey(rsa.GenerateKey(rand.Reader, 2048)), mustKey(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	short := &rsa.PublicKey{N: mustKey(rsa.GenerateKey(rand.Reader, 1024)).N, E: 65537}
	p384 := mustKey(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	public, private, _ := ed25519.GenerateKey(rand.Reader)
	set := func(change func(*jose.JSONWebKey), keys ...any) string { return keySet(t, change, keys...) }
	many := make([]any, 11)
	for i := range many {
		many[i] = &ecKey.PublicKey
	}
	for name, one := range map[string][2]string{
		"short RSA key":        {set(nil, short), "has 1024 bits; an RSA key needs at least 2048"},
		"other curve":          {set(nil, &p384.PublicKey), "is not on the curve P-256"},
		"Ed25519":              {set(nil, public), "is not a public RSA or EC key"},
		"private RSA key":      {set(nil, rsaKey), "a private key must stay with the client"},
		"private EC key":       {set(nil, &ecKey.PublicKey, ecKey), "key 2 of the key set is not a public RSA or EC key"},
		"private Ed25519 key":  {set(nil, private), "a private key must stay with the client"},
		"symmetric key":        {set(nil, []byte("0123456789abcdef0123456789abcdef")), "is not a public RSA or EC key"},
		"other algorithm":      {set(func(k *jose.JSONWebKey) { k.Algorithm = "RS512" }, &rsaKey.PublicKey), "has another alg than"},
		"algorithm of EC":      {set(func(k *jose.JSONWebKey) { k.Algorithm = "ES256" }, &rsaKey.PublicKey), "has another alg than"},
		"encryption":           {set(func(k *jose.JSONWebKey) { k.Use = "enc" }, &rsaKey.PublicKey), "has another use than sig"},
		"no kid":               {set(func(k *jose.JSONWebKey) { k.KeyID = "" }, &rsaKey.PublicKey, &ecKey.PublicKey), "key 1 of the key set has no kid of its own"},
		"two keys of one kid":  {set(func(k *jose.JSONWebKey) { k.KeyID = "x" }, &rsaKey.PublicKey, &ecKey.PublicKey), "key 2 of the key set has no kid of its own"},
		"no keys":              {`{"keys":[]}`, "the key set has 0 keys"},
		"too many keys":        {set(nil, many...), "the key set has 11 keys"},
		"key without a set":    {`{"kty":"RSA"}`, "the key set has 0 keys"},
		"too large":            {`{"keys":[],"x":"` + strings.Repeat("x", maxKeysBytes) + `"}`, "it must have at most 16384"},
		"no set":               {`"0123456789abcdef0123456789abcdef"`, "the key set cannot be read"},
		"incomplete key":       {`{"keys":[{"kty":"RSA","d":"0123456789abcdef0123456789abcdef"}]}`, "key set"},
		"point not on a curve": {`{"keys":[{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}]}`, "key set"},
	} {
		got := at.execute(fmt.Sprintf(`{"command":"create-client","tenant":"acme","label":"a","keys":{"jwks":%s}}`, one[0]))
		if !strings.HasPrefix(got, "error: ") || !strings.Contains(got, one[1]) || strings.Contains(got, "jose") {
			t.Errorf("%s: got %s, want %s", name, got, one[1])
		}
		for _, secret := range privateParts(rsaKey, ecKey) {
			if strings.Contains(got, secret) || strings.Contains(at.log.String(), secret) {
				t.Errorf("%s: the error or the log repeats a private key", name)
			}
		}
	}
	if got := at.execute(`{"command":"list-clients","tenant":"acme"}`); got != `{"clients":[]}` {
		t.Errorf("a rejected key set created a client: %s", got)
	}
}

// privateParts returns the private members of keys, and of others in the test, as a JWKS has them.
func privateParts(keys ...crypto.PrivateKey) (parts []string) {
	parts = []string{"0123456789abcdef", "MDEyMzQ1Njc4OWFiY2RlZg"}
	for _, key := range keys {
		var members map[string]string
		text, _ := jose.JSONWebKey{Key: key}.MarshalJSON()
		_ = json.Unmarshal(text, &members)
		parts = append(parts, members["d"][:20])
	}
	return parts
}

func TestInvalidClientEventsAreRejectedAndChangeNothing(t *testing.T) {
	t.Parallel()
	at := newAdminTest(t)
	for _, tenant := range []string{"acme", "other"} {
		at.mustExecute(fmt.Sprintf(`{"command":"create-tenant","tenant":%q}`, tenant))
	}
	c := at.client(`{"command":"create-client","tenant":"acme","label":"taken"}`)
	before := at.listItems()
	federation := func(name, value string) string {
		fields := map[string]string{"issuer": "i", "url": "https://a.example/k", "subject": "s", "audience": "a", name: value}
		text, _ := json.Marshal(fields)
		return `"federation":` + string(text)
	}
	const invalidURL = "it must begin with https:// and a host name"
	for fields, want := range map[string]string{
		`"days":0`:                         "days is 0; it must be from 1 to 1095",
		`"days":1096`:                      "days is 1096; it must be from 1 to 1095",
		`"minutes":59`:                     "minutes is 59; it must be from 60 to 360",
		`"minutes":361`:                    "minutes is 361; it must be from 60 to 360",
		`"minutes":"60"`:                   "minutes has the wrong type; it must be a whole number",
		`"scope":"read"`:                   `scope "read" is not valid`,
		`"hours":1`:                        "create-client does not accept hours",
		`"keys":{}`:                        `keys must be {"jwks":{"keys":[…]}} or {"url":"https://…"}`,
		`"keys":"https://a"`:               "keys must be",
		`"keys":{"url":"https://a","x":1}`: "keys must be",
		`"keys":{"jwks":{},"url":"https://a.example"}`:                         "keys must be",
		`"keys":{"url":"http://a.example"}`:                                    invalidURL,
		`"keys":{"url":"https://"}`:                                            invalidURL,
		`"keys":{"url":"https:///keys"}`:                                       invalidURL,
		`"keys":{"url":"https://:443/keys"}`:                                   invalidURL,
		`"keys":{"url":"a.example/keys"}`:                                      invalidURL,
		`"keys":{"url":"https://u:p@a.example"}`:                               invalidURL,
		`"keys":{"url":"https://a.example/#x"}`:                                invalidURL,
		`"keys":{"url":"https://a.example/%zz"}`:                               invalidURL,
		`"keys":{"url":"https://a.example/` + strings.Repeat("x", 1000) + `"}`: invalidURL,
		`"keys":{"url":"https://a.example"},` + federation("issuer", "i"):      "a client has keys or a federation, not both",
		`"days":7,"keys":{"url":"https://a.example"}`:                          "days is the lifetime of a secret",
		federation("url", "http://a.example"):                                  "url of federation is not valid; " + invalidURL,
		federation("issuer", ""):                                               "issuer of federation must have 1 to 1000 characters",
		federation("subject", ""):                                              "subject of federation must have",
		federation("audience", ""):                                             "audience of federation must have",
		federation("audience", strings.Repeat("x", 1001)):                      "audience of federation must have",
		federation("audience", "api://app/.default"):                           "leave this ending out",
		federation("url", ""):                                                  "url of federation must have",
		federation("issuer", c.ID):                                             "issuer of federation is a client ID",
		federation("tid", "x"):                                                 "federation must be {",
		`"federation":"x"`:                                                     "federation must be {",
	} {
		got := at.execute(`{"command":"create-client","tenant":"acme","label":"a",` + fields + `}`)
		if !strings.HasPrefix(got, "error: ") || !strings.Contains(got, want) || strings.Contains(got, "Go ") {
			t.Errorf("%s: got %s, want %s", fields, got, want)
		}
	}
	for event, want := range map[string]string{
		`{"command":"create-client","tenant":"acme"}`:                                            "label is missing",
		`{"command":"create-client","tenant":"acme","label":"taken"}`:                            `tenant acme has a client with the label "taken"; replace its secret with rotate-client-secret`,
		`{"command":"create-client","tenant":"none","label":"a"}`:                                "tenant none does not exist or is deleted",
		`{"command":"list-clients","tenant":"none"}`:                                             "tenant none does not exist or is deleted",
		`{"command":"revoke-client","tenant":"acme"}`:                                            "client is missing",
		`{"command":"revoke-client","tenant":"acme","client":"` + c.Secret + `"}`:                "client is not a client ID; an ID begins with client_",
		`{"command":"revoke-client","tenant":"other","client":"` + c.ID + `"}`:                   "tenant other has no client " + c.ID + "; see list-clients",
		`{"command":"rotate-client-secret","tenant":"other","client":"` + c.ID + `"}`:            "tenant other has no client " + c.ID,
		`{"command":"rotate-client-secret","tenant":"acme","client":"` + c.ID + `","hours":721}`: "hours is 721",
		`{"command":"rotate-client-secret","tenant":"acme","client":"` + c.ID + `","days":1096}`: "days is 1096; it must be from 1 to 1095",
	} {
		if got := at.execute(event); !strings.HasPrefix(got, "error: "+want) || strings.Contains(got, c.Secret) {
			t.Errorf("%s: got %s, want %s", event, got, want)
		}
	}
	if after := at.listItems(); after != before || strings.Contains(at.log.String(), c.Secret) {
		t.Error("a rejected event changed something, or a secret is in the log")
	}
}

func TestATenantCannotHaveTooManyClientsOrSecrets(t *testing.T) {
	t.Parallel()
	at := newAdminTest(t)
	at.mustExecute(`{"command":"create-tenant","tenant":"acme"}`)
	c := at.client(`{"command":"create-client","tenant":"acme","label":"first"}`)
	for i := range token.MaxClients - 1 {
		at.client(fmt.Sprintf(`{"command":"create-client","tenant":"acme","label":"l%d"}`, i))
	}
	if got := at.execute(`{"command":"create-client","tenant":"acme","label":"last"}`); !strings.Contains(got, "tenant acme has 20 clients, which is the maximum") {
		t.Error(got)
	}
	rotate := fmt.Sprintf(`{"command":"rotate-client-secret","tenant":"acme","client":%q}`, c.ID)
	for range token.MaxClientSecrets - 1 {
		at.client(rotate)
	}
	if got := at.execute(rotate); !strings.Contains(got, "has 5 valid secrets, which is the maximum; reduce the overlap with hours") {
		t.Error(got)
	}
}

func TestExpireWarnsAboutClientSecretsThatEndSoon(t *testing.T) {
	t.Parallel()
	at := newAdminTest(t)
	at.mustExecute(`{"command":"create-tenant","tenant":"acme"}`)
	soon := at.client(`{"command":"create-client","tenant":"acme","label":"soon","days":40}`)
	rotated := at.client(`{"command":"create-client","tenant":"acme","label":"rotated","days":40}`)
	at.client(fmt.Sprintf(`{"command":"rotate-client-secret","tenant":"acme","client":%q,"hours":720,"days":100}`, rotated.ID))
	at.client(`{"command":"create-client","tenant":"acme","label":"keys","keys":{"url":"https://a.example"}}`)
	for day, want := range map[int]int{0: 0, 9: 0, 10: 1, 39: 1, 41: 0, 71: 1, 101: 0} {
		at.now = time.Date(2026, 1, 2+day, 3, 4, 5, 0, time.UTC)
		if result, err := at.Expire(t.Context()); err != nil || result.ExpiringTokens != want {
			t.Errorf("on day %d: %+v, %v, want %d", day, result, err, want)
		}
	}
	want := `"msg":"a client secret ends soon","tenant":"acme","client":"` + soon.ID + `","label":"soon","days":30`
	if !strings.Contains(at.log.String(), want) {
		t.Errorf("no %s in %s", want, at.log.String())
	}
}

// The secret that ends last counts, also if it is not the newest.
func TestExpireWarnsAboutTheSecretThatEndsLast(t *testing.T) {
	t.Parallel()
	at := newAdminTest(t)
	at.mustExecute(`{"command":"create-tenant","tenant":"acme"}`)
	c := at.client(`{"command":"create-client","tenant":"acme","label":"a"}`)
	at.client(fmt.Sprintf(`{"command":"rotate-client-secret","tenant":"acme","client":%q,"hours":720,"days":1}`, c.ID))
	at.now = at.now.Add(9 * day)
	result, err := at.Expire(t.Context())
	if err != nil || result.ExpiringTokens != 1 || !strings.Contains(at.log.String(), `"days":21`) {
		t.Errorf("%+v, %v, %s", result, err, at.log.String())
	}
}
