package filter

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"serverless-scim/internal/leniency"
)

// A lexer reads the symbols, words, and values of a text.
type lexer struct {
	text     string
	pos      int           // of the next byte to read
	leniency *leniency.Set // where departures from the grammar are recorded
}

// fail returns an *Error at the current position.
func (l *lexer) fail(format string, args ...any) error {
	return &Error{Offset: l.pos, Detail: fmt.Sprintf(format, args...)}
}

// space skips white space and reports whether there was any.
func (l *lexer) space() bool {
	begin := l.pos
	l.pos = len(l.text) - len(strings.TrimLeft(l.text[begin:], " \t\r\n"))
	skipped := l.text[begin:l.pos]
	if skipped != "" && (skipped != " " || begin == 0 || l.pos == len(l.text)) {
		l.leniency.Add(leniency.FilterWhiteSpace)
	}
	return skipped != ""
}

// symbol skips white space and reads c. It reports whether c came next.
func (l *lexer) symbol(c byte) bool {
	l.space()
	if l.pos == len(l.text) || l.text[l.pos] != c {
		return false
	}
	l.pos++
	return true
}

// keyword skips white space and reads the word k (and, or, not) in any case. It reports whether k came next.
func (l *lexer) keyword(k string) bool {
	l.space()
	begin := l.pos
	if strings.ToLower(l.word()) != k {
		return false
	}
	l.pos += len(k)
	if k != "not" && (!strings.HasSuffix(l.text[:begin], " ") || !strings.HasPrefix(l.text[l.pos:], " ")) {
		l.leniency.Add(leniency.FilterWhiteSpace)
	}
	return true
}

// word returns the text up to the next space, quote, parenthesis or bracket, without reading it.
func (l *lexer) word() string {
	rest := l.text[l.pos:]
	if end := strings.IndexAny(rest, " \t\r\n\"()[]"); end >= 0 {
		return rest[:end]
	}
	return rest
}

// value reads a JSON string, number or literal. It reads any other word as a string: authentik sends userName eq jose,
// and Microsoft's samples have timestamps without quotes.
func (l *lexer) value() (Value, error) {
	if !l.space() {
		l.leniency.Add(leniency.FilterWhiteSpace)
	}
	word := l.word()
	if word == "" {
		return l.str()
	}
	l.pos += len(word)
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
	l.leniency.Add(leniency.FilterUnquoted)
	return word, nil
}

// str reads a JSON string.
func (l *lexer) str() (Value, error) {
	rest := l.text[l.pos:]
	if rest == "" || rest[0] != '"' {
		return nil, l.fail("expected a value: a string in double quotes, a number, true, false or null")
	}
	end := 1
	for end < len(rest) && rest[end] != '"' {
		if rest[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(rest) {
		return nil, l.fail("the closing double quote is missing")
	}
	s, err := jsontext.AppendUnquote(nil, rest[:end+1])
	if err != nil {
		return nil, l.fail("the text in double quotes is not a valid JSON string")
	}
	l.pos += end + 1
	return string(s), nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

// isNameChar reports whether r can be part of an attribute name (RFC 7643 §2.1).
func isNameChar(r rune) bool { return isLetter(r) || '0' <= r && r <= '9' || r == '-' || r == '_' }
