package store_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	allMutants  = flag.Bool("mutants", false, "run the simulation with all mutants instead of three")
	mutantSeeds = flag.Int("mutantseeds", 500_000, "number of schedules in which a mutant must be found")
)

// quickMutants are found after a few schedules.
var quickMutants = []string{"digest-unchecked", "group-version-stays", "new-token"}

// A mutant is a fault that is seeded into the code. Its file begins with the rule that the fault breaks. Then each
// section "-- file --" holds a text that occurs once in that file, and the section "-- becomes --" after it holds the
// replacement.
type mutant struct {
	name, rule string
	edits      []edit
}

type edit struct{ file, old, replacement string }

// TestMutants checks that the simulation finds each seeded fault. A simulation that does not find one would not find a
// similar fault in a later version of the code.
func TestMutants(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/mutants/*.txt")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d mutants: %v", len(files), err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		m := readMutant(t, file)
		t.Run(m.name, func(t *testing.T) {
			overlay := m.writeOverlay(t, root)
			if testing.Short() || !*allMutants && !slices.Contains(quickMutants, m.name) {
				return // the texts of the mutant occur in the code, which is all that is checked here
			}
			seed, failure := m.simulate(t, root, overlay)
			if seed == "" {
				t.Fatalf("not found in %d schedules: %s", *mutantSeeds, m.rule)
			}
			t.Logf("%-24s %-110s seed %7s %s", m.name, m.rule, seed, failure)
		})
	}
}

var mutantHeading = regexp.MustCompile(`(?m)^-- (\S+) --\n`)

func readMutant(t *testing.T, file string) mutant {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	headings := mutantHeading.FindAllStringSubmatchIndex(text, -1)
	if len(headings) == 0 || len(headings)%2 != 0 {
		t.Fatalf("%s: %d sections", file, len(headings))
	}
	m := mutant{name: strings.TrimSuffix(filepath.Base(file), ".txt"), rule: strings.TrimSpace(text[:headings[0][0]])}
	section := func(i int) string {
		end := len(text)
		if i+1 < len(headings) {
			end = headings[i+1][0]
		}
		return strings.TrimSuffix(text[headings[i][1]:end], "\n")
	}
	for i := 0; i < len(headings); i += 2 {
		m.edits = append(m.edits, edit{text[headings[i][2]:headings[i][3]], section(i), section(i + 1)})
	}
	return m
}

// writeOverlay writes the changed files and returns the path of the overlay file that makes the go command use them.
func (m mutant) writeOverlay(t *testing.T, root string) string {
	t.Helper()
	dir, texts := t.TempDir(), map[string]string{}
	for _, e := range m.edits {
		path := filepath.Join(root, e.file)
		if _, ok := texts[path]; !ok {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			texts[path] = string(b)
		}
		if n := strings.Count(texts[path], e.old); n != 1 {
			t.Fatalf("the mutant does not fit the code: this text occurs %d times in %s, want once:\n%s", n, e.file, e.old)
		}
		texts[path] = strings.Replace(texts[path], e.old, e.replacement, 1)
	}
	replaced := map[string]string{}
	for path, text := range texts {
		replaced[path] = filepath.Join(dir, filepath.Base(path))
		writeFile(t, replaced[path], []byte(text))
	}
	b, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	writeFile(t, overlay, b)
	return overlay
}

func writeFile(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

var failedSeed = regexp.MustCompile(`seed (\d+): ([^\n]*)`)

// simulate runs the simulation with the mutant. It returns the first schedule that fails and its failure, or "" if none
// fails.
func (m mutant) simulate(t *testing.T, root, overlay string) (seed, failure string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "mutant.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-ldflags=-s -w", "-o", binary, "-overlay", overlay, "./internal/store")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the mutant does not build: %v\n%s", err, out)
	}
	run := exec.CommandContext(t.Context(), binary, "-test.run", "^TestSimulation$", "-test.timeout", "1h",
		"-seeds", fmt.Sprint(*mutantSeeds))
	run.Dir = filepath.Join(root, "internal/store")
	out, _ := run.CombinedOutput()
	first := 1 << 62
	for _, match := range failedSeed.FindAllStringSubmatch(string(out), -1) {
		n := 0
		if fmt.Sscan(match[1], &n); n < first {
			first, seed, failure = n, match[1], match[2]
		}
	}
	return seed, failure
}
