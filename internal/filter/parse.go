package filter

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	maxLength = 10 << 10 // bytes of text
	maxDepth  = 32       // open parentheses and brackets
)

// Error says where a text departs from the grammar and what should stand there.
type Error struct {
	Offset int // in bytes from the start of the text
	Detail string
}

func (e *Error) Error() string { return fmt.Sprintf("%s (at offset %d)", e.Detail, e.Offset) }

// Parse reads a filter of at most 10 KB, nested at most 32 deep. Operators, and, or, not are recognised in any case; a
// value without quotes that is no JSON literal is read as a string. Its error is always an *Error.
func Parse(s string) (Expr, error) { return parse(s, (*parser).or) }

// ParsePath reads the path of a PATCH operation, under the limits of Parse. Its error is always an *Error.
func ParsePath(s string) (Path, error) { return parse(s, (*parser).path) }

// ParseAttr reads the name of an attribute, as attributes, excludedAttributes and sortBy hold it. Its error is always
// an *Error.
func ParseAttr(s string) (Attr, error) { return parse(s, (*parser).attr) }

func parse[T any](s string, rule func(*parser) (T, error)) (T, error) {
	var none T
	p := &parser{text: s}
	if err := p.check(); err != nil {
		return none, err
	}
	t, err := rule(p)
	if err != nil {
		return none, err
	}
	if p.space(); p.pos < len(s) {
		return none, p.fail("nothing can stand here; join expressions with and, or; put a value with spaces in quotes")
	}
	return t, nil
}

type parser struct {
	text     string
	pos      int
	depth    int
	brackets bool // inside a value path
}

func (p *parser) check() error {
	if len(p.text) > maxLength {
		p.pos = maxLength
		return p.fail("the text is longer than %d bytes; ask for less at a time", maxLength)
	}
	for i, r := range p.text {
		if _, n := utf8.DecodeRuneInString(p.text[i:]); r == utf8.RuneError && n == 1 {
			p.pos = i
			return p.fail("the text is not valid UTF-8")
		}
	}
	return nil
}

func (p *parser) fail(format string, args ...any) error {
	return &Error{Offset: p.pos, Detail: fmt.Sprintf(format, args...)}
}

// or binds weaker than and (RFC 7644 §3.4.2.2); both group from the left.
func (p *parser) or() (Expr, error) {
	x, err := p.and()
	for err == nil && p.keyword("or") {
		var y Expr
		y, err = p.and()
		x = &Or{x, y}
	}
	return x, err
}

func (p *parser) and() (Expr, error) {
	x, err := p.term()
	for err == nil && p.keyword("and") {
		var y Expr
		y, err = p.term()
		x = &And{x, y}
	}
	return x, err
}

func (p *parser) term() (Expr, error) {
	start := p.pos
	not := p.keyword("not")
	if p.symbol('(') {
		x, err := p.nested(')')
		if not {
			x = &Not{x}
		}
		return x, err
	}
	p.pos = start // a "not" that no parenthesis follows is a name
	attr, err := p.attr()
	if err != nil {
		return nil, err
	}
	if p.symbol('[') {
		x, err := p.elements(attr)
		return &ValuePath{attr, x}, err
	}
	return p.compare(attr)
}

// nested reads what stands between an opening symbol, already read, and the closing one.
func (p *parser) nested(closing byte) (Expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail("the filter is nested deeper than %d; use fewer parentheses", maxDepth)
	}
	x, err := p.or()
	if err == nil && !p.symbol(closing) {
		return nil, p.fail("expected %q, and, or", closing)
	}
	p.depth--
	return x, err
}

// elements reads the filter of a value path, behind its opening bracket.
func (p *parser) elements(attr Attr) (Expr, error) {
	if p.brackets {
		return nil, p.fail("a value path cannot stand inside another; name a sub-attribute")
	}
	if attr.Sub != "" {
		return nil, p.fail("a filter in brackets follows the attribute, such as emails[type eq \"work\"], not a sub-attribute")
	}
	p.brackets = true
	x, err := p.nested(']')
	p.brackets = false
	return x, err
}

func (p *parser) compare(attr Attr) (Expr, error) {
	p.space()
	word := p.word()
	// No letter outside ASCII has one of an operator's letters as its lower case, so that none passes for one.
	switch op := Op(strings.ToLower(word)); op {
	case "pr":
		p.pos += len(word)
		return &Present{attr}, nil
	case EQ, NE, CO, SW, EW, GT, GE, LT, LE:
		p.pos += len(word)
		v, err := p.value()
		return &Compare{attr, op, v}, err
	}
	return nil, p.fail("expected one of eq ne co sw ew gt ge lt le pr behind %s", attr)
}

// path is attrPath / valuePath [subAttr] (RFC 7644 §3.5.2).
func (p *parser) path() (Path, error) {
	attr, err := p.attr()
	if err != nil || !p.symbol('[') {
		return Path{Attr: attr}, err
	}
	x, err := p.elements(attr)
	if err == nil && strings.HasPrefix(p.text[p.pos:], ".") {
		p.pos++
		attr.Sub, err = p.name(p.word())
	}
	return Path{Attr: attr, Filter: x}, err
}

// attr is [URN ":"] name ["." name].
func (p *parser) attr() (Attr, error) {
	p.space()
	word := p.word()
	var a Attr
	if len(word) > 4 && strings.EqualFold(word[:4], "urn:") {
		colon := strings.LastIndexByte(word, ':')
		if i := strings.IndexFunc(word, func(r rune) bool { return r <= ' ' || r > '~' }); i >= 0 {
			p.pos += i
			return a, p.fail("a URN is printable ASCII")
		}
		a.URN, word = word[:colon], word[colon+1:]
		p.pos += colon + 1
		if schemaVersion(word) {
			a.Name = word
			p.pos += len(word)
			return a, nil
		}
	}
	name, sub, dotted := strings.Cut(word, ".")
	var err error
	if a.Name, err = p.name(name); err == nil && dotted {
		p.pos++
		a.Sub, err = p.name(sub)
	}
	return a, err
}

// schemaVersion tells the end of a schema's URN such as urn:example:group:1.0 from an attribute: no attribute begins
// with a digit.
func schemaVersion(s string) bool {
	return s != "" && digit(s[0]) && !strings.ContainsFunc(s, func(r rune) bool { return r != '.' && !nameChar(r) })
}

// name checks and reads s, which stands at p.pos, as an ATTRNAME; a leading $ is for $ref (RFC 7643 §2.4).
func (p *parser) name(s string) (string, error) {
	rest := strings.TrimPrefix(s, "$")
	if rest == "" || !letter(rune(rest[0])) {
		return "", p.fail("expected the name of an attribute, which begins with a letter")
	}
	for i, r := range rest {
		if !nameChar(r) {
			p.pos += len(s) - len(rest) + i
			return "", p.fail("the name of an attribute is made of letters, digits, - and _")
		}
	}
	p.pos += len(s)
	return s, nil
}
