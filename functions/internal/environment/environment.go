// Package environment starts the Lambda functions and configures them from environment variables. Begin with [Start]. The
// variables of all functions are:
//
//   - TABLE_NAME is the DynamoDB table. It is required.
//   - RESOURCE_TYPES is a list of additional sets of resource types, separated by commas: names of
//     embedded folders, such as okta, or paths of folders. The package that SAM builds has no folders.
//   - METRICS_NAMESPACE is the CloudWatch namespace of the metrics. Without it, the functions emit none.
//   - DYNAMODB_ENDPOINT is the URL of an emulator to use instead of DynamoDB.
//   - The variables that Lambda sets: AWS_REGION, the credentials, and AWS_LAMBDA_FUNCTION_MEMORY_SIZE.
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
	"serverless-scim/internal/query"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/dynamo"
)

// Table returns the table that the variables name. env returns the value of a variable, "" if it is not set. The error
// names the variable that is missing. Table does not call DynamoDB.
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

// Directory returns the configuration of directories on a table, from the variables that env returns.
func Directory(env func(name string) string, t table.Table, log *slog.Logger) (directory.Config, error) {
	types, err := scim.Open(strings.FieldsFunc(env("RESOURCE_TYPES"), func(r rune) bool { return r == ',' }), os.DirFS)
	if err != nil {
		return directory.Config{}, err
	}
	return directory.Config{
		Store: store.Config{Table: t, Types: types, Now: time.Now, Random: rand.Reader, Log: log},
		Query: query.Config{Cache: &query.Cache{}},
	}, nil
}

// NonNegativeInt returns the number in a variable, or defaultValue if the variable is not set. It returns an error if
// the value is not a number or is negative.
func NonNegativeInt(env func(name string) string, name string, defaultValue int) (int, error) {
	n, err := strconv.Atoi(cmp.Or(env(name), strconv.Itoa(defaultValue)))
	if err != nil || n < 0 {
		return 0, fmt.Errorf("the environment variable %s is %q; set it to a number of at least 0", name, env(name))
	}
	return n, nil
}
