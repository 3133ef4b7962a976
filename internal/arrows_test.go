// Package internal has no code, only tests of the architecture: which package may import which, what the Lambda functions
// link, and who reads the environment.
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

// allowedImports lists the packages of this module that each package may import. Programs and tests may import any.
var allowedImports = map[string][]string{
	"server":               {"directory", "feed", "oauth", "server/bulkid", "token", "patch", "scim", "filter", "leniency"},
	"server/bulkid":        {"filter", "scim"},
	"admin":                {"directory", "feed", "format", "token", "table"},
	"directory":            {"query", "store", "patch", "scim", "filter", "table", "leniency"},
	"query":                {"store", "scim", "filter", "table", "leniency"},
	"fsck":                 {"store", "scim", "table"},
	"console":              {"console/capture", "console/traffic", "feed", "replay/record", "table"},
	"console/capture":      {"console/traffic", "leniency", "replay", "replay/record", "table"},
	"console/traffic":      {"leniency", "table"},
	"format":               {"table"},
	"feed":                 {"store", "scim", "table"},
	"feed/eventbridge":     {"feed", "store", "scim", "table"},
	"store":                {"table", "scim"},
	"patch":                {"scim", "filter", "leniency"},
	"oauth":                {"table", "token"},
	"scim":                 {"filter", "leniency"},
	"token":                {"table", "leniency"},
	"replay":               {"gateway"},
	"replay/record":        {"replay"},
	"table/bolt":           {"table"},
	"table/dynamo":         {"table"},
	"table/dynamo/streams": {"table", "table/dynamo"},
	"table/tabletest":      {"table"},
	"filter":               {"leniency"},
	"gateway":              {},
	"leniency":             {},
	"table":                {},

	// Packages that only tests import.
	"directory/directorytest": {"directory", "store", "patch", "scim", "filter", "table", "table/bolt", "table/dynamo", "table/tabletest"},
	"server/servertest":       {"scim"},
}

const (
	module = "serverless-scim"
	client = "github.com/aws/aws-sdk-go-v2/service/dynamodb" // its subpackage types holds data, which any package may use
	events = "github.com/aws/aws-sdk-go-v2/service/eventbridge"
)

func TestPackagesImportOnlyWhatIsAllowed(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, module+"/internal/")
		allowed, known := allowedImports[name]
		program := strings.HasPrefix(p.ImportPath, module+"/functions/")
		if !known && !program && len(p.Imports) > 0 {
			t.Errorf("%s is new: list in this test what it may import", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			to, ours := strings.CutPrefix(imported, module+"/internal/")
			if ours && !program && !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s; it may import %v", name, to, allowed)
			}
			if strings.HasPrefix(imported, module+"/functions/") && !strings.HasPrefix(imported, module+"/functions/internal/") {
				t.Errorf("%s imports the program %s", p.ImportPath, imported)
			}
			if imported == client && name != "table/dynamo" {
				t.Errorf("%s imports the DynamoDB client, which only table/dynamo may do", p.ImportPath)
			}
			if imported == events && name != "feed/eventbridge" {
				t.Errorf("%s imports the EventBridge client, which only feed/eventbridge may do", p.ImportPath)
			}
		}
	}
}

func TestLambdaFunctionsLinkNothingThatOnlyTheLocalProgramNeeds(t *testing.T) {
	t.Parallel()
	localOnly := []string{module + "/internal/table/bolt", module + "/internal/table/tabletest", module + "/internal/console", module + "/internal/console/capture", "go.yaml.in/yaml/v3", "testing"}
	localOnlyModules := []string{"go.etcd.io/", "github.com/klauspost/"} // API Gateway compresses responses itself
	for _, function := range []string{"./functions/admin", "./functions/audit", "./functions/feed", "./functions/scim", "./functions/sweep"} {
		for _, p := range packages(t, "-deps", function) {
			within := func(prefix string) bool { return strings.HasPrefix(p.ImportPath, prefix) }
			if slices.Contains(localOnly, p.ImportPath) || slices.ContainsFunc(localOnlyModules, within) {
				t.Errorf("%s links %s", function, p.ImportPath)
			}
		}
	}
}

// A larger program starts later, so only the function that sends events has their client.
func TestOnlyFeedLinksTheClientOfEvents(t *testing.T) {
	t.Parallel()
	for _, program := range packages(t, "./functions/...") {
		name := strings.TrimPrefix(program.ImportPath, module+"/functions/")
		if program.Name != "main" || name == "feed" {
			continue
		}
		for _, p := range packages(t, "-deps", program.ImportPath) {
			if p.ImportPath == events {
				t.Errorf("functions/%s links %s", name, events)
			}
		}
	}
}

var readsEnvironment = regexp.MustCompile(`\b(os|syscall)\.(Getenv|LookupEnv|Environ|ExpandEnv)\b`)

// Programs pass configuration to packages, so that a package behaves the same wherever it runs. Tests may read the
// environment, and so may the consumer, which is a program and a module of its own.
func TestOnlyProgramsReadTheEnvironment(t *testing.T) {
	t.Parallel()
	exempt := []string{"_test.go", "directorytest/", "feed/consumer/"}
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		within := func(part string) bool { return strings.Contains(path, part) }
		if err != nil || !strings.HasSuffix(path, ".go") || slices.ContainsFunc(exempt, within) {
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

func TestTopFolderHoldsOnlyWhatIsListed(t *testing.T) {
	t.Parallel()
	allowed := []string{
		"functions", "internal", "template.yaml", "samconfig.toml", "events", "go.mod", "go.sum", "README.md",
		".*", "*.db", "*.test", "*.prof", // ignored by git
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
			t.Errorf("%s does not belong in the top folder, which may hold %v", e.Name(), allowed)
		}
	}
}

type pkg struct {
	ImportPath string
	Name       string
	Imports    []string
}

// packages returns what go list reports. It also reads the folders itself, so that "go test" does not reuse a cached result
// after a file has been added.
func packages(t *testing.T, arguments ...string) (list []pkg) {
	for _, dir := range []string{".", "../functions"} {
		err := filepath.WalkDir(dir, func(_ string, _ fs.DirEntry, err error) error { return err })
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Name,Imports"}, arguments...)...)
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
