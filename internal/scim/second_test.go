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

// second is a matcher that is slow and plain: RFC 7644 §3.4.2.2 word for word, over a table of the attributes that a
// test uses. Its values are few, so that folding and order are tables, too.
type second struct {
	kinds map[string]kind // by full name in lower case: URN:name.sub without the URN of the core schema
	urns  map[string]bool // of extensions
	core  string          // its URN
}

type kind struct {
	typ   string
	exact bool
}

// name is the full name, in lower case, of an attribute that stands within a value path of parent, or outside any.
func (s second) name(a filter.Attr, parent string) string {
	n := strings.ToLower(a.Name)
	if a.Sub != "" {
		n += "." + strings.ToLower(a.Sub)
	}
	urn := strings.ToLower(a.URN)
	switch {
	case parent != "":
		return parent + "." + n
	case s.urns[urn+":"+n], s.urns[urn]:
		return urn + ":" + n
	case urn != "" && urn != s.core:
		return "no such schema"
	}
	if _, known := s.kinds[n]; known || urn != "" {
		return n
	}
	for u := range s.urns {
		if _, known := s.kinds[u+":"+n]; known {
			return u + ":" + n
		}
	}
	return n
}

// makesSense tells whether a filter can be answered: its names exist, and its operators and values suit their types.
func (s second) makesSense(f filter.Expr, parent string) bool {
	switch f := f.(type) {
	case *filter.And:
		return s.makesSense(f.X, parent) && s.makesSense(f.Y, parent)
	case *filter.Or:
		return s.makesSense(f.X, parent) && s.makesSense(f.Y, parent)
	case *filter.Not:
		return s.makesSense(f.X, parent)
	case *filter.Present:
		return s.suits(&filter.Compare{Op: filter.NE}, s.name(f.Attr, parent)) // as ne null
	case *filter.ValuePath:
		return s.kinds[s.name(f.Attr, parent)].typ == "complex" && s.makesSense(f.Filter, s.name(f.Attr, parent))
	}
	c := f.(*filter.Compare)
	return s.suits(c, s.name(c.Attr, parent))
}

