// Command admin is a Lambda function that executes operators' commands, one in each event. Package admin has the commands.
// The function has no URL, so only callers that IAM permits can invoke it. Package environment lists the environment
// variables that it reads.
package main

import (
	"serverless-scim/functions/internal/environment"
	"serverless-scim/internal/admin"
	"serverless-scim/internal/directory"
)

func main() {
	environment.Start(func(_ func(string) string, c directory.Config) (any, error) { return admin.New(c).Execute, nil })
}
