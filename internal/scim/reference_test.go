package scim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"serverless-scim/internal/filter"
)

// A reference is a second implementation of Matcher. It is slow and simple. It follows RFC 7644 §3.4.2.2 literally,
// with a table of the attributes that the test uses. The test uses few values, so folding and order are tables too.
type reference struct {
	kinds map[string]kind // by full name in lower case: URN:name.sub without the URN of the core schema
	urns  map[string]bool // URNs of extensions
	core  string          // URN of the core schema
}

type kind struct {
	typ   string
	exact bool // caseExact
}

// name returns the full name of an attribute, in lower case. parent is the full name of the enclosing value path; it is
// "" outside a value path.
func (m reference) name(a filter.Attr, parent string) string {
	n := strings.ToLower(a.Name)
	if a.Sub != "" {
		n += "." + strings.ToLower(a.Sub)
	}
	urn := strings.ToLower(a.URN)
	switch {
	case parent != "":
		return parent + "." + n
	case m.urns[urn+":"+n], m.urns[urn]:
		return urn + ":" + n
	case urn != "" && urn != m.core:
		return "no such schema"
	}
	if _, known := m.kinds[n]; known || urn != "" {
		return n
	}
	for u := range m.urns {
		if _, known := m.kinds[u+":"+n]; known {
			return u + ":" + n
		}
	}
	return n
}

// isValid reports whether all names of a filter exist and its operators and values fit their types.
func (m reference) isValid(f filter.Expr, parent string) bool {
	switch f := f.(type) {
	case *filter.And:
		return m.isValid(f.X, parent) && m.isValid(f.Y, parent)
	case *filter.Or:
		return m.isValid(f.X, parent) && m.isValid(f.Y, parent)
	case *filter.Not:
		return m.isValid(f.X, parent)
	case *filter.Present:
		return m.fits(&filter.Compare{Op: filter.NE}, m.name(f.Attr, parent)) // same rule as ne null
	case *filter.ValuePath:
		return m.kinds[m.name(f.Attr, parent)].typ == "complex" && m.isValid(f.Filter, m.name(f.Attr, parent))
	}
	c := f.(*filter.Compare)
	return m.fits(c, m.name(c.Attr, parent))
}

// fits reports whether the operator and the value of a comparison fit the type of the attribute.
func (m reference) fits(f *filter.Compare, name string) bool {
	equality := f.Op == filter.EQ || f.Op == filter.NE
	k, known := m.kinds[name]
	if f.Value == nil {
		return equality && (known || m.urns[name])
	}
	if k.typ == "complex" {
		k = m.kinds[name+".value"]
	}
	contains := f.Op == filter.CO || f.Op == filter.SW || f.Op == filter.EW
	text, isText := f.Value.(string)
	switch k.typ {
	case "string", "reference":
		return isText
	case "binary":
		return isText && equality
	case "boolean":
		_, isBool := f.Value.(bool)
		return equality && (isBool || strings.EqualFold(text, "true") || strings.EqualFold(text, "false"))
	case "integer", "decimal":
		_, isNumber := f.Value.(json.Number)
		return isNumber && !contains
	case "dateTime":
		_, isInstant := instants[text]
		return isText && isInstant
	}
	return false
}

// matches reports whether o matches a valid filter. In a value path, o is one element.
func (m reference) matches(f filter.Expr, parent string, o Object) bool {
	switch f := f.(type) {
	case *filter.And:
		return m.matches(f.X, parent, o) && m.matches(f.Y, parent, o)
	case *filter.Or:
		return m.matches(f.X, parent, o) || m.matches(f.Y, parent, o)
	case *filter.Not:
		return !m.matches(f.X, parent, o)
	case *filter.Present:
		return hasValue(valuesAt(o, strings.TrimPrefix(m.name(f.Attr, parent), parent)))
	case *filter.ValuePath:
		for _, e := range valuesAt(o, m.name(f.Attr, parent)) {
			if m.matches(f.Filter, m.name(f.Attr, parent), e.(Object)) {
				return true
			}
		}
		return false
	}
	c := f.(*filter.Compare)
	name := m.name(c.Attr, parent)
	path := strings.TrimPrefix(name, parent)
	if c.Value == nil {
		return hasValue(valuesAt(o, path)) == (c.Op == filter.NE)
	}
	if m.kinds[name].typ == "complex" {
		name, path = name+".value", path+".value"
	}
	values := valuesAt(o, path)
	if array, ok := strings.CutSuffix(path, "primary"); ok { // RFC 7643 §2.4: assumed to be false if it is not given
		for _, element := range valuesAt(o, strings.TrimSuffix(array, ".")) {
			if element.(Object)["primary"] == nil {
				values = append(values, false)
			}
		}
	}
	found := false
	for _, v := range values {
		found = found || satisfied(m.kinds[name], v, c.Op, c.Value)
	}
	return found == (c.Op != filter.NE)
}