func (s second) suits(f *filter.Compare, name string) bool {
	equality := f.Op == filter.EQ || f.Op == filter.NE
	k, known := s.kinds[name]
	if f.Value == nil {
		return equality && (known || s.urns[name])
	}
	if k.typ == "complex" {
		k = s.kinds[name+".value"]
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

// matches answers a filter that makes sense. In a value path, o is one element.
func (s second) matches(f filter.Expr, parent string, o Object) bool {
	switch f := f.(type) {
	case *filter.And:
		return s.matches(f.X, parent, o) && s.matches(f.Y, parent, o)
	case *filter.Or:
		return s.matches(f.X, parent, o) || s.matches(f.Y, parent, o)
	case *filter.Not:
		return !s.matches(f.X, parent, o)
	case *filter.Present:
		return filled(valuesAt(o, strings.TrimPrefix(s.name(f.Attr, parent), parent)))
	case *filter.ValuePath:
		for _, e := range valuesAt(o, s.name(f.Attr, parent)) {
			if s.matches(f.Filter, s.name(f.Attr, parent), e.(Object)) {
				return true
			}
		}
		return false
	}
	c := f.(*filter.Compare)
	name := s.name(c.Attr, parent)
	within := strings.TrimPrefix(name, parent)
	if c.Value == nil {
		return filled(valuesAt(o, within)) == (c.Op == filter.NE)
	}
	if s.kinds[name].typ == "complex" {
		name, within = name+".value", within+".value"
	}
	found := false
	for _, v := range valuesAt(o, within) {
		found = found || holds(s.kinds[name], v, c.Op, c.Value)
	}
	return found == (c.Op != filter.NE)
}

// valuesAt is all values at a name such as urn:x:2.0:y:manager.value, of each element where there are several.
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

// filled is true of a value that is not empty, and of a complex one that has such a value.
func filled(values []any) bool {
	for _, v := range values {
		o, complex := v.(Object)
		if !complex && v != "" {
			return true
		}
		for _, part := range o {
			if filled(valuesAt(part, "")) {
				return true
			}
		}
	}
	return false
}

// holds is one value, an operator and what it is compared with; ne is asked as eq.
func holds(k kind, v any, op filter.Op, with filter.Value) bool {
	order := 0
	switch k.typ {
	case "boolean":
		return fmt.Sprint(v) == strings.ToLower(fmt.Sprint(with))
	case "integer", "decimal":
		order = numbers[string(v.(json.Number))] - numbers[string(with.(json.Number))]
	case "dateTime":
		order = instants[v.(string)] - instants[with.(string)]
	default:
		order = strings.Compare(plain(k, v.(string)), plain(k, with.(string)))
	}
	switch op {
	case filter.CO:
		return strings.Contains(plain(k, v.(string)), plain(k, with.(string)))
	case filter.SW:
		return strings.HasPrefix(plain(k, v.(string)), plain(k, with.(string)))
	case filter.EW:
		return strings.HasSuffix(plain(k, v.(string)), plain(k, with.(string)))
	}
	return map[filter.Op]bool{filter.EQ: order == 0, filter.NE: order == 0, filter.GT: order > 0, filter.GE: order >= 0,
		filter.LT: order < 0, filter.LE: order <= 0}[op]
}

var folding = strings.NewReplacer("A", "a", "B", "b", "S", "s", "Q", "q", "T", "t", "Z", "z", "Y", "y", "ß", "ss", "É", "é", "e\u0301", "é", "E\u0301", "é")

func plain(k kind, s string) string {
	if k.exact {
		return s
	}
	return folding.Replace(s)
}

// The values that resources and filters have, with their order.
var (
	words    = []string{"", "a", "A", "ab", "AB", "b", "aß", "ASS", "é", "e\u0301b", "a b", `a"b\`, "YQ==", "yq=="}
	numbers  = map[string]int{"-1": 1, "0": 2, "-0": 2, "1": 3, "1.0": 3, "10e-1": 3, "1.5": 4, "9007199254740992": 5, "9007199254740993": 6}
	instants = map[string]int{"2011-05-13T04:42:34Z": 1, "2026-01-02T03:04:05Z": 2, "2026-01-02T04:04:05+01:00": 2,
		"2026-01-02T03:04:05.000Z": 2, "2026-01-02T03:04:05": 2, "2026-01-02T03:04:05.5Z": 3}
	integers = []string{"-1", "0", "1", "9007199254740992", "9007199254740993"}
)

// secondOf is the second matcher of a resource type, whose attributes are written down.
func secondOf(core, ext, attributes string) second {
	s := second{kinds: map[string]kind{}, urns: map[string]bool{strings.ToLower(ext): true}, core: strings.ToLower(core)}
	for _, word := range strings.Fields(attributes) {
		name, typ, _ := strings.Cut(word, "=")
		typ, exact := strings.CutSuffix(typ, "!")
		s.kinds[strings.ToLower(strings.ReplaceAll(name, "ext:", ext+":"))] = kind{typ, exact}
	}
	return s
}

const testExtension = "urn:ietf:params:scim:schemas:extension:test:2.0:TestResource"

// TestTheSecondMatcherAgrees compares the two on random resources and filters.
func TestTheSecondMatcherAgrees(t *testing.T) {
	t.Parallel()
	for _, of := range []struct {
		rt     *ResourceType
		second second
	}{
		{user(), secondOf(user().Schema, enterprise, `id=string! schemas=reference! meta=complex meta.created=dateTime meta.resourceType=string!
			userName=string title=string externalId=string! active=boolean profileUrl=reference! name=complex name.givenName=string
			emails=complex emails.value=string emails.type=string emails.primary=boolean addresses=complex addresses.locality=string
			addresses.primary=boolean x509Certificates=complex x509Certificates.value=binary!
			ext:department=string ext:manager=complex ext:manager.value=string! ext:manager.displayName=string`)},
		{testType(t), secondOf(testType(t).Schema, testExtension, `label=string text=string code=string! count=integer weight=decimal
			when=dateTime enabled=boolean data=binary! link=reference! tags=string numbers=integer place=complex place.town=string
			place.floor=integer contacts=complex contacts.value=string contacts.type=string contacts.primary=boolean
			ext:extRequired=string ext:extCount=integer ext:extOwner=complex ext:extOwner.value=string!`)},
	} {
		rapid.Check(t, func(r *rapid.T) {
			o := of.second.resource(r, of.rt)
			for range 30 {
				f := of.second.filter(r, o, "", 2)
				parsed, err := filter.Parse(f)
				if err != nil {
					r.Fatalf("%s: %v", f, err)
				}
				p, err := of.rt.Matcher(parsed)
				if sense := of.second.makesSense(parsed, ""); sense != (err == nil) {
					r.Fatalf("%s makes sense: %v, but: %v", f, sense, err)
				} else if sense && p(o) != of.second.matches(parsed, "", o) {
					r.Fatalf("%s is %v of %s", f, p(o), text(o))
				}
			}
		})
	}
}

// resource draws values for the attributes that the second matcher knows.
func (s second) resource(r *rapid.T, rt *ResourceType) Object {
	o := s.object(r, "", rt.Attributes())
	for _, ext := range rt.extensions {
		if c := s.object(r, strings.ToLower(ext.ID)+":", ext.Attributes); len(c) > 0 {
			o[ext.ID] = c
		}
	}
	return o
}

func (s second) object(r *rapid.T, prefix string, attributes []*Attribute) Object {
	o := Object{}
	for _, a := range attributes {
		name := prefix + strings.ToLower(a.Name)
		if _, known := s.kinds[name]; !known || rapid.Bool().Draw(r, name+" is absent") {
			continue
		}
		draw := func() any {
			if a.Type == "complex" {
				return s.object(r, name+".", a.SubAttributes)
			}
			return stored(r, a.Type)
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

// stored is a value that an attribute of a type can have.
func stored(r *rapid.T, typ string) any {
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

// filter draws the text of a filter, now and then one that makes no sense. Within a value path of parent its names
// are sub-attributes.
func (s second) filter(r *rapid.T, o Object, parent string, depth int) string {
	form := rapid.SampledFrom([]string{"compare", "compare", "present", "null", "and", "or", "not", "path"}).Draw(r, "form")
	if depth == 0 && form != "present" && form != "null" {
		form = "compare"
	}
	part := func() string { return s.filter(r, o, parent, depth-1) }
	switch form {
	case "and", "or":
		return "(" + part() + ") " + form + " " + part()
	case "not":
		return "not (" + part() + ")"
	case "present":
		return s.spelled(r, o, parent, false) + " pr"
	case "null":
		return s.spelled(r, o, parent, false) + rapid.SampledFrom([]string{" eq null", " ne null", " gt null"}).Draw(r, "op")
	case "path":
		if parent == "" {
			name := s.spelled(r, o, "", true)
			return name + "[" + s.filter(r, o, s.inFull(name, ""), depth-1) + "]"
		}
	}
	op := rapid.SampledFrom([]string{"eq", "eq", "ne", "EQ", "co", "sw", "eW", "gt", "ge", "lt", "Le"}).Draw(r, "op")
	name := s.spelled(r, o, parent, false)
	return name + " " + op + " " + s.comparand(r, s.kinds[s.inFull(name, parent)].typ)
}

// inFull undoes what spelled does.
func (s second) inFull(name, parent string) string {
	a, _ := filter.ParseAttr(name)
	return s.name(a, parent)
}

// spelled draws a name as a filter may have it: in any case, with and without its URN.
//
// Mostly it is a name that has a value in o: comparisons with nothing say little.
func (s second) spelled(r *rapid.T, o Object, parent string, complex bool) string {
	var names []string
	present := rapid.IntRange(0, 3).Draw(r, "present") > 0
	for n, k := range s.kinds {
		if sub, ok := strings.CutPrefix(n, parent+"."); parent != "" && ok {
			names = append(names, sub)
		} else if parent == "" && (k.typ == "complex" || !complex && (!present || len(valuesAt(o, n)) > 0)) {
			names = append(names, n, s.core+":"+n, n[strings.LastIndexByte(n, ':')+1:])
		}
	}
	if len(names) == 0 || !complex && !present {
		names = append(names, "shoeSize")
	}
	if parent == "" && !complex {
		names = append(names, slices.Collect(maps.Keys(s.urns))...)
	}
	slices.Sort(names)
	name := rapid.SampledFrom(names).Draw(r, "name")
	if rapid.Bool().Draw(r, "in capitals") {
		name = strings.ToUpper(name)
	}
	return name
}

// comparand draws the value of a filter, mostly one that suits the type.
func (s second) comparand(r *rapid.T, typ string) string {
	types := []string{typ, typ, typ, typ, "string", "boolean", "decimal", "dateTime"}
	switch v := stored(r, rapid.SampledFrom(types).Draw(r, "type")).(type) {
	case string:
		return text(v)
	case bool:
		return rapid.SampledFrom([]string{fmt.Sprint(v), text(fmt.Sprint(v)), `"True"`}).Draw(r, "boolean")
	default:
		return fmt.Sprint(v)
	}
}
