package record

import (
	"regexp"
	"strings"
	"sync"
	"unicode"
)

// madeUpNames are the words that replace words of personal texts.
const madeUpNames = `alba arden bellamy birk bodil calder carys cedric corin dagny dario delia edda elio elspeth enzo
fabian fenna flora freya gareth gideon greta halden henrik hollis idris ilse imogen ivo jarek jorun juno kasimir kerstin
kiran lavinia leander linnea lorcan magnus maris merrick milos nadine nerys nils oriel osric ottilie padma perrin petra
quentin quill rafe regina rhoda rowan runa sabine selwyn signe soren tamsin tarek thora tobin ulric una ursel valerie
verena viggo wanda wendel wilma xaver xenia yara yorick yvaine zelda zeno zuri ashdown barlow colby denholm elwood fairfax
garland hadley ingram jessop kirkby langdon marwood norcott oakley penrose quimby radley selby thorne underhill vance
whitby yardley`

var madeUpNameList = sync.OnceValue(func() []string { return strings.Fields(madeUpNames) })

// nameAt returns the made-up name with a number. It is one word of the list for the first numbers, and then several.
func nameAt(n int) string {
	list := madeUpNameList()
	if n < len(list) {
		return list[n]
	}
	return list[n%len(list)] + nameAt(n/len(list)-1)
}

// withCase returns a made-up text in lower case with the case of an original: upper, capitalized, or lower.
func withCase(original, madeUp string) string {
	first, rest := true, false
	upper := strings.IndexFunc(original, unicode.IsLower) < 0
	for _, r := range original {
		rest = rest || !first && unicode.IsUpper(r)
		if first && !unicode.IsUpper(r) && !unicode.IsTitle(r) {
			return madeUp
		}
		first = false
	}
	if upper && rest {
		return strings.ToUpper(madeUp)
	}
	return strings.ToUpper(madeUp[:1]) + madeUp[1:]
}

// likeCode returns a made-up code in lower case with a capital letter wherever the original has one.
func likeCode(original, madeUp string) string {
	b, i := []rune(madeUp), 0
	for _, r := range original {
		if i < len(b) && unicode.IsUpper(r) {
			b[i] = unicode.ToUpper(b[i])
		}
		i++
	}
	return string(b)
}

var wordAndNumber = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(\p{L}[\p{L}\p{M}]{2,})(\p{N}{1,4})$`)
})

// splitRun splits a run into a word and a number after it, such as the counter in a userName. ok is false if the run
// has another form.
func splitRun(run string) (word, number string, ok bool) {
	m := wordAndNumber().FindStringSubmatch(run)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

// isCode reports whether a text is an ID, a token, or encoded data: a long run that is not made of words.
func isCode(text string) bool {
	longest := 0
	for _, run := range runPattern().FindAllString(text, -1) {
		longest = max(longest, len(run))
	}
	return longest >= 16 && strings.ContainsAny(text, "0123456789") || longest >= 40
}

// isDate reports whether a text is a date, which has the form of a phone number.
func isDate(text string) bool { return datePattern().MatchString(text) }

var datePattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[12]\d{3}-[01]\d-[0-3]\d`) })
