// Package environment is what the Lambda functions are configured by in common: TABLE_NAME, the DynamoDB table;
// RESOURCE_TYPES, further sets of these, "okta" or folders, with commas; SCAN_BUDGET, how many resources a request tests
// where no key leads to what it asks for; DYNAMODB_ENDPOINT, an emulator to use instead of AWS; and the account's
// variables, which Lambda sets. It reads no environment itself: it is handed one.
package environment

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table/dynamo"
)

// Directory configures directories by the variables that env gives. An error names the one that is missing.
func Directory(env func(name string) string, log *slog.Logger) (directory.Config, error) {
	required := []string{"TABLE_NAME", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
	if env("DYNAMODB_ENDPOINT") != "" {
		required = required[:1]
	}
	for _, name := range required {
		if env(name) == "" {
			return directory.Config{}, fmt.Errorf("the environment variable %s is missing", name)
		}
	}
	types, err := scim.Open(strings.FieldsFunc(env("RESOURCE_TYPES"), func(r rune) bool { return r == ',' }), os.DirFS)
	if err != nil {
		return directory.Config{}, err
	}
	budget, err := strconv.Atoi(cmp.Or(env("SCAN_BUDGET"), strconv.Itoa(directory.Budget)))
	if err != nil || budget <= 0 {
		return directory.Config{}, fmt.Errorf("the environment variable SCAN_BUDGET is %q, and no number of resources", env("SCAN_BUDGET"))
	}
	t := dynamo.New(dynamo.NewClient(dynamo.Account{
		Region: env("AWS_REGION"), Endpoint: env("DYNAMODB_ENDPOINT"), AccessKey: env("AWS_ACCESS_KEY_ID"),
		SecretKey: env("AWS_SECRET_ACCESS_KEY"), SessionToken: env("AWS_SESSION_TOKEN"),
	}), env("TABLE_NAME"))
	return directory.Config{Table: t, Types: types, Now: time.Now, Random: rand.Reader, Log: log, Budget: budget,
		Cursors: &directory.Cursors{}}, nil
}
