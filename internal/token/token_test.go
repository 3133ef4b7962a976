package token

import (
	"strings"
	"testing"
)

func TestGeneratedTokensHaveAPrefixATenantAndAChecksum(t *testing.T) {
	t.Parallel()
	a, b := New("acme"), New("acme")
	if a == b || !strings.HasPrefix(a, "scim_acme_") || len(a) != len("scim_acme_")+52+7 {
		t.Errorf("got %q, want a prefix, the tenant, 256 random bits and a checksum", a)
	}
	for i := range a {
		altered := []byte(a)
		altered[i] = "ab"[altered[i]&1]
		if string(altered) == a {
			continue
		}
		if _, ok := tenantFromToken(string(altered)); ok && strings.HasPrefix(string(altered), Prefix) {
			t.Errorf("%s is accepted as a generated token", altered)
		}
	}
	for secret, tenant := range map[string]string{a: "acme", New("a_b"): "a_b", New("x/y#%"): "x/y#%", "chosen": ""} {
		if got, ok := tenantFromToken(secret); !ok || got != tenant {
			t.Errorf("tenant in %s: got %q, want %q", secret, got, tenant)
		}
	}
}