// valuesAt returns all values under a full name such as urn:x:2.0:y:manager.value. An array has the values of all its
// elements.
func valuesAt(v any, name string) (all []any) {
	name = strings.TrimPrefix(name, ".")
	if list, many := v.([]any); many {
		for _, e := range list {
			all = append(all, valuesAt(e, name)...)
		}
		return all
	}
	if name == "" {
		return []any{v}
	}
	o, _ := v.(Object)
	for n, v := range o {
		if n = strings.ToLower(n); n == name {
			all = append(all, valuesAt(v, "")...)
		} else if rest, ok := strings.CutPrefix(name, n+"."); ok && !strings.HasPrefix(n, "urn:") {
			all = append(all, valuesAt(v, rest)...)
		} else if rest, ok := strings.CutPrefix(name, n+":"); ok {
			all = append(all, valuesAt(v, rest)...)
		}
	}
	return all
}

// hasValue reports whether a value is not empty, or is complex and has such a value.
func hasValue(values []any) bool {
	for _, v := range values {
		o, isComplex := v.(Object)
		if !isComplex && v != "" {
			return true
		}
		for _, part := range o {
			if hasValue(valuesAt(part, "")) {
				return true
			}
		}
	}
	return false
}

// satisfied reports whether v compares to want by an operator. It treats ne as eq.
func satisfied(k kind, v any, op filter.Op, want filter.Value) bool {
	order := 0
	switch k.typ {
	case "boolean":
		return fmt.Sprint(v) == strings.ToLower(fmt.Sprint(want))
	case "integer", "decimal":
		order = numbers[string(v.(json.Number))] - numbers[string(want.(json.Number))]
	case "dateTime":
		order = instants[v.(string)] - instants[want.(string)]
	default:
		order = strings.Compare(foldWord(k, v.(string)), foldWord(k, want.(string)))
	}
	switch op {
	case filter.CO:
		return strings.Contains(foldWord(k, v.(string)), foldWord(k, want.(string)))
	case filter.SW:
		return strings.HasPrefix(foldWord(k, v.(string)), foldWord(k, want.(string)))
	case filter.EW:
		return strings.HasSuffix(foldWord(k, v.(string)), foldWord(k, want.(string)))
	}
	return map[filter.Op]bool{filter.EQ: order == 0, filter.NE: order == 0, filter.GT: order > 0, filter.GE: order >= 0,
		filter.LT: order < 0, filter.LE: order <= 0}[op]
}

var folding = strings.NewReplacer("A", "a", "B", "b", "S", "s", "Q", "q", "T", "t", "Z", "z", "Y", "y", "ß", "ss", "É", "é", "e\u0301", "é", "E\u0301", "é")

func foldWord(k kind, s string) string {
	if k.exact {
		return s
	}
	return folding.Replace(s)
}

