package functions

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"serverless-scim/internal/leniency"
)

// The table of README.md lists all rules of leniency with their sentences, and no others.
func TestReadmeListsTheRulesOfLeniency(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	want := "| rule | meaning |\n|---|---|\n"
	for _, r := range leniency.All() {
		want += fmt.Sprintf("| `%s` | %s |\n", r.Name(), r.Sentence())
	}
	if !strings.Contains(string(guide), want+"\n") {
		t.Errorf("README.md does not have this table:\n%s", want)
	}
}
