package scim

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

//go:embed schemas
var embedded embed.FS

// StandardTypes returns the resource types User, with the enterprise extension, and Group.
func StandardTypes() *Types {
	t, err := Open(nil, nil)
	if err != nil {
		panic(err) // the embedded files are invalid, which every test would find
	}
	return t
}

// Open loads the standard resource types and additional sets. The folders in schemas are embedded sets: okta has Roles and
// Entitlements for Okta's Entitlement Management. For any other name, Open loads the directory that folder returns.
func Open(sets []string, folder func(name string) fs.FS) (*Types, error) {
	var dirs []fs.FS
	for _, set := range append([]string{""}, sets...) {
		dir, err := fs.Sub(embedded, path.Join("schemas", set))
		if err != nil {
			return nil, fmt.Errorf("scim: invalid name %q for a set of resource types: %w", set, err)
		}
		if _, err := fs.Stat(dir, "."); err != nil {
			dir = folder(set)
		}
		dirs = append(dirs, dir)
	}
	return Load(dirs...)
}

// A typeDefinition is an entry of resource_types.json. An entry with the ID of an earlier entry only adds its
// extensions to that type.
type typeDefinition struct {
	ResourceType
	Storage Storage `json:"storage"`
}

// Load loads resource types from directories. In each, resource_types.json defines resource types, common.json has the
// attributes that all resources have, and every other .json file is one schema.
func Load(dirs ...fs.FS) (*Types, error) {
	t, common, definitions := &Types{}, &Schema{}, []typeDefinition(nil)
	for _, dir := range dirs {
		files, err := fs.Glob(dir, "*.json")
		if err == nil && len(files) == 0 {
			err = fmt.Errorf("no schema files: %w", fs.ErrNotExist)
		}
		for _, name := range files {
			if err == nil {
				err = t.read(dir, name, common, &definitions)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("scim: resource types: %w", err)
		}
	}
	common.attributes = newAttributeIndex(common.Attributes)
	for _, d := range definitions {
		if err := t.addType(d, common); err != nil {
			return nil, fmt.Errorf("scim: resource type %q %w", d.ID, err)
		}
	}
	for _, rt := range t.ResourceTypes {
		rt.hidden = notReturnedByDefault(rt.Attributes())
		for _, ext := range rt.extensions {
			rt.hidden = append(rt.hidden, notReturnedByDefault(ext.Attributes)...)
		}
	}
	return t, nil
}

// read reads one file into t, common, or definitions.
func (t *Types) read(dir fs.FS, name string, common *Schema, definitions *[]typeDefinition) error {
	b, err := fs.ReadFile(dir, name)
	if err != nil {
		return err
	}
	s, more := &Schema{}, []typeDefinition(nil)
	switch name {
	case "resource_types.json":
		err = json.Unmarshal(b, &more)
		*definitions = append(*definitions, more...)
	case "common.json":
		err = json.Unmarshal(b, common)
	default:
		if err = json.Unmarshal(b, s); err == nil && t.Schema(s.ID) != nil {
			err = fmt.Errorf("duplicate schema %s", s.ID)
		}
		s.attributes, s.quotedID, s.extensionPrefix = newAttributeIndex(s.Attributes), quoteJSON(s.ID), quoteJSON(s.ID)+":{"
		t.Schemas = append(t.Schemas, s)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Names, prefixes and endpoints of resource types may contain only these characters, because they become parts of keys
// and responses without escaping.
const (
	lowerLetters = "abcdefghijklmnopqrstuvwxyz"
	upperLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	alphanumeric = lowerLetters + upperLetters + "0123456789"
)

// consistsOf reports whether s is not empty and has only the given characters.
func consistsOf(s, letters string) bool { return s != "" && strings.Trim(s, letters) == "" }

// addType adds a resource type, or adds extensions to a resource type that exists.
func (t *Types) addType(d typeDefinition, common *Schema) error {
	rt := find(t.ResourceTypes, func(rt *ResourceType) bool { return rt.ID == d.ID })
	if rt != nil {
		rt.SchemaExtensions = append(rt.SchemaExtensions, d.SchemaExtensions...)
		return t.addExtensions(rt, d.SchemaExtensions)
	}
	rt = &d.ResourceType
	rt.Storage, rt.common, rt.core = d.Storage, common, t.Schema(rt.Schema)
	samePrefix := func(other *ResourceType) bool { return other.Storage.IDPrefix == rt.Storage.IDPrefix }
	switch prefix := rt.Storage.IDPrefix; {
	case !consistsOf(rt.Name, alphanumeric) || !consistsOf(rt.Name[:1], upperLetters):
		return fmt.Errorf("has the invalid name %q: use letters and digits after a capital letter", rt.Name)
	case rt.core == nil:
		return fmt.Errorf("has the unknown schema %q", rt.Schema)
	case len(prefix) != 1 || !consistsOf(prefix, lowerLetters):
		return fmt.Errorf("has the invalid letter %q: use one letter from a to z", prefix)
	case slices.ContainsFunc(t.ResourceTypes, samePrefix):
		return fmt.Errorf("has the letter %q of another resource type", prefix)
	case rt.core.attributes[rt.Storage.NameAttribute] == nil:
		return fmt.Errorf("has the unknown name attribute %q", rt.Storage.NameAttribute)
	case slices.ContainsFunc(rt.Storage.IndexedAttributes, rt.cannotIndex):
		return fmt.Errorf("has lookups %q: use strings and references of its schema", rt.Storage.IndexedAttributes)
	case len(rt.Endpoint) < 2 || rt.Endpoint[0] != '/' || !consistsOf(rt.Endpoint[1:], alphanumeric+"._~-"):
		return fmt.Errorf("has the invalid endpoint %q: use a path such as /Users", rt.Endpoint)
	}
	if a := rt.core.Attribute(rt.Storage.MembersAttribute); a != nil {
		a.IsMembership = true
	}
	t.ResourceTypes = append(t.ResourceTypes, rt)
	return t.addExtensions(rt, rt.SchemaExtensions)
}

// cannotIndex reports whether an attribute of Storage.IndexedAttributes is unknown, or is neither a string nor a reference.
func (rt *ResourceType) cannotIndex(name string) bool {
	r, ok := rt.IndexedAttribute(name)
	return !ok || r.Leaf() == nil || r.Leaf().Type != "string" && r.Leaf().Type != "reference"
}

// addExtensions adds the schemas of extensions to a resource type.
func (t *Types) addExtensions(rt *ResourceType, extensions []Extension) error {
	for _, e := range extensions {
		s := t.Schema(e.Schema)
		if s == nil {
			return fmt.Errorf("has the unknown extension %q", e.Schema)
		}
		rt.extensions = append(rt.extensions, s)
	}
	return nil
}
