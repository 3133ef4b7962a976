package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/token"
)

// A command has the names of its required and optional fields, the method that runs it, and its effect in a sentence.
type command struct {
	required, optional []string
	run                func(Admin, context.Context, commandInput) (any, error)
	effect             string
}

func commands() map[string]command {
	tenant := []string{"tenant"}
	tenantAndSettings, tenantAndToken := []string{"tenant", "settings"}, []string{"tenant", "token"}
	tenantAndClient := []string{"tenant", "client"}
	return map[string]command{
		"create-tenant":  {tenant, []string{"settings"}, Admin.createTenant, "Creates a tenant."},
		"list-tenants":   {nil, nil, Admin.listTenants, "Returns all tenants with their settings."},
		"show-tenant":    {tenant, nil, Admin.showTenant, "Returns a tenant and the number of its resources."},
		"set":            {tenantAndSettings, nil, Admin.updateSettings, "Changes settings. null restores a default."},
		"disable-tenant": {tenant, nil, Admin.disable, "Rejects all requests of the tenant."},
		"enable-tenant":  {tenant, nil, Admin.enable, "Accepts requests again. It restores a deleted tenant."},
		"release-tenant": {tenant, nil, Admin.releaseTenant, "Continues after the deprovisioning guard."},
		"delete-tenant":  {tenant, nil, Admin.deleteTenant, "Disables the tenant, and removes it after 30 days."},
		"create-token":   {[]string{"tenant", "label"}, []string{"days", "scope"}, Admin.createToken, "Returns a new token of scope scim, or scim.read."},
		"list-tokens":    {tenant, nil, Admin.listTokens, "Returns the IDs, labels, scopes, and last uses of tokens."},
		"revoke-token":   {tenantAndToken, nil, Admin.revokeToken, "Invalidates the token with this ID."},
		"create-client": {[]string{"tenant", "label"}, []string{"scope", "minutes", "days", "keys", "federation"},
			Admin.createClient, "Returns a new OAuth client, with a secret unless it has keys or a federation."},
		"list-clients":         {tenant, nil, Admin.listClients, "Returns the OAuth clients, and when their secrets expire."},
		"rotate-client-secret": {tenantAndClient, []string{"hours", "days"}, Admin.rotateClientSecret, "Returns a new secret of the client with this ID."},
		"revoke-client":        {tenantAndClient, nil, Admin.revokeClient, "Invalidates the client with this ID and its access tokens."},
		"reset-feed":           {nil, tenant, Admin.resetFeed, "Lets readers of /Changes begin again, of all tenants without tenant."},
		"rotate-token":         {tenantAndToken, []string{"hours"}, Admin.rotateToken, "Replaces the token with this ID."},
	}
}

// Usage describes all commands, a line each: the name, the fields with the optional ones in brackets, and the effect.
func Usage() string {
	var b strings.Builder
	all := commands()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fields := strings.Join(all[name].required, ", ")
		for _, optional := range all[name].optional {
			fields += " [" + optional + "]"
		}
		fmt.Fprintf(&b, "  %-20s  %-59s  %s\n", name, strings.TrimSpace(fields), all[name].effect)
	}
	return b.String()
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
	attrs = append(attrs, auditedSubject(out, in)...)
	outcome := "done"
	if err != nil {
		outcome = "failed"
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	a.Log.LogAttrs(ctx, slog.LevelInfo, "audit", append(attrs, slog.String("outcome", outcome))...)
	return out, explainError(err, in)
}

// auditedSubject returns what the audit log says about the token or client of a command. A result has more than the input.
func auditedSubject(out any, in commandInput) []slog.Attr {
	describe := func(kind, id, label string, scope token.Scope) []slog.Attr {
		return []slog.Attr{slog.String(kind, id), slog.String("label", label), slog.String("scope", string(scope))}
	}
	switch created := out.(type) {
	case Token:
		return describe("token", created.ID, created.Label, created.Scope)
	case Client:
		return describe("client", created.ID, created.Label, created.Scope)
	}
	var attrs []slog.Attr
	if in.Token != "" {
		attrs = append(attrs, slog.String("token", in.Token))
	}
	if in.Client != "" {
		attrs = append(attrs, slog.String("client", in.Client))
	}
	return attrs
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
		return in, c, fmt.Errorf("cannot read the event: %s", explainDecodeError(err))
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
	case errors.Is(err, token.ErrRotated):
		return fmt.Errorf("token %s of tenant %s is being rotated already; use the token that replaced it, see list-tokens, "+
			"or end the rotated one with revoke-token", in.Token, in.Tenant)
	case errors.Is(err, token.ErrLabelTaken) && in.Command == "create-client":
		return fmt.Errorf("tenant %s has a client with the label %q; replace its secret with rotate-client-secret, or use another "+
			"label for another connection", in.Tenant, in.Label)
	case errors.Is(err, token.ErrNoClient):
		return fmt.Errorf("tenant %s has no client %s; see list-clients", in.Tenant, in.Client)
	case errors.Is(err, token.ErrNoSecrets):
		return fmt.Errorf("client %s authenticates by assertions and has no secret; to change its keys, create another client", in.Client)
	case errors.Is(err, token.ErrTooManyClients):
		return fmt.Errorf("tenant %s has %d clients, which is the maximum; revoke one with revoke-client", in.Tenant, token.MaxClients)
	case errors.Is(err, token.ErrTooManySecrets):
		return fmt.Errorf("client %s has %d valid secrets, which is the maximum; reduce the overlap with hours", in.Client,
			token.MaxClientSecrets)
	case errors.Is(err, token.ErrLabelTaken):
		return fmt.Errorf("tenant %s has a valid token with the label %q; replace it with rotate-token, or use another "+
			"label for another connection", in.Tenant, in.Label)
	case errors.Is(err, token.ErrTooManyTokens):
		return fmt.Errorf("tenant %s has %d valid tokens, which is the maximum; revoke one with revoke-token",
			in.Tenant, token.MaxTokens)
	}
	return err
}
