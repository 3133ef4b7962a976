package directory

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
	everyMutant = flag.Bool("mutants", false, "play all mutants, and not only three")
	mutantSeeds = flag.Int("mutantseeds", 500_000, "schedules in which a mutant must be found")
)

// atOnce are mutants that are found in a few schedules.
var atOnce = []string{"digest-unchecked", "group-version-stays", "new-token"}

// mutant is a fault in the code: what rule it breaks, and what becomes of which texts. Its file begins with the rule;
// then each "-- file --" is followed by the text that is there once, and "-- becomes --" by the one in its place.
type mutant struct {
	name, rule string
	edits      []edit
}

type edit struct{ file, old, now string }

// TestMutants: the simulation finds each seeded fault, or it would not find such a fault of ours.
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
			overlay := m.overlay(t, root)
			if testing.Short() || !*everyMutant && !slices.Contains(atOnce, m.name) {
				return // it still fits the code
			}
			found, steps := m.play(t, root, overlay)
			if found == "" {
				t.Fatalf("not found in %d schedules: %s", *mutantSeeds, m.rule)
			}
			t.Logf("%-20s %-90s seed %7s %s", m.name, m.rule, found, steps)
		})
	}
}

var heading = regexp.MustCompile(`(?m)^-- (\S+) --\n`)

func readMutant(t *testing.T, file string) mutant {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	heads := heading.FindAllStringSubmatchIndex(text, -1)
	if len(heads) == 0 || len(heads)%2 != 0 {
		t.Fatalf("%s: %d sections", file, len(heads))
	}
	m := mutant{name: strings.TrimSuffix(filepath.Base(file), ".txt"), rule: strings.TrimSpace(text[:heads[0][0]])}
	section := func(i int) string {
		end := len(text)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		return strings.TrimSuffix(text[heads[i][1]:end], "\n")
	}
	for i := 0; i < len(heads); i += 2 {
		m.edits = append(m.edits, edit{text[heads[i][2]:heads[i][3]], section(i), section(i + 1)})
	}
	return m
}

// overlay writes the changed files and what tells the go command to take them.
func (m mutant) overlay(t *testing.T, root string) string {
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
			t.Fatalf("the mutant no longer fits: in %s this text is there %d times:\n%s", e.file, n, e.old)
		}
		texts[path] = strings.Replace(texts[path], e.old, e.now, 1)
	}
	replaced := map[string]string{}
	for path, text := range texts {
		replaced[path] = filepath.Join(dir, filepath.Base(path))
		write(t, replaced[path], []byte(text))
	}
	b, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	write(t, overlay, b)
	return overlay
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

var failed = regexp.MustCompile(`seed (\d+): ([^\n]*)`)

// play runs the simulation with the mutant, and tells the first schedule that fails, and how.
func (m mutant) play(t *testing.T, root, overlay string) (seed, how string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "mutant.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", binary, "-overlay", overlay, "./internal/directory")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("it does not build: %v\n%s", err, out)
	}
	run := exec.CommandContext(t.Context(), binary, "-test.run", "^TestSimulation$", "-seeds", fmt.Sprint(*mutantSeeds), "-test.timeout", "1h")
	run.Dir = filepath.Join(root, "internal/directory")
	out, _ := run.CombinedOutput()
	first := 1 << 62
	for _, found := range failed.FindAllStringSubmatch(string(out), -1) {
		n := 0
		if fmt.Sscan(found[1], &n); n < first {
			first, seed, how = n, found[1], found[2]
		}
	}
	return seed, how
}
