// Package admin executes the commands of operators, which manage tenants, their settings, and their tokens. A command
// is a JSON object, and so is its result. Only the command that generates a token returns it. Every command that
// passes validation is logged in the audit log. The package has no endpoint and does not authenticate its callers:
// AWS IAM, or access to the database file, decides who may call it. It does not change resources, except to purge a
// deleted tenant.
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
