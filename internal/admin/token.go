package admin

import (
	"context"
	"time"

	"serverless-scim/internal/token"
)

// A Token is the form in which commands return a token.
type Token struct {
	ID      string      `json:"id"`
	Secret  string      `json:"token,omitempty"` // only in the result of the command that generates it
	Label   string      `json:"label"`
	Scope   token.Scope `json:"scope"`
	Created time.Time   `json:"created"`
	Expires time.Time   `json:"expires"`
	Used    *time.Time  `json:"used,omitempty"`    // last use, to the hour; nil: never
	Rotated *time.Time  `json:"rotated,omitempty"` // nil: it has no replacement
	Expired bool        `json:"expired,omitempty"`
}

// tokenView returns the description of a token. secret is the token itself, or empty if the result must not contain it.
func (a Admin) tokenView(t token.Token, secret string) Token {
	out := Token{ID: t.ID, Secret: secret, Label: t.Label, Scope: t.Scope, Created: t.Created, Expires: t.ExpiresAt,
		Expired: !a.Directory.Store.Now().Before(t.ExpiresAt)}
	if !t.LastUsedAt.IsZero() {
		out.Used = &t.LastUsedAt
	}
	if !t.RotatedAt.IsZero() {
		out.Rotated = &t.RotatedAt
	}
	return out
}

func (a Admin) createToken(ctx context.Context, in commandInput) (any, error) {
	lifetime, scope, secret := token.DefaultLifetime, token.ScopeAll, token.New(in.Tenant)
	if in.Scope != nil {
		scope = *in.Scope
	}
	if in.Days != nil {
		lifetime = time.Duration(*in.Days) * day
	}
	t, err := a.Tokens.Create(ctx, in.Tenant, in.Label, secret, scope, lifetime)
	if err != nil {
		return nil, err
	}
	return a.tokenView(t, secret), nil
}

func (a Admin) listTokens(ctx context.Context, in commandInput) (any, error) {
	if _, err := a.Tokens.Tenant(ctx, in.Tenant); err != nil {
		return nil, err
	}
	list, err := a.Tokens.Tokens(ctx, in.Tenant)
	tokens := []Token{}
	for _, t := range list {
		tokens = append(tokens, a.tokenView(t, ""))
	}
	return map[string]any{"tokens": tokens}, err
}

func (a Admin) revokeToken(ctx context.Context, in commandInput) (any, error) {
	if err := a.Tokens.Revoke(ctx, in.Tenant, in.Token); err != nil {
		return nil, err
	}
	return map[string]any{"revoked": in.Token}, nil
}

func (a Admin) rotateToken(ctx context.Context, in commandInput) (any, error) {
	overlap, secret := token.DefaultOverlap, token.New(in.Tenant)
	if in.Hours != nil {
		overlap = time.Duration(*in.Hours) * time.Hour
	}
	t, err := a.Tokens.Rotate(ctx, in.Tenant, in.Token, secret, overlap)
	if err != nil {
		return nil, err
	}
	return a.tokenView(t, secret), nil
}
