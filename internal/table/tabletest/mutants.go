package tabletest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Mutants says how RunMutants checks that a simulation finds seeded faults.
type Mutants struct {
	Package string   // folder of the package from the root of the module; the test is in it
	Quick   []string // mutants that are found after a few schedules
	All     bool     // run all mutants instead of the quick ones
	Seeds   int      // number of schedules in which a mutant must be found
}

// A mutant is a fault that is seeded into the code. Its file begins with the rule that the fault breaks. Then each
// section "-- file --" holds a text that occurs once in that file, and the section "-- becomes --" after it holds the
// replacement.
type mutant struct {
	name, rule string
	edits      []edit
}

type edit struct{ file, old, replacement string }

// RunMutants checks that TestSimulation of a package finds each fault of testdata/mutants. A simulation that does not find
// one would not find a similar fault in a later version of the code. With -short, and for the mutants that it does not
// run, it checks only that their texts occur in the code.
func RunMutants(t *testing.T, c Mutants) {
	files, err := filepath.Glob("testdata/mutants/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d mutants: %v", len(files), err)
	}
	root, err := filepath.Abs(strings.Repeat("../", strings.Count(c.Package, "/")+1))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		m := readMutant(t, file)
		t.Run(m.name, func(t *testing.T) {
			overlay := m.writeOverlay(t, root)
			if testing.Short() || !c.All && !slices.Contains(c.Quick, m.name) {
				return
			}
			seed, failure := m.simulate(t, root, overlay, c)
			if seed == "" {
				t.Fatalf("not found in %d schedules: %s", c.Seeds, m.rule)
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
func (m mutant) simulate(t *testing.T, root, overlay string, c Mutants) (seed, failure string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "mutant.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-ldflags=-s -w", "-o", binary, "-overlay", overlay, "./"+c.Package)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the mutant does not build: %v\n%s", err, out)
	}
	run := exec.CommandContext(t.Context(), binary, "-test.run", "^TestSimulation$", "-test.timeout", "1h",
		"-seeds", fmt.Sprint(c.Seeds))
	run.Dir = filepath.Join(root, c.Package)
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
