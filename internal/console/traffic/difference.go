package traffic

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// A DiffKind says in which document a line is.
type DiffKind string

const (
	Same    DiffKind = "same"    // in both documents
	Removed DiffKind = "removed" // only in the document before
	Added   DiffKind = "added"   // only in the document after
)

// A DiffLine is a line of the difference of two documents.
type DiffLine struct {
	Kind DiffKind
	Text string

	// Fold is the number of lines of a run of unchanged lines, in its first line. It is 0 in all other lines. The page can
	// fold the run, because no line of it is next to a change.
	Fold    int
	FoldEnd bool // the last line of such a run
}

const (
	contextLines = 3 // unchanged lines before and after a change that are not folded
	minFold      = 4 // lines that are worth folding
)

// Differences returns the difference of two JSON documents, as the lines of their indented form with sorted names. The lines
// that are the same or added are the document after. The lines that are the same or removed are the document before, except
// for commas at line ends: an unchanged line has the comma of the document after. An empty document has no lines.
//
// Elements of an array are matched by their value, or their id, or else by their whole text. So a changed element does not
// change the lines of other elements. If a document is not JSON, its lines are compared as they are. The time grows with the
// size of the documents, and by its logarithm.
func Differences(before, after string) []DiffLine {
	old, complete := parseJSON(before)
	current, completeAfter := parseJSON(after)
	var d differ
	if complete && completeAfter {
		d.compare(place{last: [2]bool{true, true}}, old, current)
	} else {
		d.compareLines(documentLines(before), documentLines(after))
	}
	markFolds(d.lines)
	return d.lines
}

// documentLines returns the lines of a document, indented if it is JSON.
func documentLines(document string) []string {
	if document == "" {
		return nil
	}
	value, complete := parseJSON(document)
	if !complete {
		return strings.Split(document, "\n")
	}
	var d differ
	d.write(Same, place{last: [2]bool{true, true}}, value)
	lines := make([]string, len(d.lines))
	for i, line := range d.lines {
		lines[i] = line.Text
	}
	return lines
}

// A differ collects the lines of a difference.
type differ struct{ lines []DiffLine }

// A place is where a value stands.
type place struct {
	depth int
	label string  // quoted name of a member with a colon, or ""
	last  [2]bool // whether no other value follows it in its object or array: before, and after
}

// in returns the place of a value one level deeper.
func (p place) in(label string, lastBefore, lastAfter bool) place {
	return place{p.depth + 1, label, [2]bool{lastBefore, lastAfter}}
}

// open adds the line in which a value begins. A scalar value has only this line.
func (d *differ) open(kind DiffKind, p place, text string) {
	d.lines = append(d.lines, DiffLine{Kind: kind, Text: strings.Repeat("  ", p.depth) + p.label + text})
}

// end adds the line in which a value ends.
func (d *differ) end(kind DiffKind, p place, text string) {
	last := p.last[1]
	if kind == Removed {
		last = p.last[0]
	}
	if !last {
		text += ","
	}
	d.lines = append(d.lines, DiffLine{Kind: kind, Text: strings.Repeat("  ", p.depth) + text})
}

// write adds all lines of a value.
func (d *differ) write(kind DiffKind, p place, v any) {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			break
		}
		d.open(kind, p, "{")
		names := slices.Sorted(maps.Keys(v))
		for i, n := range names {
			last := i == len(names)-1
			d.write(kind, p.in(label(n), last, last), v[n])
		}
		d.end(kind, p, "}")
		return
	case []any:
		if len(v) == 0 {
			break
		}
		d.open(kind, p, "[")
		for i, element := range v {
			last := i == len(v)-1
			d.write(kind, p.in("", last, last), element)
		}
		d.end(kind, p, "]")
		return
	}
	d.end(kind, place{p.depth, "", p.last}, p.label+compactJSON(v))
}

func label(name string) string { return quoteJSON(name) + ": " }

func quoteJSON(s string) string {
	quoted, _ := jsontext.AppendQuote(nil, s) // a value of parseJSON is valid UTF-8
	return string(quoted)
}

// compactJSON returns a value in one line.
func compactJSON(v any) string {
	switch v := v.(type) {
	case string:
		return quoteJSON(v)
	case json.Number:
		return string(v)
	case bool:
		return strconv.FormatBool(v)
	case map[string]any:
		var b strings.Builder
		for i, n := range slices.Sorted(maps.Keys(v)) {
			b.WriteString(separator(i) + label(n) + compactJSON(v[n]))
		}
		return "{" + b.String() + "}"
	case []any:
		var b strings.Builder
		for i, element := range v {
			b.WriteString(separator(i) + compactJSON(element))
		}
		return "[" + b.String() + "]"
	}
	return "null"
}

func separator(i int) string {
	if i == 0 {
		return ""
	}
	return ", "
}

// compare adds the lines of the difference of two values.
func (d *differ) compare(p place, before, after any) {
	switch after := after.(type) {
	case map[string]any:
		if before, ok := before.(map[string]any); ok && len(before) > 0 && len(after) > 0 {
			d.open(Same, p, "{")
			d.compareObjects(p, before, after)
			d.end(Same, p, "}")
			return
		}
	case []any:
		if before, ok := before.([]any); ok && len(before) > 0 && len(after) > 0 {
			d.open(Same, p, "[")
			d.compareArrays(p, before, after)
			d.end(Same, p, "]")
			return
		}
	}
	if compactJSON(before) == compactJSON(after) {
		d.write(Same, p, after)
		return
	}
	d.write(Removed, p, before)
	d.write(Added, p, after)
}

