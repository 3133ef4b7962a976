package server

import (
	"os"
	"strings"
	"testing"

	"serverless-scim/internal/scim"
)

// What is true of User is true of a resource type that is JSON alone.
func TestEveryResourceTypePassesOneSuite(t *testing.T) {
	t.Parallel()
	for of, words := range map[string]string{
		"User": `endpoint=Users schema=urn:ietf:params:scim:schemas:core:2.0:User name=userName text=title flag=active complex=name part=givenName
			multi=emails ext=urn:ietf:params:scim:schemas:extension:enterprise:2.0:User extFirst=department extText=costCenter extComplex=manager`,
		"TestResource": `endpoint=TestResources schema=urn:ietf:params:scim:schemas:test:2.0:TestResource name=label text=text flag=enabled complex=place
			part=town multi=contacts ext=urn:ietf:params:scim:schemas:extension:test:2.0:TestResource extFirst=extRequired extText=extText extComplex=extOwner`,
	} {
		variables := map[string]string{"type": of}
		for _, word := range strings.Fields(words) {
			name, v, _ := strings.Cut(word, "=")
			variables[name], variables[strings.ToUpper(name)] = v, strings.ToUpper(v)
		}
		t.Run(of, func(t *testing.T) {
			t.Parallel()
			play(t, "suite.txt", variables, withTestResource(t))
		})
	}
}

// Each type and characteristic of attributes does what RFC 7643 §2.2 and §2.3 say.
func TestEveryTypeOfAttribute(t *testing.T) {
	t.Parallel()
	play(t, "test_resource.txt", nil, withTestResource(t))
}

// withTestResource adds a resource type with an extension to User and Group, as a folder of JSON.
func withTestResource(t *testing.T) func(*Config) {
	t.Helper()
	loaded, err := scim.Open([]string{"testdata/types"}, os.DirFS)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Config) { c.Directory.Types = loaded }
}
