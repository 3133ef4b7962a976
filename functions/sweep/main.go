// Command sweep is a Lambda function for schedules: it finishes what requests left unfinished, and with
// {"command":"expire"} warns of tokens that end and removes tenants that were deleted a month ago. An operator may invoke
// it, too: with {"command":"sweep"}, or with {"command":"fsck","tenant":"…","repair":true}, which checks the table, or
// what is one tenant's in it, and repairs it only if told to. Package environment tells what it is configured by.
package main

import (
	"serverless-scim/functions/internal/environment"
	"serverless-scim/internal/directory"
)

func main() {
	environment.Start(func(_ func(string) string, c directory.Config) (any, error) { return handler{c}.handle, nil })
}
