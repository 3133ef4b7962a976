package traffic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// apply returns the document of which a difference has the lines of one kind and the unchanged ones.
func apply(lines []DiffLine, kind DiffKind) []string {
	var document []string
	for _, line := range lines {
		if line.Kind == Same || line.Kind == kind {
			document = append(document, line.Text)
		}
	}
	return document
}

// withoutCommas returns lines without the comma at their end.
func withoutCommas(lines []string) []string {
	short := make([]string, len(lines))
	for i, line := range lines {
		short[i] = strings.TrimSuffix(line, ",")
	}
	return short
}

// indented returns the lines of a JSON document as encoding/json indents it.
func indented(t rapid.TB, document string) []string {
	d := json.NewDecoder(strings.NewReader(document))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

func anyJSON() *rapid.Generator[any] {
	scalar := rapid.OneOf(rapid.Just[any](nil), rapid.Just[any](true), rapid.SampledFrom([]any{"", "a", "b,", "{", `"`}), rapid.SampledFrom([]any{0, 1, -2.5}))
	return rapid.Custom(func(t *rapid.T) any { return drawJSON(t, scalar, 4) })
}

func drawJSON(t *rapid.T, scalar *rapid.Generator[any], depth int) any {
	element := rapid.Custom(func(t *rapid.T) any { return drawJSON(t, scalar, depth-1) })
	switch kind := rapid.IntRange(0, 3).Draw(t, "kind"); {
	case depth == 0 || kind == 0:
		return scalar.Draw(t, "scalar")
	case kind == 1:
		return rapid.SliceOfN(element, 0, 5).Draw(t, "array")
	default:
		return rapid.MapOfN(rapid.SampledFrom([]string{"value", "id", "display", "a", "b "}), element, 0, 4).Draw(t, "object")
	}
}

// changeJSON returns a value with some parts left out, moved or replaced.
func changeJSON(t *rapid.T, v any) any {
	if rapid.IntRange(0, 9).Draw(t, "replace") == 0 {
		return anyJSON().Draw(t, "other")
	}
	switch v := v.(type) {
	case map[string]any:
		changed := map[string]any{}
		for _, n := range []string{"value", "id", "display", "a", "b "} {
			if member, ok := v[n]; ok && rapid.IntRange(0, 5).Draw(t, "keep") > 0 {
				changed[n] = changeJSON(t, member)
			}
		}
		return changed
	case []any:
		changed := []any{}
		for _, element := range v {
			if rapid.IntRange(0, 5).Draw(t, "keep") > 0 {
				changed = append(changed, changeJSON(t, element))
			}
		}
		if rapid.IntRange(0, 3).Draw(t, "move") == 0 {
			slices.Reverse(changed)
		}
		return changed
	}
	return v
}

func TestDifferenceAppliedToADocumentIsTheOther(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := anyJSON().Draw(t, "before")
		before, _ := json.Marshal(v)
		after, _ := json.Marshal(changeJSON(t, v))
		lines := Differences(string(before), string(after))
		if got, want := apply(lines, Added), indented(t, string(after)); !slices.Equal(got, want) {
			t.Errorf("after:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if got, want := withoutCommas(apply(lines, Removed)), withoutCommas(indented(t, string(before))); !slices.Equal(got, want) {
			t.Errorf("before:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

func TestEqualDocumentsHaveNoDifference(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		document, _ := json.Marshal(anyJSON().Draw(t, "document"))
		var spaced bytes.Buffer
		json.Indent(&spaced, document, "", "\t")
		for _, line := range Differences(string(document), spaced.String()) {
			if line.Kind != Same {
				t.Errorf("%s: %s", line.Kind, line.Text)
			}
		}
	})
}

// changedLines returns the lines that are not the same, with - and +.
func changedLines(lines []DiffLine) string {
	var changed []string
	for _, line := range lines {
		switch line.Kind {
		case Removed:
			changed = append(changed, "- "+strings.TrimSpace(line.Text))
		case Added:
			changed = append(changed, "+ "+strings.TrimSpace(line.Text))
		}
	}
	return strings.Join(changed, "\n")
}

func TestDifferenceHasOnlyWhatChanges(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1)
	const address, other = `{"type":"work","postalCode":"1","country":"US"}`, `{"type":"work","postalCode":"2","country":"US"}`
	for _, c := range []struct{ rule, before, after, want string }{
		{"order of names", `{"a":1,"b":2}`, `{"b":2,"a":1}`, ""},
		{"value of a name", `{"a":1,"b":2}`, `{"a":1,"b":3}`, "- \"b\": 2\n+ \"b\": 3"},
		{"last name removed", `{"a":1,"b":2}`, `{"a":1}`, `- "b": 2`},
		{"last name added", `{"a":1}`, `{"a":1,"b":2}`, `+ "b": 2`},
		{"number and string", `{"a":1}`, `{"a":"1"}`, "- \"a\": 1\n+ \"a\": \"1\""},
		{"digits of a number", `1.0`, `1`, "- 1.0\n+ 1"},
		{"display of a member", `{"m":[{"value":"x","display":"a"},{"value":"y"}]}`, `{"m":[{"value":"x","display":"b"},{"value":"y"}]}`, "- \"display\": \"a\",\n+ \"display\": \"b\","},
		{"first member removed", `{"m":[{"value":"x"},{"value":"y"}]}`, `{"m":[{"value":"y"}]}`, "- {\n- \"value\": \"x\"\n- },"},
		{"resources by id", `[{"id":"1","a":1},{"id":"2","a":1}]`, `[{"id":"2","a":2}]`, "- {\n- \"a\": 1,\n- \"id\": \"1\"\n- },\n- \"a\": 1,\n+ \"a\": 2,"},
		{"one member moved", `["a","b","c","d"]`, `["b","c","d","a"]`, "- \"a\",\n+ \"a\""},
		{"equal elements", `["a","a","a"]`, `["a","a"]`, `- "a"`},
		{"element without a value", `[` + address + `]`, `[` + other + `]`, "- \"postalCode\": \"1\",\n+ \"postalCode\": \"2\","},
		{"element added before one that changes", `[` + address + `]`, `[{"a":1},` + other + `]`,
			"- {\n- \"country\": \"US\",\n- \"postalCode\": \"1\",\n- \"type\": \"work\"\n- }\n+ {\n+ \"a\": 1\n+ },\n+ {\n+ \"country\": \"US\",\n+ \"postalCode\": \"2\",\n+ \"type\": \"work\"\n+ }"},
		{"empty object", `{"a":{}}`, `{"a":{"b":1}}`, "- \"a\": {}\n+ \"a\": {\n+ \"b\": 1\n+ }"},
		{"empty array stays", `{"a":[],"b":{}}`, `{"b":{},"a":[]}`, ""},
		{"created", ``, `{"a":1}`, "+ {\n+ \"a\": 1\n+ }"},
		{"deleted", `{"a":1}`, ``, "- {\n- \"a\": 1\n- }"},
		{"both empty", ``, ``, ""},
		{"not JSON", "<p>\na\nb", "<p>\nb", "- a"},
		{"cut off", `{"a":1`, `{"a":1}`, "- {\"a\":1\n+ {\n+ \"a\": 1\n+ }"},
		{"repeated name", `{"a":1,"a":2}`, `{"a":1,"a":3}`, "- {\"a\":1,\"a\":2}\n+ {\"a\":1,\"a\":3}"},
		{"too deep", deep, deep + " ", "- " + deep + "\n+ " + deep},
		{"two values", `{}{}`, `{}`, "- {}{}\n+ {}"},
	} {
		if got := changedLines(Differences(c.before, c.after)); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.rule, got, c.want)
		}
	}
}

