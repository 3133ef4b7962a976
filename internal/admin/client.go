package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"serverless-scim/internal/token"
)

// A Client is the form in which commands return an OAuth client.
type Client struct {
	ID         string         `json:"client_id"`
	Secret     string         `json:"client_secret,omitempty"` // only in the result of the command that generates it
	Label      string         `json:"label"`
	Scope      token.Scope    `json:"scope"`
	Created    time.Time      `json:"created"`
	Minutes    int            `json:"minutes"`              // lifetime of access tokens
	Secrets    []ClientSecret `json:"secrets,omitempty"`    // that had not expired at the last rotation
	Keys       *Keys          `json:"keys,omitempty"`       // the client's own keys
	Federation *Federation    `json:"federation,omitempty"` // the assertions of another issuer
	Enter      string         `json:"enter,omitempty"`      // what to enter at the identity provider; only of a new client or secret
}

// A ClientSecret is the form in which commands return a secret of a client, without the secret itself.
type ClientSecret struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Expired bool      `json:"expired,omitempty"`
}

// Keys are the keys with which a client signs its assertions: a key set, or its URL.
type Keys struct {
	JWKS json.RawMessage `json:"jwks,omitempty"`
	URL  string          `json:"url,omitempty"`
}

// A Federation says which assertions of another issuer authenticate a client. URL is that of the issuer's key set.
type Federation struct {
	Issuer   string `json:"issuer"`
	URL      string `json:"url"`
	Subject  string `json:"subject"`
	Audience string `json:"audience"`
}

// What to enter at the identity provider.
const (
	enterAddresses = "Enter at the identity provider the base URL, as token URL the base URL followed by /oauth/token, and "
	enterSecret    = enterAddresses + "client_id and client_secret. The secret is shown only once."
	enterAssertion = enterAddresses + "client_id."
)

// clientView returns the description of a client. secret is a new secret, or empty if the result must not contain one.
func (a Admin) clientView(c token.Client, secret string) Client {
	out := Client{ID: c.ID, Secret: secret, Label: c.Label, Scope: c.Scope, Created: c.Created, Minutes: int(c.TokenLifetime / time.Minute)}
	if secret != "" {
		out.Enter = enterSecret
	}
	for _, s := range c.Secrets {
		expired := !a.Directory.Store.Now().Before(s.ExpiresAt)
		out.Secrets = append(out.Secrets, ClientSecret{s.ID, s.Created, s.ExpiresAt, expired})
	}
	switch rule := c.Assertion; {
	case rule == nil:
	case rule.Issuer == c.ID:
		out.Keys = &Keys{rule.Keys, rule.KeysURL}
	default:
		out.Federation = &Federation{rule.Issuer, rule.KeysURL, rule.Subject, rule.Audience}
	}
	return out
}

func (a Admin) createClient(ctx context.Context, in commandInput) (any, error) {
	c := token.Client{ID: token.NewClientID(in.Tenant), Tenant: in.Tenant, Label: in.Label, Scope: token.ScopeAll,
		TokenLifetime: token.MinTokenLifetime}
	if in.Scope != nil {
		c.Scope = *in.Scope
	}
	if in.Minutes != nil {
		c.TokenLifetime = time.Duration(*in.Minutes) * time.Minute
	}
	rule, err := in.assertionRule(c.ID)
	if err != nil {
		return nil, err
	}
	secret := ""
	if c.Assertion = rule; rule == nil {
		secret = token.NewClientSecret()
		err = c.AddSecret(secret, a.Directory.Store.Now(), in.secretLifetime(), 0)
	}
	if err == nil {
		c, err = a.Tokens.CreateClient(ctx, c)
	}
	if err != nil {
		return nil, err
	}
	out := a.clientView(c, secret)
	out.Enter = cmp.Or(out.Enter, enterAssertion)
	return out, nil
}

func (in commandInput) secretLifetime() time.Duration {
	if in.Days == nil {
		return token.DefaultSecretLifetime
	}
	return time.Duration(*in.Days) * day
}

func (a Admin) listClients(ctx context.Context, in commandInput) (any, error) {
	if _, err := a.Tokens.Tenant(ctx, in.Tenant); err != nil {
		return nil, err
	}
	list, err := a.Tokens.Clients(ctx, in.Tenant)
	clients := []Client{}
	for _, c := range list {
		clients = append(clients, a.clientView(c, ""))
	}
	return map[string]any{"clients": clients}, err
}

func (a Admin) rotateClientSecret(ctx context.Context, in commandInput) (any, error) {
	overlap, secret := token.DefaultOverlap, token.NewClientSecret()
	if in.Hours != nil {
		overlap = time.Duration(*in.Hours) * time.Hour
	}
	c, err := a.Tokens.AddClientSecret(ctx, in.Tenant, in.Client, secret, in.secretLifetime(), overlap)
	if err != nil {
		return nil, err
	}
	return a.clientView(c, secret), nil
}

func (a Admin) revokeClient(ctx context.Context, in commandInput) (any, error) {
	if err := a.Tokens.RevokeClient(ctx, in.Tenant, in.Client); err != nil {
		return nil, err
	}
	return map[string]any{"revoked": in.Client}, nil
}
