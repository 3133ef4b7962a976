// Package admin executes the commands of operators, which manage tenants, settings, tokens, and OAuth clients. A command is
// a JSON object, and so is its result. Only the command that generates a token or a secret returns it. Every command that
// passes validation is logged in the audit log. The package has no endpoint and does not authenticate its callers: AWS IAM,
// or access to the database file, decides who may call it. It does not change resources, except to purge a deleted tenant.
//
// Begin with [New] and [Admin.Execute]. [Usage] lists the commands.
//
// # Adding a command
//
//  1. In command.go, add an entry to commands: the required and optional fields, a method of Admin, and the effect in a
//     sentence. Usage and functions/local then show the command.
//  2. If it has a new field, add the field to commandInput in input.go, and its check to validate.
//  3. Write the method in the file of its subject, such as tenant.go or token.go. Its result must encode as a JSON object.
//     In explainError, add a remedy for each new error.
//  4. Add the command to TestPermissions of functions/admin, which compares its table calls with the role in template.yaml.
//     Describe it in functions/README.md.
//  5. To offer it in the console, add it to commandFields in operate.go of package console, and a form to operate.html.
package admin

import (
	"log/slog"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/table"
	"serverless-scim/internal/token"
)

const day = 24 * time.Hour

// An Admin executes commands on one table. It is safe for concurrent use.
type Admin struct {
	Directory directory.Config
	Tokens    *token.Store
	Log       *slog.Logger
}

// New returns an Admin for the tenants in the table of c.
func New(c directory.Config) Admin {
	s := &c.Store
	s.Table = table.Metered{Table: s.Table}
	return Admin{Directory: c, Tokens: &token.Store{Table: s.Table, Now: s.Now}, Log: s.Log}
}

func (a Admin) directoryFor(tenant string) *directory.Directory {
	return directory.New(a.Directory, tenant, "")
}
