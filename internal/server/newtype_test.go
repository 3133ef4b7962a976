package server

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

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

// withTestResource adds a resource type with an extension to User and Group, as files beside the standard ones.
func withTestResource(t *testing.T) func(*Config) {
	t.Helper()
	files := fstest.MapFS{}
	var types []json.RawMessage
	for _, dir := range []string{"../scim/schemas", "testdata/types"} {
		paths, err := filepath.Glob(dir + "/*.json")
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			switch name := filepath.Base(path); name {
			case "resource_types.json":
				err = json.Unmarshal(b, &types)
			case "resource_type.json":
				types = append(types, b)
			default:
				files[name] = &fstest.MapFile{Data: b, Mode: fs.ModePerm}
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	all, err := json.Marshal(types)
	if err != nil {
		t.Fatal(err)
	}
	files["resource_types.json"] = &fstest.MapFile{Data: all}
	loaded, err := scim.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Config) { c.Directory.Types = loaded }
}
