// Package admin is the operators' commands: tenants, their tokens and settings, as JSON in and JSON out. It has no
// endpoint and asks for no credentials: who may call it is decided before, by IAM or by who holds the file. It never
// tells a token again that it has made, and says who did what in the audit log.
package admin

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/table"
	"serverless-scim/internal/token"
)

// Admin does commands on a table.
type Admin struct {
	Directory directory.Config
	Tokens    *token.Store
	Log       *slog.Logger
}

// New is the commands on the table of directories.
func New(c directory.Config) Admin {
	c.Table = table.Metered{Table: c.Table}
	return Admin{Directory: c, Tokens: &token.Store{Table: c.Table, Now: c.Now}, Log: c.Log}
}

// commandInput is what a command can say. Each takes some of it.
type commandInput struct {
	Command  string          `json:"command"`
	Tenant   string          `json:"tenant"`
	Label    string          `json:"label"`
	Token    string          `json:"token"`    // the id of one
	Days     *int            `json:"days"`     // of a token's life
	Hours    *int            `json:"hours"`    // for which two tokens overlap
	Settings json.RawMessage `json:"settings"` // those to change; null: the default
}

// command is one of them: what it needs, what it may have beside, and what it does.
type command struct {
	required, optional []string
	run                func(Admin, context.Context, commandInput) (any, error)
}

func commands() map[string]command {
	tenant := []string{"tenant"}
	return map[string]command{
		"create-tenant":  {tenant, []string{"settings"}, Admin.createTenant},
		"list-tenants":   {nil, nil, Admin.listTenants},
		"show-tenant":    {tenant, nil, Admin.showTenant},
		"set":            {[]string{"tenant", "settings"}, nil, Admin.updateSettings},
		"disable-tenant": {tenant, nil, Admin.disable},
		"enable-tenant":  {tenant, nil, Admin.enable},
		"release-tenant": {tenant, nil, Admin.releaseTenant},
		"delete-tenant":  {tenant, nil, Admin.deleteTenant},
		"create-token":   {[]string{"tenant", "label"}, []string{"days"}, Admin.createToken},
		"list-tokens":    {tenant, nil, Admin.listTokens},
		"revoke-token":   {[]string{"tenant", "token"}, nil, Admin.revokeToken},
		"rotate-token":   {[]string{"tenant", "token"}, []string{"hours"}, Admin.rotateToken},
	}
}

// Execute does the command that an event holds. Its error says what is wrong with the event, or what the table returned.
func (a Admin) Execute(ctx context.Context, event json.RawMessage) (any, error) {
	in, c, err := parseEvent(event)
	if err != nil {
		return nil, err
	}
	ctx, cost := directory.MeasureUsage(ctx)
	out, err := c.run(a, ctx, in)
	attrs := []slog.Attr{slog.String("command", in.Command), slog.String("tenant", in.Tenant), slog.Any("table", cost())}
	if shown, ok := out.(Token); ok {
		attrs = append(attrs, slog.String("token", shown.ID), slog.String("label", shown.Label))
	} else if in.Token != "" {
		attrs = append(attrs, slog.String("token", in.Token))
	}
	outcome := "done"
	if err != nil {
		outcome = "failed"
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	a.Log.LogAttrs(ctx, slog.LevelInfo, "audit", append(attrs, slog.String("outcome", outcome))...)
	return out, explainError(err, in)
}

// parseEvent reads an event strictly: what a command does not know must not be taken for done.
func parseEvent(event json.RawMessage) (in commandInput, c command, err error) {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(event, &given); err != nil {
		return in, c, errors.New(`the event is no JSON object such as {"command":"list-tenants"}`)
	}
	d := json.NewDecoder(bytes.NewReader(event))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return in, c, fmt.Errorf("cannot read the event: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	all := commands()
	c, known := all[in.Command]
	if !known {
		return in, c, fmt.Errorf("there is no command %q; there are %s", in.Command, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
	}
	for _, name := range c.required {
		if v := string(given[name]); v == "" || v == `""` || v == "null" {
			return in, c, fmt.Errorf("%s needs %s", in.Command, strings.Join(c.required, " and "))
		}
	}
	for name := range given {
		if name != "command" && !slices.Contains(c.required, name) && !slices.Contains(c.optional, name) {
			return in, c, fmt.Errorf("%s takes no %s, only %s", in.Command, name,
				cmp.Or(strings.Join(slices.Concat(c.required, c.optional), ", "), "its name"))
		}
	}
	return in, c, in.validate()
}

var (
	tenantName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	tokenID    = regexp.MustCompile(`^[0-9a-f]{16}$`)
	tokenLabel = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$`)
)

func (in commandInput) validate() error {
	switch {
	case in.Tenant != "" && !tenantName.MatchString(in.Tenant):
		return errors.New("a tenant's name has 1 to 63 small letters, digits and hyphens, and neither begins nor ends with a hyphen")
	case in.Token != "" && !tokenID.MatchString(in.Token): // it may be the token itself, and is not repeated
		return errors.New("token must be the id of one, 16 digits and letters; see list-tokens")
	case in.Label != "" && !tokenLabel.MatchString(in.Label):
		return errors.New("a label has 1 to 64 letters, digits, spaces and . _ -, and begins with a letter or a digit")
	case in.Days != nil && (*in.Days < 1 || time.Duration(*in.Days)*day > token.MaxLifetime):
		return fmt.Errorf("days must be from 1 to %d", token.MaxLifetime/day)
	case in.Hours != nil && (*in.Hours < 0 || time.Duration(*in.Hours)*time.Hour > maxOverlap):
		return fmt.Errorf("hours must be from 0 to %d", maxOverlap/time.Hour)
	}
	return nil
}

const (
	day        = 24 * time.Hour
	maxOverlap = 30 * day
)

// explainError says what an operator can do about an error.
func explainError(err error, in commandInput) error {
	switch {
	case errors.Is(err, token.ErrNoTenant):
		return fmt.Errorf("there is no tenant %s, or it is deleted; see list-tenants", in.Tenant)
	case errors.Is(err, token.ErrTenantExists):
		return fmt.Errorf("there is a tenant %s already; one that is deleted keeps its name for 30 days (enable-tenant brings it back)", in.Tenant)
	case errors.Is(err, token.ErrNoToken):
		return fmt.Errorf("tenant %s has no token %q; see list-tokens", in.Tenant, in.Token)
	case errors.Is(err, token.ErrLabelTaken):
		return fmt.Errorf("tenant %s has a valid token labelled %q: rotate-token puts another in its place; a second connection "+
			"needs a label of its own", in.Tenant, in.Label)
	case errors.Is(err, token.ErrTooManyTokens):
		return fmt.Errorf("tenant %s has %d tokens that are valid, and can have no more; revoke some", in.Tenant, token.MaxTokens)
	}
	return err
}
