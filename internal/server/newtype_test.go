package server

import (
	"os"
	"strings"
	"testing"

	"serverless-scim/internal/scim"
)

// A resource type that only JSON files define passes the same tests as User.
func TestResourceTypesPassCommonSuite(t *testing.T) {
	t.Parallel()
	for name, words := range map[string]string{
		"User": `endpoint=Users schema=urn:ietf:params:scim:schemas:core:2.0:User name=userName text=title flag=active complex=name part=givenName
			multi=emails ext=urn:ietf:params:scim:schemas:extension:enterprise:2.0:User extFirst=department extText=costCenter extComplex=manager`,
		"TestResource": `endpoint=TestResources schema=urn:ietf:params:scim:schemas:test:2.0:TestResource name=label text=text flag=enabled complex=place
			part=town multi=contacts ext=urn:ietf:params:scim:schemas:extension:test:2.0:TestResource extFirst=extRequired extText=extText extComplex=extOwner`,
	} {
		variables := map[string]string{"type": name}
		for _, word := range strings.Fields(words) {
			key, v, _ := strings.Cut(word, "=")
			variables[key], variables[strings.ToUpper(key)] = v, strings.ToUpper(v)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runScripts(t, "suite.txt", variables, withTestResource(t))
		})
	}
}

// RFC 7643 §2.2, §2.3
func TestAttributeTypesAndCharacteristics(t *testing.T) {
	t.Parallel()
	runScripts(t, "test_resource.txt", nil, withTestResource(t))
}

// withTestResource returns a configuration change that adds the resource type and extension in testdata/types.
func withTestResource(t *testing.T) func(*Config) {
	t.Helper()
	loaded, err := scim.Open([]string{"testdata/types"}, os.DirFS)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Config) { c.Directory.Store.Types = loaded }
}
