package filter

import (
	"encoding/json"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

func (p *parser) space() {
	p.pos = len(p.text) - len(strings.TrimLeft(p.text[p.pos:], " \t\r\n"))
}

// symbol reads c, if it is what comes next.
func (p *parser) symbol(c byte) bool {
	p.space()
	if p.pos == len(p.text) || p.text[p.pos] != c {
		return false
	}
	p.pos++
	return true
}

// keyword reads the word and, or, not in any case, if it is what comes next.
func (p *parser) keyword(k string) bool {
	p.space()
	if strings.ToLower(p.word()) != k {
		return false
	}
	p.pos += len(k)
	return true
}

// word is the text from here to a space, a quote, a parenthesis or a bracket. It is not read yet.
func (p *parser) word() string {
	rest := p.text[p.pos:]
	if end := strings.IndexAny(rest, " \t\r\n\"()[]"); end >= 0 {
		return rest[:end]
	}
	return rest
}

// value is a JSON string, number or literal. Any other word is taken as a string: authentik sends userName eq jose,
// Microsoft's samples bare timestamps.
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
	// A word that begins so can be no other JSON value than a number.
	if (word[0] == '-' || digit(word[0])) && json.Valid([]byte(word)) {
		return json.Number(word), nil
	}
	return word, nil
}

func (p *parser) str() (Value, error) {
	rest := p.text[p.pos:]
	if rest == "" || rest[0] != '"' {
		return nil, p.fail("expected a value: a text in double quotes, a number, true, false or null")
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
		return nil, p.fail("what stands in double quotes must be a valid JSON string")
	}
	p.pos += end + 1
	return string(s), nil
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

func letter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

func nameChar(r rune) bool { return letter(r) || '0' <= r && r <= '9' || r == '-' || r == '_' }
