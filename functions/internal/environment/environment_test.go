package environment

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"serverless-scim/functions/internal/functiontest"
	"serverless-scim/internal/format"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
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

// A function starts although the table cannot be read, and requests report the error. It does not start if the table has a
// later format.
func TestOnlyTheFormatPreventsTheStart(t *testing.T) {
	t.Parallel()
	tab := functiontest.EmbeddedConfig(t, io.Discard).Store.Table
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	unreadable := tabletest.Faults{Table: tab, Before: func(tabletest.Call) error { return errors.New("access denied") }}
	if err := startFormatCheck(unreadable, logger)(); err != nil || !strings.Contains(log.String(), "access denied") {
		t.Errorf("a table that cannot be read: %v, %s", err, &log)
	}
	log.Reset()
	if err := startFormatCheck(tab, logger)(); err != nil || log.Len() > 0 {
		t.Errorf("a table without the item: %v, %s", err, &log)
	}
	later := table.Item{"PK": table.S("format"), "SK": table.S("@"), "version": table.N(format.Version + 1)}
	if err := tab.Write(t.Context(), table.Put{Item: later}); err != nil {
		t.Fatal(err)
	}
	err := startFormatCheck(tab, logger)()
	if refused := (*format.Error)(nil); !errors.As(err, &refused) || refused.Version != format.Version+1 {
		t.Errorf("a table of a later format: %v", err)
	}
}

// Each function that writes to the table ends before its first event if the table has a later format. Its log says why.
func TestFunctionsRefuseALaterFormat(t *testing.T) {
	t.Parallel()
	calls := make(chan string, 10)
	dynamo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls <- r.Header.Get("X-Amz-Target")
		io.WriteString(w, `{"Item":{"PK":{"S":"format"},"SK":{"S":"@"},"version":{"N":"2"}}}`)
	}))
	defer dynamo.Close()
	for _, name := range []string{"scim", "sweep", "feed", "admin"} {
		// Without a Runtime API, a function that starts waits for its first event in vain, and exits with another error.
		cmd := exec.CommandContext(t.Context(), functiontest.BuildFunction(t, "../../"+name))
		cmd.Env = []string{"TABLE_NAME=scim", "DYNAMODB_ENDPOINT=" + dynamo.URL, "AWS_LAMBDA_RUNTIME_API=127.0.0.1:1"}
		out, err := cmd.CombinedOutput()
		if err == nil || bytes.Count(out, []byte("\n")) != 1 || !bytes.Contains(out, []byte(`"msg":"cannot start"`)) ||
			!bytes.Contains(out, []byte("the table has the format 2, and this version of the program knows formats up to 1")) {
			t.Errorf("%s: %v: %s", name, err, out)
		}
		var made []string
		for len(calls) > 0 {
			made = append(made, <-calls)
		}
		if len(made) != 1 || !strings.HasSuffix(made[0], ".GetItem") {
			t.Errorf("%s: the function called %v", name, made)
		}
	}
}
