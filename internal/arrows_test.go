// Package internal holds what the programs in functions are made of; of its own it has this test of its shape alone.
package internal

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// arrows are the packages of ours that a package may import. Programs may wire any; tests may use any.
var arrows = map[string][]string{
	"admin":             {"directory", "table", "token"},
	"filter":            {},
	"gateway":           {},
	"table":             {},
	"scim":              {"filter"},
	"patch":             {"filter", "scim"},
	"replay":            {"gateway"},
	"table/bolt":        {"table"},
	"table/dynamo":      {"table"},
	"table/tabletest":   {"table"},
	"token":             {"table"},
	"directory":         {"filter", "patch", "scim", "table"},
	"server":            {"directory", "filter", "patch", "scim", "token"},
	"server/servertest": {"scim"},
}

const (
	module = "serverless-scim"
	client = "github.com/aws/aws-sdk-go-v2/service/dynamodb" // its package types is data, and free to all
)

func TestArrowsPointOneWay(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, module+"/internal/")
		allowed, known := arrows[name]
		program := strings.HasPrefix(p.ImportPath, module+"/functions/")
		if !known && !program && len(p.Imports) > 0 {
			t.Errorf("%s has no arrows: say in this test what it may import", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			to, ours := strings.CutPrefix(imported, module+"/internal/")
			if ours && !program && !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s; it may import %v", name, to, allowed)
			}
			if strings.HasPrefix(imported, module+"/functions/") && !strings.HasPrefix(imported, module+"/functions/internal/") {
				t.Errorf("%s imports a program, %s", p.ImportPath, imported)
			}
			if imported == client && name != "table/dynamo" {
				t.Errorf("%s imports DynamoDB's client, which table/dynamo alone does", p.ImportPath)
			}
		}
	}
}

func TestFunctionsHoldNothingThatOnlyAProgramHereNeeds(t *testing.T) {
	t.Parallel()
	here := []string{module + "/internal/table/bolt", module + "/internal/table/tabletest", "go.yaml.in/yaml/v3", "testing"}
	folders := []string{"go.etcd.io/", "github.com/klauspost/"} // API Gateway compresses
	for _, function := range []string{"./functions/admin", "./functions/scim", "./functions/sweep"} {
		for _, p := range packages(t, "-deps", function) {
			within := func(folder string) bool { return strings.HasPrefix(p.ImportPath, folder) }
			if slices.Contains(here, p.ImportPath) || slices.ContainsFunc(folders, within) {
				t.Errorf("%s links %s", function, p.ImportPath)
			}
		}
	}
}

var readsEnvironment = regexp.MustCompile(`\b(os|syscall)\.(Getenv|LookupEnv|Environ|ExpandEnv)\b`)

// What configures a package is handed to it by the program.
func TestProgramsAloneReadTheEnvironment(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		if call := readsEnvironment.Find(source); call != nil {
			t.Errorf("%s calls %s", path, call)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestTopFolderIsShort(t *testing.T) {
	t.Parallel()
	allowed := []string{
		"functions", "internal", "template.yaml", "samconfig.toml", "events", "go.mod", "go.sum", "README.md",
		".*", "*.db", "*.test", "*.prof", // and what git ignores
	}
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		matches := func(pattern string) bool {
			ok, _ := filepath.Match(pattern, e.Name())
			return ok
		}
		if !slices.ContainsFunc(allowed, matches) {
			t.Errorf("%s does not belong into the top folder, which holds %v", e.Name(), allowed)
		}
	}
}

type pkg struct {
	ImportPath string
	Imports    []string
}

// packages asks go list. It reads the folders too, so that "go test" does not take a result from before a change.
func packages(t *testing.T, arguments ...string) (list []pkg) {
	for _, dir := range []string{".", "../functions"} {
		err := filepath.WalkDir(dir, func(_ string, _ fs.DirEntry, err error) error { return err })
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports"}, arguments...)...)
	cmd.Dir = ".."
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}