func (d *differ) compareObjects(p place, before, after map[string]any) {
	oldNames, newNames := slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after))
	all := slices.Concat(oldNames, newNames)
	slices.Sort(all)
	for _, n := range slices.Compact(all) {
		old, isOld := before[n]
		current, isCurrent := after[n]
		at := p.in(label(n), n == oldNames[len(oldNames)-1], n == newNames[len(newNames)-1])
		switch {
		case !isOld:
			d.write(Added, at, current)
		case !isCurrent:
			d.write(Removed, at, old)
		default:
			d.compare(at, old, current)
		}
	}
}

func (d *differ) compareArrays(p place, before, after []any) {
	at := func(i, j int) place { return p.in("", i == len(before)-1, j == len(after)-1) }
	i, j := 0, 0
	for _, m := range matches(elementKeys(before), elementKeys(after)) {
		if isChangedInPlace(before[i:m.before], after[j:m.after]) {
			for ; i < m.before; i, j = i+1, j+1 {
				d.compare(at(i, j), before[i], after[j])
			}
		}
		for ; i < m.before; i++ {
			d.write(Removed, at(i, j), before[i])
		}
		for ; j < m.after; j++ {
			d.write(Added, at(i, j), after[j])
		}
		if i < len(before) {
			d.compare(at(i, j), before[i], after[j])
		}
		i, j = i+1, j+1
	}
}

// isChangedInPlace reports whether the elements between two matches can be compared one by one. These are objects without a
// value and an id, such as addresses.
func isChangedInPlace(before, after []any) bool {
	hasNoKey := func(v any) bool {
		_, isObject := v.(map[string]any)
		return isObject && identifier(v) == ""
	}
	if len(before) != len(after) {
		return false
	}
	for i := range before {
		if !hasNoKey(before[i]) || !hasNoKey(after[i]) {
			return false
		}
	}
	return true
}

// identifier returns what identifies an element of an array, or "".
func identifier(element any) string {
	object, _ := element.(map[string]any)
	for _, n := range []string{"value", "id"} {
		switch v := object[n].(type) {
		case string, json.Number:
			return n + " " + compactJSON(v)
		}
	}
	return ""
}

func elementKeys(array []any) []string {
	keys := make([]string, len(array))
	for i, e := range array {
		if keys[i] = identifier(e); keys[i] == "" {
			keys[i] = compactJSON(e)
		}
	}
	return keys
}

// compareLines adds the lines of the difference of two texts.
func (d *differ) compareLines(before, after []string) {
	i, j := 0, 0
	for _, m := range matches(before, after) {
		for ; i < m.before; i++ {
			d.lines = append(d.lines, DiffLine{Kind: Removed, Text: before[i]})
		}
		for ; j < m.after; j++ {
			d.lines = append(d.lines, DiffLine{Kind: Added, Text: after[j]})
		}
		if i < len(before) {
			d.lines = append(d.lines, DiffLine{Kind: Same, Text: after[j]})
		}
		i, j = i+1, j+1
	}
}

// A match says that an element of one sequence is the same as an element of the other.
type match struct{ before, after int }

// matches returns the longest list of matches in which both positions increase. The last element is the end of both
// sequences. The n-th occurrence of a key matches only the n-th of the other sequence, so that n log n steps suffice.
func matches(before, after []string) []match {
	type occurrence struct {
		key string
		n   int
	}
	seen, positions := map[string]int{}, make(map[occurrence]int, len(before))
	for i, key := range before {
		positions[occurrence{key, seen[key]}] = i
		seen[key]++
	}
	clear(seen)
	var candidates []match
	for j, key := range after {
		if i, ok := positions[occurrence{key, seen[key]}]; ok {
			candidates = append(candidates, match{i, j})
		}
		seen[key]++
	}
	return append(longestIncreasing(candidates), match{len(before), len(after)})
}

// longestIncreasing returns a longest subsequence in which before increases, by patience sorting.
func longestIncreasing(candidates []match) []match {
	var tails []int // tails[n] is the candidate with the smallest before that ends a subsequence of n+1 elements
	previous := make([]int, len(candidates))
	for i, c := range candidates {
		n, _ := slices.BinarySearchFunc(tails, c.before, func(t, before int) int { return cmp.Compare(candidates[t].before, before) })
		previous[i] = -1
		if n > 0 {
			previous[i] = tails[n-1]
		}
		if n == len(tails) {
			tails = append(tails, 0)
		}
		tails[n] = i
	}
	if tails == nil {
		return nil
	}
	var longest []match
	for i := tails[len(tails)-1]; i >= 0; i = previous[i] {
		longest = append(longest, candidates[i])
	}
	slices.Reverse(longest)
	return longest
}

// markFolds sets Fold and FoldEnd.
func markFolds(lines []DiffLine) {
	for begin := 0; begin < len(lines); {
		end := begin
		for end < len(lines) && lines[end].Kind == Same {
			end++
		}
		first, last := begin, end
		if begin > 0 {
			first += contextLines
		}
		if end < len(lines) {
			last -= contextLines
		}
		if last-first >= minFold {
			lines[first].Fold, lines[last-1].FoldEnd = last-first, true
		}
		begin = end + 1
	}
}
