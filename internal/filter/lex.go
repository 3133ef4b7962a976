package filter

import (
	"encoding/json"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// space skips white space.
func (p *parser) space() {
	p.pos = len(p.text) - len(strings.TrimLeft(p.text[p.pos:], " \t\r\n"))
}

// symbol skips white space and reads c. It reports whether c came next.
func (p *parser) symbol(c byte) bool {
	p.space()
	if p.pos == len(p.text) || p.text[p.pos] != c {
		return false
	}
	p.pos++
	return true
}

// keyword skips white space and reads the word k (and, or, not) in any case. It reports whether k came next.
func (p *parser) keyword(k string) bool {
	p.space()
	if strings.ToLower(p.word()) != k {
		return false
	}
	p.pos += len(k)
	return true
}

// word returns the text up to the next space, quote, parenthesis or bracket, without reading it.
func (p *parser) word() string {
	rest := p.text[p.pos:]
	if end := strings.IndexAny(rest, " \t\r\n\"()[]"); end >= 0 {
		return rest[:end]
	}
	return rest
}

// value reads a JSON string, number or literal. It reads any other word as a string: authentik sends userName eq jose,
// and Microsoft's samples have timestamps without quotes.
func (p *parser) value() (Value, error) {
	p.space()
	word := p.word()
	if word == "" {
		return p.str()
	}
	p.pos += len(word)
	switch word {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null":
		return nil, nil
	}
	// A valid JSON value that begins with - or a digit is a number.
	if (word[0] == '-' || isDigit(word[0])) && json.Valid([]byte(word)) {
		return json.Number(word), nil
	}
	return word, nil
}

// str reads a JSON string.
func (p *parser) str() (Value, error) {
	rest := p.text[p.pos:]
	if rest == "" || rest[0] != '"' {
		return nil, p.fail("expected a value: a string in double quotes, a number, true, false or null")
	}
	end := 1
	for end < len(rest) && rest[end] != '"' {
		if rest[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(rest) {
		return nil, p.fail("the closing double quote is missing")
	}
	s, err := jsontext.AppendUnquote(nil, rest[:end+1])
	if err != nil {
		return nil, p.fail("the text in double quotes is not a valid JSON string")
	}
	p.pos += end + 1
	return string(s), nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

// isNameChar reports whether r can be part of an attribute name (RFC 7643 §2.1).
func isNameChar(r rune) bool { return isLetter(r) || '0' <= r && r <= '9' || r == '-' || r == '_' }
