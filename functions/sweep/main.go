// Command sweep is a Lambda function for schedules: it finishes what requests left unfinished, and with
// {"command":"expire"} warns of tokens that end and removes tenants that were deleted a month ago. An operator may invoke
// it, too: with {"command":"sweep"}, or with {"command":"fsck","tenant":"…","repair":true}, which checks the table, or
// what is one tenant's in it, and repairs it only if told to. Package environment tells what it is configured by.
package main

import (
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"serverless-scim/functions/internal/environment"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	c, err := environment.Directory(os.Getenv, log)
	if err != nil {
		log.Error("cannot start", "error", err.Error())
		os.Exit(1)
	}
	lambda.Start(handler{c}.handle)
}
