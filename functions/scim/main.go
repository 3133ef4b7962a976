// Command scim is the SCIM API as a Lambda function behind API Gateway, a REST API or an HTTP API. It is configured by
// its environment: TABLE_NAME, the DynamoDB table; BASE_URL, the address that answers give, where it is not the one that
// API Gateway tells; RESOURCE_TYPES, further sets of these, "okta" or folders, with commas; DYNAMODB_ENDPOINT, an emulator to use instead of AWS; and the account's variables, which Lambda
// sets.
package main

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/gateway"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/server"
	"serverless-scim/internal/table/dynamo"
	"serverless-scim/internal/token"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	h, err := handler(os.Getenv, log)
	if err != nil {
		log.Error("cannot start", "error", err.Error())
		os.Exit(1)
	}
	lambda.Start(h)
}

func handler(env func(string) string, log *slog.Logger) (*gateway.Handler, error) {
	required := []string{"TABLE_NAME", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
	if env("DYNAMODB_ENDPOINT") != "" {
		required = required[:1]
	}
	for _, name := range required {
		if env(name) == "" {
			return nil, fmt.Errorf("the environment variable %s is missing", name)
		}
	}
	types, err := scim.Open(strings.FieldsFunc(env("RESOURCE_TYPES"), func(r rune) bool { return r == ',' }), os.DirFS)
	if err != nil {
		return nil, err
	}
	t := dynamo.New(dynamo.NewClient(dynamo.Account{
		Region: env("AWS_REGION"), Endpoint: env("DYNAMODB_ENDPOINT"), AccessKey: env("AWS_ACCESS_KEY_ID"),
		SecretKey: env("AWS_SECRET_ACCESS_KEY"), SessionToken: env("AWS_SESSION_TOKEN"),
	}), env("TABLE_NAME"))
	return gateway.New(server.New(server.Config{
		Directory: directory.Config{Table: t, Types: types, Now: time.Now, Random: rand.Reader, Log: log},
		Tokens:    &token.Store{Table: t, Now: time.Now},
		Base:      strings.TrimRight(env("BASE_URL"), "/"),
		Timeout:   25 * time.Second, // API Gateway itself gives up after 29
		Log:       log,
	})), nil
}
