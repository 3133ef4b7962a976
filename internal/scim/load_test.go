package scim

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

func TestOpenLoadsSetsOfResourceTypes(t *testing.T) {
	t.Parallel()
	badges := fstest.MapFS{
		"badge.json": {Data: []byte(`{"id":"urn:example:Badge","name":"Badge","attributes":[{"name":"number","required":true}]}`)},
		"shirt.json": {Data: []byte(`{"id":"urn:example:Shirt","name":"Shirt","attributes":[{"name":"size"}]}`)},
		"resource_types.json": {Data: []byte(`[{"id":"Badge","name":"Badge","endpoint":"/Badges","schema":"urn:example:Badge","storage":{"letter":"b","name":"number"}},
			{"id":"User","schemaExtensions":[{"schema":"urn:example:Shirt","required":false}]}]`)},
	}
	types, err := Open([]string{"okta", "badges"}, func(name string) fs.FS {
		if name != "badges" {
			t.Errorf("unexpected directory %q", name)
		}
		return badges
	})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, rt := range types.ResourceTypes {
		names = append(names, rt.Name)
	}
	if got := strings.Join(names, " "); got != "User Group Entitlement Role Badge" && got != "User Group Role Entitlement Badge" {
		t.Errorf("the resource types are %s", got)
	}
	o, err := types.ByName("User").Decode([]byte(`{"userName":"u","urn:example:Shirt":{"size":"L"}}`), nil)
	if err != nil || text(o) != `{"urn:example:Shirt":{"size":"L"},"userName":"u"}` {
		t.Errorf("the extension of User from a directory is not decoded: %s %v", text(o), err)
	}
	if len(StandardTypes().ByName("User").SchemaExtensions) != 1 {
		t.Error("Open changed the resource types of another call")
	}
}

func TestLoadRejects(t *testing.T) {
	t.Parallel()
	const schema = `{"id":"urn:x","name":"X","attributes":[{"name":"name"}]}`
	entry := func(fields string) string { return `[{"id":"X","endpoint":"/X","schema":"urn:x",` + fields + `}]` }
	for want, types := range map[string]string{
		"cannot unmarshal":       `{}`,
		"unknown schema":         `[{"id":"X","name":"X","schema":"urn:y","storage":{"letter":"x","name":"name"}}]`,
		"after a capital letter": entry(`"name":"x#y","storage":{"letter":"x","name":"name"}`),
		"letter \"x\" of another": `[{"id":"X","name":"X","endpoint":"/X","schema":"urn:x","storage":{"letter":"x","name":"name"}},
			{"id":"Y","name":"Y","schema":"urn:x","storage":{"letter":"x","name":"name"}}]`,
		"invalid endpoint":       `[{"id":"X","name":"X","endpoint":"/\"","schema":"urn:x","storage":{"letter":"x","name":"name"}}]`,
		"invalid letter \"xy\"":  entry(`"name":"X","storage":{"letter":"xy","name":"name"}`),
		"has lookups":            entry(`"name":"X","storage":{"letter":"x","name":"name","lookups":["nothing"]}`),
		"unknown name attribute": entry(`"name":"X","storage":{"letter":"x","name":"title"}`),
		"unknown extension":      entry(`"name":"X","storage":{"letter":"x","name":"name"},"schemaExtensions":[{"schema":"urn:y"}]`),
	} {
		_, err := Load(fstest.MapFS{"x.json": {Data: []byte(schema)}, "resource_types.json": {Data: []byte(types)}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", types, err, want)
		}
	}
	for name, dir := range map[string]fs.FS{
		"an empty directory": fstest.MapFS{},
		"invalid JSON":       fstest.MapFS{"x.json": {Data: []byte("{")}},
		"a duplicate schema": fstest.MapFS{"x.json": {Data: []byte(schema)}, "y.json": {Data: []byte(schema)}},
	} {
		if _, err := Load(dir); err == nil {
			t.Errorf("%s must be an error", name)
		}
	}
}
