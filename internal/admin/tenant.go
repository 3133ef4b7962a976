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

// Grace is how long a tenant that is deleted can be brought back.
const Grace = 30 * day

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

func told(t token.Tenant) Tenant {
	since := func(at time.Time) *time.Time {
		if at.IsZero() {
			return nil
		}
		return &at
	}
	out := Tenant{Tenant: t.Name, Hash: t.Hash(), Created: t.Created, Disabled: since(t.Disabled), Deleted: since(t.Deleted),
		Stopped: since(t.Stopped), Settings: t.Settings}
	if out.Deleted != nil {
		out.Purged = since(t.Deleted.Add(Grace))
	}
	return out
}

func (a Admin) createTenant(ctx context.Context, in input) (any, error) {
	s, err := a.settings(token.Settings{}, in.Settings)
	if err != nil {
		return nil, err
	}
	t, err := a.Tokens.CreateTenant(ctx, in.Tenant)
	if err != nil || in.Settings == nil {
		return told(t), err
	}
	return a.change(ctx, in, func(t *token.Tenant) error { t.Settings = s; return nil })
}

func (a Admin) listTenants(ctx context.Context, _ input) (any, error) {
	list, err := a.Tokens.Tenants(ctx)
	all := []Tenant{}
	for _, t := range list {
		all = append(all, told(t))
	}
	return map[string]any{"tenants": all}, err
}

func (a Admin) showTenant(ctx context.Context, in input) (any, error) {
	t, err := a.Tokens.Tenant(ctx, in.Tenant)
	if err != nil {
		return nil, err
	}
	out := told(t)
	out.Counts = map[string]int{}
	for _, rt := range a.Directory.Types.ResourceTypes {
		if out.Counts[rt.Name], err = a.directory(in.Tenant).Count(ctx, rt); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (a Admin) change(ctx context.Context, in input, change func(*token.Tenant) error) (any, error) {
	t, err := a.Tokens.ChangeTenant(ctx, in.Tenant, change)
	if err != nil {
		return nil, err
	}
	return told(t), nil
}

func (a Admin) set(ctx context.Context, in input) (any, error) {
	return a.change(ctx, in, func(t *token.Tenant) (err error) {
		t.Settings, err = a.settings(t.Settings, in.Settings)
		return err
	})
}

// settings is those that a tenant has, with some changed.
func (a Admin) settings(old token.Settings, change json.RawMessage) (s token.Settings, err error) {
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
	return s, a.check(s)
}

func (a Admin) check(s token.Settings) error {
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

func (a Admin) disable(ctx context.Context, in input) (any, error) {
	return a.change(ctx, in, func(t *token.Tenant) error {
		t.Disabled = earlier(t.Disabled, a.Directory.Now())
		return nil
	})
}

// enable opens a tenant again that was disabled or deleted.
func (a Admin) enable(ctx context.Context, in input) (any, error) {
	return a.change(ctx, in, func(t *token.Tenant) error {
		if purging(*t, a.Directory.Now()) {
			return fmt.Errorf("tenant %s was deleted more than 30 days ago, and is being removed", in.Tenant)
		}
		t.Disabled, t.Deleted = time.Time{}, time.Time{}
		return nil
	})
}

func (a Admin) release(ctx context.Context, in input) (any, error) {
	if err := a.Tokens.ForgetDeprovisioned(ctx, in.Tenant); err != nil {
		return nil, err
	}
	return a.change(ctx, in, func(t *token.Tenant) error { t.Stopped = time.Time{}; return nil })
}

func (a Admin) deleteTenant(ctx context.Context, in input) (any, error) {
	return a.change(ctx, in, func(t *token.Tenant) error {
		t.Deleted = earlier(t.Deleted, a.Directory.Now())
		return nil
	})
}

// earlier is the time since when something is so.
func earlier(since, now time.Time) time.Time {
	if since.IsZero() {
		return now.UTC().Truncate(time.Second)
	}
	return since
}

func (a Admin) directory(tenant string) *directory.Directory {
	return directory.New(a.Directory, tenant, "")
}
