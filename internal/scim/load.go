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

// StandardTypes is the resource types User (with the enterprise extension) and Group.
func StandardTypes() *Types {
	t, err := Open(nil, nil)
	if err != nil {
		panic(err) // the embedded files are at fault, and every test reads them
	}
	return t
}

// Open is the standard resource types and those of further sets: "okta", with Roles and Entitlements for Okta's
// Entitlement Management, or folders of the same form.
func Open(sets []string, folder func(name string) fs.FS) (*Types, error) {
	var dirs []fs.FS
	for _, set := range append([]string{""}, sets...) {
		dir, err := fs.Sub(embedded, path.Join("schemas", set))
		if err != nil {
			return nil, fmt.Errorf("scim: %q is no set of resource types: %w", set, err)
		}
		if _, err := fs.Stat(dir, "."); err != nil {
			dir = folder(set)
		}
		dirs = append(dirs, dir)
	}
	return Load(dirs...)
}

// typeDefinition is an entry of resource_types.json. With the id of a type that is there already, it adds its extensions.
type typeDefinition struct {
	ResourceType
	Storage Storage `json:"storage"`
}

// Load reads folders: resource_types.json, common.json (the attributes that every resource has), and every other file
// with the ending .json as one schema.
func Load(dirs ...fs.FS) (*Types, error) {
	t, common, definitions := &Types{}, &Schema{}, []typeDefinition(nil)
	for _, dir := range dirs {
		files, err := fs.Glob(dir, "*.json")
		if err == nil && len(files) == 0 {
			err = fmt.Errorf("there is no schema: %w", fs.ErrNotExist)
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
			err = fmt.Errorf("the schema %s is there already", s.ID)
		}
		s.attributes, s.quotedID, s.extensionPrefix = newAttributeIndex(s.Attributes), quoteJSON(s.ID), quoteJSON(s.ID)+":{"
		t.Schemas = append(t.Schemas, s)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Names and letters become parts of keys, names and endpoints of answers.
const (
	lowerLetters = "abcdefghijklmnopqrstuvwxyz"
	upperLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	alphanumeric = lowerLetters + upperLetters + "0123456789"
)

// consistsOf tells whether a text is one or more of these letters.
func consistsOf(s, letters string) bool { return s != "" && strings.Trim(s, letters) == "" }

// addType adds a resource type, or extensions to one.
func (t *Types) addType(d typeDefinition, common *Schema) error {
	rt := find(t.ResourceTypes, func(rt *ResourceType) bool { return rt.ID == d.ID })
	if rt != nil {
		rt.SchemaExtensions = append(rt.SchemaExtensions, d.SchemaExtensions...)
		return t.addExtensions(rt, d.SchemaExtensions)
	}
	rt = &d.ResourceType
	rt.Storage, rt.common, rt.core = d.Storage, common, t.Schema(rt.Schema)
	letter := func(other *ResourceType) bool { return other.Storage.IDPrefix == rt.Storage.IDPrefix }
	switch {
	case !consistsOf(rt.Name, alphanumeric) || !consistsOf(rt.Name[:1], upperLetters):
		return fmt.Errorf("needs a name of letters and digits that begins with a capital, not %q", rt.Name)
	case rt.core == nil:
		return fmt.Errorf("names a schema that is not there: %q", rt.Schema)
	case len(rt.Storage.IDPrefix) != 1 || !consistsOf(rt.Storage.IDPrefix, lowerLetters) || slices.ContainsFunc(t.ResourceTypes, letter):
		return fmt.Errorf("needs a letter of its own from a to z for its ids, not %q", rt.Storage.IDPrefix)
	case rt.core.attributes[rt.Storage.NameAttribute] == nil:
		return fmt.Errorf("needs an attribute that names it, not %q", rt.Storage.NameAttribute)
	case len(rt.Endpoint) < 2 || rt.Endpoint[0] != '/' || !consistsOf(rt.Endpoint[1:], alphanumeric+"._~-"):
		return fmt.Errorf("needs an endpoint such as /Users, not %q", rt.Endpoint)
	}
	if a := rt.core.Attribute(rt.Storage.MembersAttribute); a != nil {
		a.IsMembership = true
	}
	t.ResourceTypes = append(t.ResourceTypes, rt)
	return t.addExtensions(rt, rt.SchemaExtensions)
}

func (t *Types) addExtensions(rt *ResourceType, extensions []Extension) error {
	for _, e := range extensions {
		s := t.Schema(e.Schema)
		if s == nil {
			return fmt.Errorf("names an extension that is not there: %q", e.Schema)
		}
		rt.extensions = append(rt.extensions, s)
	}
	return nil
}