// The values in resources and filters, with their order.
var (
	words    = []string{"", "a", "A", "ab", "AB", "b", "aß", "ASS", "é", "e\u0301b", "a b", `a"b\`, "YQ==", "yq=="}
	numbers  = map[string]int{"-1": 1, "0": 2, "-0": 2, "1": 3, "1.0": 3, "10e-1": 3, "1.5": 4, "9007199254740992": 5, "9007199254740993": 6}
	instants = map[string]int{"2011-05-13T04:42:34Z": 1, "2026-01-02T03:04:05Z": 2, "2026-01-02T04:04:05+01:00": 2,
		"2026-01-02T03:04:05.000Z": 2, "2026-01-02T03:04:05": 2, "2026-01-02T03:04:05.5Z": 3}
	integers = []string{"-1", "0", "1", "9007199254740992", "9007199254740993"}
)

// newReference returns the reference for the attributes in a list of name=type; a ! marks caseExact.
func newReference(core, ext, attributes string) reference {
	m := reference{kinds: map[string]kind{}, urns: map[string]bool{strings.ToLower(ext): true}, core: strings.ToLower(core)}
	for _, word := range strings.Fields(attributes) {
		name, typ, _ := strings.Cut(word, "=")
		typ, exact := strings.CutSuffix(typ, "!")
		m.kinds[strings.ToLower(strings.ReplaceAll(name, "ext:", ext+":"))] = kind{typ, exact}
	}
	return m
}

// Both implementations must agree on random resources and filters.
func TestMatcherAgreesWithReference(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rt        *ResourceType
		reference reference
	}{
		{user(), newReference(user().Schema, enterprise, `id=string! schemas=reference! meta=complex meta.created=dateTime meta.resourceType=string!
			userName=string title=string externalId=string! active=boolean profileUrl=reference! name=complex name.givenName=string
			emails=complex emails.value=string emails.type=string emails.primary=boolean addresses=complex addresses.locality=string
			addresses.primary=boolean x509Certificates=complex x509Certificates.value=binary!
			ext:department=string ext:manager=complex ext:manager.value=string! ext:manager.displayName=string`)},
		{loadTestType(t), newReference(loadTestType(t).Schema, "urn:ietf:params:scim:schemas:extension:test:2.0:TestResource", `
			label=string text=string code=string! count=integer weight=decimal
			when=dateTime enabled=boolean data=binary! link=reference! tags=string numbers=integer place=complex place.town=string
			place.floor=integer contacts=complex contacts.value=string contacts.type=string contacts.primary=boolean
			ext:extRequired=string ext:extCount=integer ext:extOwner=complex ext:extOwner.value=string!`)},
	} {
		rapid.Check(t, func(r *rapid.T) {
			o := c.reference.drawResource(r, c.rt)
			for range 30 {
				f := c.reference.drawFilter(r, o, "", 2)
				parsed, err := filter.Parse(f, nil)
				if err != nil {
					r.Fatalf("%s: %v", f, err)
				}
				p, err := c.rt.Matcher(parsed)
				if valid := c.reference.isValid(parsed, ""); valid != (err == nil) {
					r.Fatalf("%s: valid is %v, but the error is %v", f, valid, err)
				} else if valid && p(nil, o) != c.reference.matches(parsed, "", o) {
					r.Fatalf("%s: got %v for %s", f, p(nil, o), text(o))
				}
			}
		})
	}
}

// drawResource draws a resource with values for the attributes in kinds.
func (m reference) drawResource(r *rapid.T, rt *ResourceType) Object {
	o := m.drawObject(r, "", rt.Attributes())
	for _, ext := range rt.extensions {
		if c := m.drawObject(r, strings.ToLower(ext.ID)+":", ext.Attributes); len(c) > 0 {
			o[ext.ID] = c
		}
	}
	return o
}

func (m reference) drawObject(r *rapid.T, prefix string, attributes []*Attribute) Object {
	o := Object{}
	for _, a := range attributes {
		name := prefix + strings.ToLower(a.Name)
		if _, known := m.kinds[name]; !known || rapid.Bool().Draw(r, name+" is absent") {
			continue
		}
		draw := func() any {
			if a.Type == "complex" {
				return m.drawObject(r, name+".", a.SubAttributes)
			}
			return drawValue(r, a.Type)
		}
		v := draw()
		if a.MultiValued {
			list := []any{v}
			for range rapid.IntRange(0, 2).Draw(r, "more") {
				list = append(list, draw())
			}
			v = slices.DeleteFunc(list, func(v any) bool { return Equal(v, Object{}) })
			if len(v.([]any)) == 0 {
				continue
			}
		}
		if !Equal(v, Object{}) {
			o[a.Name] = v
		}
	}
	return o
}

// drawValue draws a value of a type.
func drawValue(r *rapid.T, typ string) any {
	switch typ {
	case "boolean":
		return rapid.Bool().Draw(r, "boolean")
	case "integer":
		return json.Number(rapid.SampledFrom(integers).Draw(r, "integer"))
	case "decimal":
		return json.Number(rapid.SampledFrom(slices.Sorted(maps.Keys(numbers))).Draw(r, "decimal"))
	case "dateTime":
		return rapid.SampledFrom(slices.Sorted(maps.Keys(instants))).Draw(r, "dateTime")
	}
	return rapid.SampledFrom(words).Draw(r, "string")
}

// drawFilter draws the text of a filter, which is sometimes invalid. In a value path of parent, its names are
// sub-attributes.
func (m reference) drawFilter(r *rapid.T, o Object, parent string, depth int) string {
	form := rapid.SampledFrom([]string{"compare", "compare", "present", "null", "and", "or", "not", "path"}).Draw(r, "form")
	if depth == 0 && form != "present" && form != "null" {
		form = "compare"
	}
	part := func() string { return m.drawFilter(r, o, parent, depth-1) }
	switch form {
	case "and", "or":
		return "(" + part() + ") " + form + " " + part()
	case "not":
		return "not (" + part() + ")"
	case "present":
		return m.drawName(r, o, parent, false) + " pr"
	case "null":
		return m.drawName(r, o, parent, false) + rapid.SampledFrom([]string{" eq null", " ne null", " gt null"}).Draw(r, "op")
	case "path":
		if parent == "" {
			name := m.drawName(r, o, "", true)
			return name + "[" + m.drawFilter(r, o, m.fullName(name, ""), depth-1) + "]"
		}
	}
	op := rapid.SampledFrom([]string{"eq", "eq", "ne", "EQ", "co", "sw", "eW", "gt", "ge", "lt", "Le"}).Draw(r, "op")
	name := m.drawName(r, o, parent, false)
	return name + " " + op + " " + m.drawOperand(r, m.kinds[m.fullName(name, parent)].typ)
}

// fullName returns the full name for the result of drawName.
func (m reference) fullName(name, parent string) string {
	a, _ := filter.ParseAttr(name, nil)
	return m.name(a, parent)
}

// drawName draws the name of an attribute, in any case, with or without its URN. Most names have a value in o, because
// a comparison with an absent value tests little. If complexOnly is true, the attribute is complex.
func (m reference) drawName(r *rapid.T, o Object, parent string, complexOnly bool) string {
	var names []string
	present := rapid.IntRange(0, 3).Draw(r, "present") > 0
	for n, k := range m.kinds {
		if sub, ok := strings.CutPrefix(n, parent+"."); parent != "" && ok {
			names = append(names, sub)
		} else if parent == "" && (k.typ == "complex" || !complexOnly && (!present || len(valuesAt(o, n)) > 0)) {
			names = append(names, n, m.core+":"+n, n[strings.LastIndexByte(n, ':')+1:])
		}
	}
	if len(names) == 0 || !complexOnly && !present {
		names = append(names, "shoeSize")
	}
	if parent == "" && !complexOnly {
		names = append(names, slices.Collect(maps.Keys(m.urns))...)
	}
	slices.Sort(names)
	name := rapid.SampledFrom(names).Draw(r, "name")
	if rapid.Bool().Draw(r, "in capitals") {
		name = strings.ToUpper(name)
	}
	return name
}

// drawOperand draws the value of a comparison, usually of the type typ.
func (m reference) drawOperand(r *rapid.T, typ string) string {
	types := []string{typ, typ, typ, typ, "string", "boolean", "decimal", "dateTime"}
	switch v := drawValue(r, rapid.SampledFrom(types).Draw(r, "type")).(type) {
	case string:
		return text(v)
	case bool:
		return rapid.SampledFrom([]string{fmt.Sprint(v), text(fmt.Sprint(v)), `"True"`}).Draw(r, "boolean")
	default:
		return fmt.Sprint(v)
	}
}
