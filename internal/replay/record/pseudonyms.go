package record

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// pseudonyms replaces personal text by made-up text of the same form. It replaces words, numbers, and domains one by
// one, and each by the same text everywhere, without regard to case. So a name remains a part of the e-mail address that
// contains it, and different texts remain different. The made-up text depends only on the order of the calls.
type pseudonyms struct {
	originals map[string]bool   // words and numbers of personal texts, in lower case
	domains   []string          // domains of personal texts, in lower case
	madeUp    map[string]string // word, number, domain, or ID → replacement, in lower case
	used      map[string]bool   // the replacements
	kept      map[string]bool   // IDs of the server
	names     int               // how many made-up names were taken
}

func newPseudonyms(kept map[string]bool) *pseudonyms {
	return &pseudonyms{originals: map[string]bool{}, madeUp: map[string]string{}, used: map[string]bool{}, kept: kept}
}

// A scope selects the parts of a text that are replaced.
type scope int

const (
	suspicious scope = iota // e-mail addresses, GUIDs, IP addresses, URLs' hosts, and long IDs
	known                   // also words and numbers of personal texts
	everything              // all words and numbers
)

var tokenPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(strings.Join([]string{
		`(?i)(?P<guid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})`,
		`(?P<email>[\p{L}\p{M}\p{N}._%+'-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)*)`,
		`(?:https?|ldaps?)://(?:[^/\s"@<>?#]*@)?(?P<host>[^/\s"<>?#:]+)`,
		`(?P<ip>\d{1,3}(?:\.\d{1,3}){3}|(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4})`,
		`(?P<code>[a-z0-9+_-]{20,})`,
		`(?P<dotted>[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+)`,
		`(?P<phone>\+?\(?\d[\d ()./-]{6,}\d)`,
		`(?P<run>[\p{L}\p{M}\p{N}]+)`,
	}, "|"))
})

var runPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[\p{L}\p{M}\p{N}]+`) })

// A span is a part of a text, from begin to end, and what replaces it.
type span struct {
	begin, end int
	text       string
}

// learn adds the words, numbers, and domains of a personal text to the originals.
func (p *pseudonyms) learn(text string) {
	p.scan(text, func(kind, token string, _ int) {
		p.originals[strings.ToLower(token)] = true
		switch local, domain, _ := strings.Cut(token, "@"); {
		case kind == "email":
			p.learnRuns(local)
			p.learnDomain(domain)
		case kind == "host":
			p.learnDomain(token)
		case kind != "guid" && (kind != "code" || !isCode(token)):
			p.learnRuns(token)
		}
	})
}

func (p *pseudonyms) learnDomain(domain string) {
	domain = strings.ToLower(domain)
	if _, err := netip.ParseAddr(domain); err != nil && !slices.Contains(p.domains, domain) {
		p.domains = append(p.domains, domain)
	}
}

func (p *pseudonyms) learnRuns(text string) {
	for _, run := range runPattern().FindAllString(strings.ToLower(text), -1) {
		p.originals[run] = true
		if word, number, ok := splitRun(run); ok {
			p.originals[word], p.originals[number] = true, true
		}
	}
}

// scan calls f with each token of a text, its kind, and its offset.
func (p *pseudonyms) scan(text string, f func(kind, token string, at int)) {
	pattern := tokenPattern()
	for _, m := range pattern.FindAllStringSubmatchIndex(text, -1) {
		for group := 1; group < len(m)/2; group++ {
			if m[2*group] >= 0 {
				f(pattern.SubexpNames()[group], text[m[2*group]:m[2*group+1]], m[2*group])
			}
		}
	}
}

// spans returns the parts of a text to replace, in order.
func (p *pseudonyms) spans(text string, s scope) (spans []span) {
	p.scan(text, func(kind, token string, at int) {
		if p.kept[token] && !p.originals[strings.ToLower(token)] {
			return
		}
		if replacement, ok := p.replaceToken(kind, token, s); ok {
			spans = append(spans, span{at, at + len(token), replacement})
			return
		}
		local, domain, isEmail := strings.Cut(token, "@")
		inner := s
		if isEmail || kind == "phone" && !isDate(token) {
			inner = everything
		}
		spans = append(spans, p.runSpans(local, at, inner)...)
		if isEmail {
			at += len(local) + 1
			spans = append(spans, span{at, at + len(domain), p.domain(domain)})
		}
	})
	return spans
}

// replaceToken returns the replacement of a whole token. ok is false if its runs are replaced one by one.
func (p *pseudonyms) replaceToken(kind, token string, s scope) (replacement string, ok bool) {
	switch kind {
	case "guid":
		return p.code(token), true
	case "host":
		if _, err := netip.ParseAddr(token); err == nil {
			return p.address(token), true
		}
		return p.domain(token), true
	case "ip":
		_, err := netip.ParseAddr(token)
		return p.address(token), err == nil
	case "code":
		return p.code(token), isCode(token)
	case "dotted":
		return p.domain(token), p.isKnownDomain(strings.ToLower(token))
	}
	return "", false
}

// runSpans returns the spans of the runs of letters and digits in a text at an offset.
func (p *pseudonyms) runSpans(text string, at int, s scope) (spans []span) {
	for _, m := range runPattern().FindAllStringIndex(text, -1) {
		run, begin := text[m[0]:m[1]], at+m[0]
		word, number, split := splitRun(run)
		isKnown := func(part string) bool { return p.originals[strings.ToLower(part)] && utf8.RuneCountInString(part) > 2 }
		switch {
		case s == everything && split:
			spans = append(spans, span{begin, begin + len(word), p.word(word)},
				span{begin + len(word), begin + len(run), p.code(number)})
		case s == everything, s == known && isKnown(run):
			spans = append(spans, span{begin, begin + len(run), p.run(run)})
		case s == known && split && isKnown(word):
			spans = append(spans, span{begin, begin + len(word), p.word(word)})
		}
	}
	return spans
}

// replace returns a text with the parts in scope replaced.
func (p *pseudonyms) replace(text string, s scope) string {
	return applySpans(text, p.spans(text, s))
}

func applySpans(text string, spans []span) string {
	var b strings.Builder
	done := 0
	for _, s := range spans {
		b.WriteString(text[done:s.begin] + s.text)
		done = s.end
	}
	return b.String() + text[done:]
}

// replacePart returns the part of the replacement of whole that stands for whole[begin:end]. If the part begins or ends
// within a word, so does the result, with as many characters of the other word.
func (p *pseudonyms) replacePart(whole string, begin, end int) string {
	spans := p.spans(whole, everything)
	from := moveOffset(spans, begin, func(s span) int {
		if end < s.end { // the middle of a word
			return min(begin-s.begin, len(s.text)-1)
		}
		return max(0, len(s.text)-(s.end-begin))
	})
	to := moveOffset(spans, end, func(s span) int {
		return min(len(s.text), end-max(begin, s.begin)+min(max(0, begin-s.begin), len(s.text)-1))
	})
	return applySpans(whole, spans)[from:max(from, to)]
}

// moveOffset returns the offset in the replacement of a text that stands for an offset in the text. Within a span, it is
// what within returns, from the beginning of the span.
func moveOffset(spans []span, at int, within func(span) int) int {
	moved := 0
	for _, s := range spans {
		if at <= s.begin {
			break
		}
		if at < s.end {
			return s.begin + moved + within(s)
		}
		moved += len(s.text) - (s.end - s.begin)
	}
	return at + moved
}

func (p *pseudonyms) run(run string) string {
	letters := strings.IndexFunc(run, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }) < 0
	if letters && len(run) > 1 {
		return p.word(run)
	}
	return p.code(run)
}

// word returns the name that replaces a word.
func (p *pseudonyms) word(word string) string {
	return withCase(word, p.lookUp(word, func() string {
		for {
			if name := nameAt(p.names); !p.isTaken(name) {
				return name
			}
			p.names++
		}
	}))
}

// lookUp returns the replacement of an original, and calls choose if it has none yet.
func (p *pseudonyms) lookUp(original string, choose func() string) string {
	original = strings.ToLower(original)
	if p.madeUp[original] == "" {
		p.madeUp[original] = choose()
		p.used[p.madeUp[original]] = true
	}
	return p.madeUp[original]
}

// isTaken reports whether a text is a replacement already, or contains an original of four or more characters.
func (p *pseudonyms) isTaken(text string) bool {
	for i := range text {
		for j := i + 4; j <= len(text); j++ {
			if p.originals[text[i:j]] {
				return true
			}
		}
	}
	return p.used[text] || p.originals[text]
}

// code returns an ID or number in which each letter and digit is replaced by another. The type prefix of an ID of Okta,
// such as 00u, and the separators remain.
func (p *pseudonyms) code(code string) string {
	return likeCode(code, p.lookUp(code, func() string {
		lower := strings.ToLower(code)
		letters := "abcdefghijklmnopqrstuvwxyz"
		if len(code) >= 8 && strings.Trim(lower, "0123456789abcdef-") == "" { // a GUID or a digest
			letters = letters[:6]
		}
		prefix := 0
		if oktaID().MatchString(code) {
			prefix = len("00u")
		}
		for attempt := range 1 << 14 {
			text := lower[:prefix] + randomLike(lower[prefix:], letters, p.noise(attempt))
			if !p.used[text] && text != lower && (len(text) < 4 || !p.originals[text]) {
				return text
			}
		}
		return fmt.Sprint(len(p.used) + 1_000_000) // all codes of this length are in use
	}))
}

// randomLike returns a text with each letter replaced by one of letters, and each digit by a digit.
func randomLike(text, letters string, noise [sha256.Size]byte) string {
	i := 0
	return strings.Map(func(r rune) rune {
		i++
		n := int(noise[i%len(noise)]) + i/len(noise)
		switch {
		case unicode.IsNumber(r):
			return rune('0' + n%10)
		case unicode.IsLetter(r), unicode.IsMark(r):
			return rune(letters[n%len(letters)])
		}
		return r
	}, text)
}

var oktaID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^00[a-z][A-Za-z0-9]{17}$`) })

