// Command admin is a Lambda function without a URL: operators whom IAM lets invoke it create tenants, give out tokens and
// take them back, one command in each event. Package admin has the commands; package environment tells what it is
// configured by.
package main

import (
	"serverless-scim/functions/internal/environment"
	"serverless-scim/internal/admin"
	"serverless-scim/internal/directory"
)

func main() {
	environment.Start(func(_ func(string) string, c directory.Config) (any, error) { return admin.New(c).Execute, nil })
}
