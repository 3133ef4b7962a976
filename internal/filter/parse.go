package filter

import (
	"strings"
	"unicode/utf8"

	"serverless-scim/internal/leniency"
)

// Both limits bound the time and the memory that one text can cost.
const (
	maxTextBytes = 10 << 10
	maxDepth     = 32 // open parentheses and brackets
)

// Parse parses a filter of at most 10 KB with at most 32 levels of nesting. It accepts operators, and, or, and not in
// any case. A value without quotes that is not a JSON literal is a string. A comparison may follow a value path, as in
// emails[type eq "work"].value eq "a@b", and belongs to the filter in the brackets. Parse records departures from the
// grammar in l, which may be nil. The error is always an *Error.
func Parse(s string, l *leniency.Set) (Expr, error) { return parse(s, l, (*parser).or) }

// ParsePath parses the path of a PATCH operation as Parse parses a filter. The error is always an *Error.
func ParsePath(s string, l *leniency.Set) (Path, error) { return parse(s, l, (*parser).path) }

// ParseAttr parses the name of an attribute, as it occurs in the parameters attributes, excludedAttributes and sortBy.
// The error is always an *Error.
func ParseAttr(s string, l *leniency.Set) (Attr, error) { return parse(s, l, (*parser).attr) }

func parse[T any](s string, l *leniency.Set, rule func(*parser) (T, error)) (T, error) {
	var none T
	p := &parser{lexer: lexer{text: s, leniency: l}}
	if err := p.check(); err != nil {
		return none, err
	}
	t, err := rule(p)
	if err != nil {
		return none, err
	}
	if p.space(); p.pos < len(s) {
		return none, p.fail("unexpected text; join expressions with and, or; put a value with spaces in quotes")
	}
	return t, nil
}

// A parser is a recursive descent parser with one method for each rule of the grammar.
type parser struct {
	lexer
	depth       int // open parentheses and brackets
	deepest     int // the greatest depth in the last value path
	inValuePath bool
}

// check returns an error if the text is too long or not valid UTF-8.
func (p *parser) check() error {
	if len(p.text) > maxTextBytes {
		p.pos = maxTextBytes
		return p.fail("the text is longer than %d bytes; send a shorter one", maxTextBytes)
	}
	for i, r := range p.text {
		if _, n := utf8.DecodeRuneInString(p.text[i:]); r == utf8.RuneError && n == 1 {
			p.pos = i
			return p.fail("the text is not valid UTF-8")
		}
	}
	return nil
}

// or reads a filter. The operator or binds less tightly than and (RFC 7644 §3.4.2.2). Both group from the left.
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

// term reads an operand of and: a comparison, a value path, or a filter in parentheses.
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
	p.pos = start // without a parenthesis after it, "not" is an attribute name
	attr, err := p.attr()
	if err != nil {
		return nil, err
	}
	if p.symbol('[') {
		return p.valuePath(attr)
	}
	return p.compare(attr)
}

// valuePath reads the rest of a value path of attr. The opening bracket has been read.
//
// Entra ID, FusionAuth, and others send a comparison of a sub-attribute after the brackets, which the grammar of RFC
// 7644 §3.4.2.2 does not have: emails[type eq "work"].value eq "a@b". It means one element that passes both tests:
// emails[type eq "work" and value eq "a@b"].
func (p *parser) valuePath(attr Attr) (Expr, error) {
	x, err := p.elementFilter(attr)
	if err != nil || !strings.HasPrefix(p.text[p.pos:], ".") {
		return &ValuePath{attr, x}, err
	}
	// String prints the operand of and in parentheses if it is an or, which must not exceed the limit of Parse.
	if _, isOr := x.(*Or); isOr && p.deepest == maxDepth {
		return nil, p.tooDeep()
	}
	p.pos++
	p.leniency.Add(leniency.FilterAfterBrackets)
	var sub Attr
	if sub.Name, err = p.name(p.word()); err != nil {
		return nil, err
	}
	y, err := p.compare(sub)
	return &ValuePath{attr, &And{x, y}}, err
}

