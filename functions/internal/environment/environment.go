// Package environment is what the Lambda functions have in common: how they start, and what they are configured by. That
// is TABLE_NAME, the DynamoDB table; RESOURCE_TYPES, further sets of these, "okta" or folders, with commas; SCAN_BUDGET,
// how many resources a request tests where no key leads to what it asks for; METRICS_NAMESPACE, where in CloudWatch their
// metrics are (unset: nowhere); DYNAMODB_ENDPOINT, an emulator to use instead of AWS; and the variables that Lambda sets.
package environment

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/dynamo"
)

// Table is the table by the variables that env gives. An error names the one that is missing. It makes no call.
func Table(env func(name string) string) (*dynamo.Table, error) {
	required := []string{"TABLE_NAME", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
	if env("DYNAMODB_ENDPOINT") != "" {
		required = required[:1]
	}
	for _, name := range required {
		if env(name) == "" {
			return nil, fmt.Errorf("the environment variable %s is missing", name)
		}
	}
	return dynamo.New(dynamo.NewClient(dynamo.ClientConfig{
		Region: env("AWS_REGION"), Endpoint: env("DYNAMODB_ENDPOINT"), AccessKey: env("AWS_ACCESS_KEY_ID"),
		SecretKey: env("AWS_SECRET_ACCESS_KEY"), SessionToken: env("AWS_SESSION_TOKEN"),
	}), env("TABLE_NAME")), nil
}

// Directory configures directories on a table by the variables that env gives.
func Directory(env func(name string) string, t table.Table, log *slog.Logger) (directory.Config, error) {
	types, err := scim.Open(strings.FieldsFunc(env("RESOURCE_TYPES"), func(r rune) bool { return r == ',' }), os.DirFS)
	if err != nil {
		return directory.Config{}, err
	}
	budget, err := NonNegativeInt(env, "SCAN_BUDGET", directory.DefaultScanBudget)
	if err == nil && budget == 0 {
		err = errors.New("the environment variable SCAN_BUDGET is 0, and so lets no request test anything")
	}
	if err != nil {
		return directory.Config{}, err
	}
	return directory.Config{Table: t, Types: types, Now: time.Now, Random: rand.Reader, Log: log, Budget: budget,
		Cursors: &directory.CursorKeyCache{}}, nil
}

// NonNegativeInt is a variable that is a number and not negative, or what it is where it is not set.
func NonNegativeInt(env func(name string) string, name string, unset int) (int, error) {
	n, err := strconv.Atoi(cmp.Or(env(name), strconv.Itoa(unset)))
	if err != nil || n < 0 {
		return 0, fmt.Errorf("the environment variable %s is %q, and no number", name, env(name))
	}
	return n, nil
}
