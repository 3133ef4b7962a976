package traffic

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean returns a text of a client as one line. Invisible characters and those that change the direction of text are
// replaced by spaces, because the text is shown within a sentence. Bytes that are not UTF-8 become U+FFFD.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
}

// shorten returns at most n characters of a text. The last one is an ellipsis if some are left out.
func shorten(s string, n int) string {
	if len(s) <= n || utf8.RuneCountInString(s) <= n {
		return s
	}
	for i := range s {
		if n--; n == 0 {
			return strings.TrimSpace(s[:i]) + "…"
		}
	}
	return s
}

// maxNameLength is the number of characters of a name that a sentence has.
const maxNameLength = 40

// quoteName returns a name for a sentence. It is in quotes unless it is one word, so that a name cannot pretend to be a part of
// the sentence.
func quoteName(s string) string {
	s = shorten(clean(shortenBytes(s)), maxNameLength)
	isWord := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("@._+-…", r)
	}
	if s != "" && strings.TrimFunc(s, isWord) == "" {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, "'") + `"`
}

// shortenBytes limits the work for huge values, of which a sentence shows only the beginning.
func shortenBytes(s string) string { return s[:min(len(s), 1000)] }

// shortID returns the beginning and the end of a long ID. IDs that were created at about the same time differ only in the
// end.
func shortID(id string) string {
	if id = clean(shortenBytes(id)); utf8.RuneCountInString(id) <= 12 {
		return quoteName(id)
	}
	runes := []rune(id)
	return quoteName(string(runes[:3]) + "…" + string(runes[len(runes)-4:]))
}