// nested reads a filter and the closing symbol. The opening symbol has been read.
func (p *parser) nested(closing byte) (Expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.tooDeep()
	}
	p.deepest = max(p.deepest, p.depth)
	x, err := p.or()
	if err == nil && !p.symbol(closing) {
		return nil, p.fail("expected %q, and, or", closing)
	}
	p.depth--
	return x, err
}

func (p *parser) tooDeep() error {
	return p.fail("the filter is nested deeper than %d; use fewer parentheses", maxDepth)
}

// elementFilter reads the filter of a value path of attr. The opening bracket has been read.
func (p *parser) elementFilter(attr Attr) (Expr, error) {
	if p.inValuePath {
		return nil, p.fail("a value path cannot be inside another; name a sub-attribute")
	}
	if attr.Sub != "" {
		return nil, p.fail("a filter in brackets follows an attribute as in emails[type eq \"work\"], not a sub-attribute")
	}
	p.inValuePath, p.deepest = true, 0
	x, err := p.nested(']')
	p.inValuePath = false
	return x, err
}

// compare reads the operator and the value of a comparison with attr.
func (p *parser) compare(attr Attr) (Expr, error) {
	p.space()
	word := p.word()
	// ToLower maps no letter outside ASCII to a letter of an operator, so only ASCII spellings match.
	switch op := Op(strings.ToLower(word)); op {
	case "pr":
		p.pos += len(word)
		return &Present{attr}, nil
	case EQ, NE, CO, SW, EW, GT, GE, LT, LE:
		p.pos += len(word)
		v, err := p.value()
		return &Compare{attr, op, v}, err
	}
	return nil, p.fail("expected one of eq ne co sw ew gt ge lt le pr after %s", attr)
}

// path reads attrPath / valuePath [subAttr] (RFC 7644 §3.5.2).
func (p *parser) path() (Path, error) {
	attr, err := p.attr()
	if err != nil || !p.symbol('[') {
		return Path{Attr: attr}, err
	}
	x, err := p.elementFilter(attr)
	if err == nil && strings.HasPrefix(p.text[p.pos:], ".") {
		p.pos++
		attr.Sub, err = p.name(p.word())
	}
	return Path{Attr: attr, Filter: x}, err
}

// attr reads [URN ":"] name ["." name].
func (p *parser) attr() (Attr, error) {
	p.space()
	word := p.word()
	var a Attr
	if len(word) > 4 && strings.EqualFold(word[:4], "urn:") {
		colon := strings.LastIndexByte(word, ':')
		if i := strings.IndexFunc(word, func(r rune) bool { return r <= ' ' || r > '~' }); i >= 0 {
			p.pos += i
			return a, p.fail("a URN consists of printable ASCII characters")
		}
		a.URN, word = word[:colon], word[colon+1:]
		p.pos += colon + 1
		if isSchemaVersion(word) {
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

// isSchemaVersion reports whether s, the last part of a URN, is a version and not an attribute, as in
// urn:example:group:1.0. An attribute name does not begin with a digit.
func isSchemaVersion(s string) bool {
	return s != "" && isDigit(s[0]) && !strings.ContainsFunc(s, func(r rune) bool { return r != '.' && !isNameChar(r) })
}

// name reads s, the text at p.pos, as an ATTRNAME. It accepts a leading $ because of $ref (RFC 7643 §2.4).
func (p *parser) name(s string) (string, error) {
	rest := strings.TrimPrefix(s, "$")
	if rest == "" || !isLetter(rune(rest[0])) {
		return "", p.fail("expected the name of an attribute; it begins with a letter")
	}
	for i, r := range rest {
		if !isNameChar(r) {
			p.pos += len(s) - len(rest) + i
			return "", p.fail("the name of an attribute consists of letters, digits, - and _")
		}
	}
	p.pos += len(s)
	return s, nil
}
