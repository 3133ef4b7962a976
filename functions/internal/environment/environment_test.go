package environment

import (
	"log/slog"
	"strings"
	"testing"
)

func TestWithoutAnEmulatorTheAccountIsRequired(t *testing.T) {
	t.Parallel()
	for _, missing := range []string{"TABLE_NAME", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", ""} {
		_, err := Directory(func(name string) string {
			if name == missing || name == "DYNAMODB_ENDPOINT" || name == "RESOURCE_TYPES" {
				return ""
			}
			return "x"
		}, slog.New(slog.DiscardHandler))
		if missing == "" && err != nil || missing != "" && (err == nil || !strings.Contains(err.Error(), missing)) {
			t.Errorf("without %q: %v", missing, err)
		}
	}
}
