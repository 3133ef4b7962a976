package environment

import (
	"strings"
	"testing"
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

func TestNonNegativeIntRejectsOtherValues(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]int{"": 100, "7": 7, "0": 0, "-1": -1, "many": -1} {
		n, err := NonNegativeInt(func(string) string { return value }, "LIMIT", 100)
		if want >= 0 && (n != want || err != nil) {
			t.Errorf("%q: %d and %v, want %d", value, n, err, want)
		}
		if want < 0 && (err == nil || !strings.Contains(err.Error(), `LIMIT is "`+value)) {
			t.Errorf("%q: %v, want an error that names variable and value", value, err)
		}
	}
}
