// Command sweep is a Lambda function that schedules and operators invoke. It executes one command for each event:
//
//   - {"command":"sweep"}, or any JSON object without a command, finishes or aborts unfinished changes and deletes.
//   - {"command":"expire"} warns of tokens that expire soon and removes tenants that were deleted 30 days ago.
//   - {"command":"fsck","tenant":"…","repair":true} checks the items of a tenant, or without tenant the whole table. It
//     repairs findings only if repair is true.
//
// Package environment lists the environment variables that it reads.
package main

import (
	"serverless-scim/functions/internal/environment"
	"serverless-scim/internal/directory"
)

func main() {
	environment.Start(func(_ func(string) string, c directory.Config) (any, error) { return handler{c}.handle, nil })
}
