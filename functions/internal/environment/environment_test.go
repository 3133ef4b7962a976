package environment

import (
	"log/slog"
	"strings"
	"testing"

	"serverless-scim/internal/query"
)

func TestAWSVariablesAreRequiredWithoutEndpoint(t *testing.T) {
	t.Parallel()
	for _, missing := range []string{"TABLE_NAME", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", ""} {
		_, err := Table(func(name string) string {
			if name == missing || !strings.HasPrefix(name, "AWS_") && name != "TABLE_NAME" {
				return ""
			}
			return "x"
		})
		if missing == "" && err != nil || missing != "" && (err == nil || !strings.Contains(err.Error(), missing)) {
			t.Errorf("without %q: %v", missing, err)
		}
	}
}

func TestScanBudgetMustBePositive(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]int{"": query.DefaultScanBudget, "7": 7, "0": 0, "-1": 0, "many": 0} {
		c, err := Directory(func(name string) string {
			return map[string]string{"SCAN_BUDGET": value}[name]
		}, nil, slog.New(slog.DiscardHandler))
		if c.Query.ScanBudget != want || (err != nil) != (want == 0) {
			t.Errorf("%q: %d and %v, want %d", value, c.Query.ScanBudget, err, want)
		}
	}
}
