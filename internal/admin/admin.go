// Package admin executes the commands of operators, which manage tenants, their settings, and their tokens. A command
// is a JSON object, and so is its result. Only the command that generates a token returns it. Every command that
// passes validation is logged in the audit log. The package has no endpoint and does not authenticate its callers:
// AWS IAM, or access to the database file, decides who may call it. It does not change resources, except to purge a
// deleted tenant.
package admin

import (
	"bytes"
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

// An Admin executes commands on one table. It is safe for concurrent use.
type Admin struct {
	Directory directory.Config
	Tokens    *token.Store
	Log       *slog.Logger
}

// New returns an Admin for the tenants in the table of c.
func New(c directory.Config) Admin {
	c.Table = table.Metered{Table: c.Table}
	return Admin{Directory: c, Tokens: &token.Store{Table: c.Table, Now: c.Now}, Log: c.Log}
}

// commandInput holds the fields of an event. Each command accepts some of them.
type commandInput struct {
	Command  string          `json:"command"`
	Tenant   string          `json:"tenant"`
	Label    string          `json:"label"`
	Token    string          `json:"token"`    // the ID of a token
	Days     *int            `json:"days"`     // lifetime of a new token; nil: token.DefaultLifetime
	Hours    *int            `json:"hours"`    // overlap of a rotated token; nil: token.DefaultOverlap
	Settings json.RawMessage `json:"settings"` // the settings to change; null resets a setting to its default
}

// A command has the names of its required and optional fields, and the method that runs it.
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

// Execute runs the command in an event and returns its result, which encodes as a JSON object. An invalid event
// returns an error and changes nothing. The error says what the operator can do, or is the error of the table.
func (a Admin) Execute(ctx context.Context, event json.RawMessage) (any, error) {
	in, c, err := parseEvent(event)
	if err != nil {
		return nil, err
	}
	ctx, cost := directory.MeasureUsage(ctx)
	out, err := c.run(a, ctx, in)
	attrs := []slog.Attr{slog.String("command", in.Command), slog.String("tenant", in.Tenant), slog.Any("table", cost())}
	if created, ok := out.(Token); ok {
		attrs = append(attrs, slog.String("token", created.ID), slog.String("label", created.Label))
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

// parseEvent decodes an event. It rejects fields that the command does not accept, because the operator would otherwise
// believe that they had an effect.
func parseEvent(event json.RawMessage) (in commandInput, c command, err error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(event, &fields); err != nil {
		return in, c, errors.New(`the event is not a JSON object; send one such as {"command":"list-tenants"}`)
	}
	d := json.NewDecoder(bytes.NewReader(event))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return in, c, fmt.Errorf("cannot read the event: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	all := commands()
	c, known := all[in.Command]
	if !known {
		return in, c, fmt.Errorf("there is no command %q; the commands are %s", in.Command,
			strings.Join(slices.Sorted(maps.Keys(all)), ", "))
	}
	for _, name := range c.required {
		if v := string(fields[name]); v == "" || v == `""` || v == "null" {
			return in, c, fmt.Errorf("%s is missing; %s requires %s", name, in.Command, strings.Join(c.required, " and "))
		}
	}
	accepted := slices.Concat([]string{"command"}, c.required, c.optional)
	for name := range fields {
		if !slices.Contains(accepted, name) {
			return in, c, fmt.Errorf("%s does not accept %s; it accepts only %s", in.Command, name, strings.Join(accepted, ", "))
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
		return fmt.Errorf("tenant %q is not valid; a name has 1 to 63 lowercase letters, digits, and hyphens, and neither "+
			"begins nor ends with a hyphen", in.Tenant)
	case in.Token != "" && !tokenID.MatchString(in.Token): // the error does not repeat what may be the token itself
		return errors.New("token is not a token ID; an ID has 16 digits and letters from a to f, see list-tokens")
	case in.Label != "" && !tokenLabel.MatchString(in.Label):
		return fmt.Errorf("label %q is not valid; a label has 1 to 64 letters, digits, spaces, and characters of . _ -, "+
			"and begins with a letter or a digit", in.Label)
	case in.Days != nil && (*in.Days < 1 || time.Duration(*in.Days)*day > token.MaxLifetime):
		return fmt.Errorf("days is %d; it must be from 1 to %d", *in.Days, token.MaxLifetime/day)
	case in.Hours != nil && (*in.Hours < 0 || time.Duration(*in.Hours)*time.Hour > maxOverlap):
		return fmt.Errorf("hours is %d; it must be from 0 to %d", *in.Hours, maxOverlap/time.Hour)
	}
	return nil
}

const (
	day        = 24 * time.Hour
	maxOverlap = 30 * day
)

// explainError adds the offending value and a remedy to the errors of package token. It returns other errors unchanged.
func explainError(err error, in commandInput) error {
	switch {
	case errors.Is(err, token.ErrNoTenant):
		return fmt.Errorf("tenant %s does not exist or is deleted; see list-tenants", in.Tenant)
	case errors.Is(err, token.ErrTenantExists):
		return fmt.Errorf("tenant %s exists already; a deleted tenant keeps its name for %d days, and enable-tenant "+
			"restores it", in.Tenant, DeletedRetention/day)
	case errors.Is(err, token.ErrNoToken):
		return fmt.Errorf("tenant %s has no token %q; see list-tokens", in.Tenant, in.Token)
	case errors.Is(err, token.ErrLabelTaken):
		return fmt.Errorf("tenant %s has a valid token with the label %q; replace it with rotate-token, or use another "+
			"label for another connection", in.Tenant, in.Label)
	case errors.Is(err, token.ErrTooManyTokens):
		return fmt.Errorf("tenant %s has %d valid tokens, which is the maximum; revoke one with revoke-token",
			in.Tenant, token.MaxTokens)
	}
	return err
}