// groupDocument returns a group of n members of about 200 bytes each. The display name of one member is changed.
func groupDocument(n, changed int) string {
	var members []string
	for i := range n {
		display := fmt.Sprintf("member.%d@example.com", i)
		if i == changed {
			display = "changed"
		}
		members = append(members, fmt.Sprintf(`{"value":"u%026d","$ref":"https://abc123.execute-api.eu-central-1.amazonaws.com/prod/Users/u%026d","type":"User","display":%q}`, i, i, display))
	}
	return `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Droids","members":[` + strings.Join(members, ",") + `]}`
}

func TestChangedMemberOfALargeGroupIsOneChange(t *testing.T) {
	t.Parallel()
	lines := Differences(groupDocument(5000, -1), groupDocument(5000, 2500))
	if got, want := changedLines(lines), "- \"display\": \"member.2500@example.com\",\n+ \"display\": \"changed\","; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	shown := 0
	for i := 0; i < len(lines); i++ {
		if fold := lines[i].Fold; fold > 0 {
			i += fold - 1
			continue
		}
		shown++
	}
	if shown != 2*contextLines+2 {
		t.Errorf("%d lines are not folded, want the change and %d lines on each side", shown, contextLines)
	}
}

func TestFoldsAreRunsOfUnchangedLinesAwayFromChanges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		kinds := rapid.SliceOf(rapid.SampledFrom([]DiffKind{Same, Same, Same, Same, Same, Same, Same, Removed, Added})).Draw(t, "kinds")
		lines := make([]DiffLine, len(kinds))
		for i, kind := range kinds {
			lines[i].Kind = kind
		}
		markFolds(lines)
		for i := 0; i < len(lines); i++ {
			fold := lines[i].Fold
			if lines[i].FoldEnd && fold != 1 {
				t.Fatalf("line %d ends no fold", i)
			}
			if fold == 0 {
				continue
			}
			for j := max(0, i-contextLines); j < min(len(lines), i+fold+contextLines); j++ {
				if lines[j].Kind != Same {
					t.Fatalf("the fold of %d lines at %d is near the change at %d", fold, i, j)
				}
			}
			if before := i - contextLines - 1; i > 0 && (before < 0 || lines[before].Kind == Same) {
				t.Fatalf("the fold of %d lines at %d can begin earlier", fold, i)
			}
			if fold < minFold || !lines[i+fold-1].FoldEnd {
				t.Fatalf("the fold of %d lines at %d is too short or has no end", fold, i)
			}
			i += fold - 1
		}
	})
}

func FuzzDifferences(f *testing.F) {
	f.Add(`{"a":[{"value":"x"}]}`, `{"a":[{"value":"y"},{"value":"x"}]}`)
	f.Add("a\nb", "b\nc\n")
	f.Add("\"\xff\"", `{"a":1`)
	f.Fuzz(func(t *testing.T, before, after string) {
		lines := Differences(before, after)
		if got, want := apply(lines, Added), documentLines(after); !slices.Equal(got, want) {
			t.Errorf("after: got %q, want %q", got, want)
		}
		if got, want := withoutCommas(apply(lines, Removed)), withoutCommas(documentLines(before)); !slices.Equal(got, want) {
			t.Errorf("before: got %q, want %q", got, want)
		}
		if before == after && changedLines(lines) != "" {
			t.Errorf("%q differs from itself", before)
		}
	})
}

// A difference of two groups of 5,000 members, which are 1 MB each, takes about 50 ms.
func BenchmarkDifferences(b *testing.B) {
	before := groupDocument(5000, -1)
	for name, after := range map[string]string{"changed": groupDocument(5000, 2500), "disjoint": strings.ReplaceAll(before, `"value":"u`, `"value":"v`)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(before) + len(after)))
			for b.Loop() {
				Differences(before, after)
			}
		})
	}
}
