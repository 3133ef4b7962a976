// Command admin is a Lambda function without a URL: operators whom IAM lets invoke it create tenants, give out tokens and
// take them back, one command in each event. Package admin has the commands; package environment tells what it is
// configured by.
package main

import (
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"serverless-scim/functions/internal/environment"
	"serverless-scim/internal/admin"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	c, err := environment.Directory(os.Getenv, log)
	if err != nil {
		log.Error("cannot start", "error", err.Error())
		os.Exit(1)
	}
	lambda.Start(admin.New(c).Do)
}