// noise returns bytes that differ for each replacement and attempt.
func (p *pseudonyms) noise(attempt int) [sha256.Size]byte {
	var seed [16]byte
	binary.BigEndian.PutUint64(seed[:], uint64(len(p.madeUp)))
	binary.BigEndian.PutUint64(seed[8:], uint64(attempt))
	return sha256.Sum256(seed[:])
}

// domain returns the domain that replaces a domain. A subdomain of a replaced domain remains one.
func (p *pseudonyms) domain(domain string) string {
	lower := strings.ToLower(domain)
	return p.lookUp("@"+lower, func() string {
		for _, parent := range p.domains {
			if label, ok := strings.CutSuffix(lower, "."+parent); ok {
				return p.replace(label, everything) + "." + p.domain(parent)
			}
		}
		for _, reserved := range []string{"example.com", "example.org", "example.net"} { // RFC 2606
			if !p.used[reserved] && !slices.Contains(p.domains, reserved) {
				return reserved
			}
		}
		p.names++
		return nameAt(p.names) + ".example.com"
	})
}

func (p *pseudonyms) isKnownDomain(lower string) bool {
	return slices.ContainsFunc(p.domains, func(d string) bool { return lower == d || strings.HasSuffix(lower, "."+d) })
}

// address returns the IP address that replaces an IP address. It is reserved for documentation (RFC 5737, RFC 3849).
func (p *pseudonyms) address(ip string) string {
	return p.lookUp(ip, func() string {
		n := len(p.madeUp) + 1
		if strings.Contains(ip, ":") {
			return fmt.Sprintf("2001:db8::%x", n)
		}
		return fmt.Sprintf("%s.%d", [...]string{"203.0.113", "198.51.100", "192.0.2"}[n/250%3], n%250+1)
	})
}
