package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/token"
)

// DeletedRetention is how long a tenant that is deleted can be brought back.
const DeletedRetention = 30 * day

// Tenant is what commands tell of a tenant.
type Tenant struct {
	Tenant   string         `json:"tenant"`
	Hash     string         `json:"hash"` // stands for it in the log of requests
	Created  time.Time      `json:"created"`
	Disabled *time.Time     `json:"disabled,omitempty"` // since when its tokens open nothing
	Deleted  *time.Time     `json:"deleted,omitempty"`
	Purged   *time.Time     `json:"purged,omitempty"`  // when what is left of it goes for good
	Stopped  *time.Time     `json:"stopped,omitempty"` // since when its users cannot be deprovisioned
	Settings token.Settings `json:"settings"`          // those that are not the default
	Counts   map[string]int `json:"counts,omitempty"`  // of resources, by their type
}

func tenantView(t token.Tenant) Tenant {
	since := func(at time.Time) *time.Time {
		if at.IsZero() {
			return nil
		}
		return &at
	}
	out := Tenant{Tenant: t.Name, Hash: t.Hash(), Created: t.Created, Disabled: since(t.DisabledAt), Deleted: since(t.DeletedAt),
		Stopped: since(t.DeprovisioningStoppedAt), Settings: t.Settings}
	if out.Deleted != nil {
		out.Purged = since(t.DeletedAt.Add(DeletedRetention))
	}
	return out
}

func (a Admin) createTenant(ctx context.Context, in commandInput) (any, error) {
	s, err := a.mergeSettings(token.Settings{}, in.Settings)
	if err != nil {
		return nil, err
	}
	t, err := a.Tokens.CreateTenant(ctx, in.Tenant)
	if err != nil || in.Settings == nil {
		return tenantView(t), err
	}
	return a.updateTenant(ctx, in, func(t *token.Tenant) error { t.Settings = s; return nil })
}

func (a Admin) listTenants(ctx context.Context, _ commandInput) (any, error) {
	list, err := a.Tokens.Tenants(ctx)
	all := []Tenant{}
	for _, t := range list {
		all = append(all, tenantView(t))
	}
	return map[string]any{"tenants": all}, err
}

func (a Admin) showTenant(ctx context.Context, in commandInput) (any, error) {
	t, err := a.Tokens.Tenant(ctx, in.Tenant)
	if err != nil {
		return nil, err
	}
	out := tenantView(t)
	out.Counts = map[string]int{}
	for _, rt := range a.Directory.Types.ResourceTypes {
		if out.Counts[rt.Name], err = a.directoryFor(in.Tenant).Count(ctx, rt); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (a Admin) updateTenant(ctx context.Context, in commandInput, change func(*token.Tenant) error) (any, error) {
	t, err := a.Tokens.UpdateTenant(ctx, in.Tenant, change)
	if err != nil {
		return nil, err
	}
	return tenantView(t), nil
}

func (a Admin) updateSettings(ctx context.Context, in commandInput) (any, error) {
	return a.updateTenant(ctx, in, func(t *token.Tenant) (err error) {
		t.Settings, err = a.mergeSettings(t.Settings, in.Settings)
		return err
	})
}

// mergeSettings is those that a tenant has, with some changed.
func (a Admin) mergeSettings(old token.Settings, change json.RawMessage) (s token.Settings, err error) {
	before, err := json.Marshal(old)
	if err != nil {
		return s, fmt.Errorf("admin: %w", err)
	}
	merged := map[string]json.RawMessage{}
	for _, layer := range [][]byte{before, change} {
		if err := json.Unmarshal(layer, &merged); layer != nil && err != nil {
			return s, errors.New(`settings must be a JSON object such as {"strictMembers":true}`)
		}
	}
	maps.DeleteFunc(merged, func(_ string, v json.RawMessage) bool { return string(v) == "null" })
	text, err := json.Marshal(merged)
	if err != nil {
		return s, fmt.Errorf("admin: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("cannot read the settings: %s; there are strictMembers and noContent (true or false), "+
			"resourceTypes (names), rateLimit (requests a second) and deprovisioning (per cent)", strings.TrimPrefix(err.Error(), "json: "))
	}
	return s, a.validateSettings(s)
}

func (a Admin) validateSettings(s token.Settings) error {
	var names []string
	for _, rt := range a.Directory.Types.ResourceTypes {
		names = append(names, rt.Name)
	}
	for _, name := range s.ResourceTypes {
		if !slices.Contains(names, name) {
			return fmt.Errorf("there is no resource type %q; there are %s", name, strings.Join(names, ", "))
		}
	}
	switch {
	case s.RateLimit != nil && (*s.RateLimit < 0 || *s.RateLimit > 100_000):
		return errors.New("rateLimit must be a number of requests a second up to 100000; 0 for no limit, null for the service's")
	case s.Deprovisioning < 0 || s.Deprovisioning > 100:
		return errors.New("deprovisioning must be per cent from 1 to 100, or 0 for no guard")
	}
	return nil
}

func (a Admin) disable(ctx context.Context, in commandInput) (any, error) {
	return a.updateTenant(ctx, in, func(t *token.Tenant) error {
		t.DisabledAt = firstTime(t.DisabledAt, a.Directory.Now())
		return nil
	})
}

// enable opens a tenant again that was disabled or deleted.
func (a Admin) enable(ctx context.Context, in commandInput) (any, error) {
	return a.updateTenant(ctx, in, func(t *token.Tenant) error {
		if isDueForPurge(*t, a.Directory.Now()) {
			return fmt.Errorf("tenant %s was deleted more than 30 days ago, and is being removed", in.Tenant)
		}
		t.DisabledAt, t.DeletedAt = time.Time{}, time.Time{}
		return nil
	})
}

func (a Admin) releaseTenant(ctx context.Context, in commandInput) (any, error) {
	if err := a.Tokens.ResetDeprovisioned(ctx, in.Tenant); err != nil {
		return nil, err
	}
	return a.updateTenant(ctx, in, func(t *token.Tenant) error { t.DeprovisioningStoppedAt = time.Time{}; return nil })
}

func (a Admin) deleteTenant(ctx context.Context, in commandInput) (any, error) {
	return a.updateTenant(ctx, in, func(t *token.Tenant) error {
		t.DeletedAt = firstTime(t.DeletedAt, a.Directory.Now())
		return nil
	})
}

// firstTime is the time since when something is so.
func firstTime(since, now time.Time) time.Time {
	if since.IsZero() {
		return now.UTC().Truncate(time.Second)
	}
	return since
}

func (a Admin) directoryFor(tenant string) *directory.Store {
	return directory.New(a.Directory, tenant, "")
}
