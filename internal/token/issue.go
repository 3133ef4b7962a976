package token

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"serverless-scim/internal/table"
)

var (
	// ErrNoToken reports that a tenant has no token with the ID.
	ErrNoToken = errors.New("token: the tenant has no such token")
	// ErrRotated reports that a token was rotated and is still valid, so that it has a replacement already.
	ErrRotated = errors.New("token: the token is being rotated already")
	// ErrLabelTaken reports that a tenant has an unexpired token with the label of a new token, or a client with the label
	// of a new client.
	ErrLabelTaken = errors.New("token: the tenant has a valid token or client with this label")
	// ErrTooManyTokens reports that a tenant has MaxTokens unexpired tokens.
	ErrTooManyTokens = fmt.Errorf("token: the tenant has %d valid tokens, which is the maximum", MaxTokens)
)

const (
	DefaultLifetime = 365 * 24 * time.Hour // of a token
	MaxLifetime     = 2 * DefaultLifetime  // RFC 7644 §7.4: the lifetime of a token is limited
	DefaultOverlap  = 24 * time.Hour       // how long a rotated token stays valid
	MaxTokens       = 20                   // unexpired tokens of a tenant

	expiredRetention = 7 * 24 * time.Hour // how long an expired token is listed, before DynamoDB's time to live deletes it
)

// Create stores secret as a token of a tenant. A label stands for one connection, so only Rotate issues a second token
// with the same label. A secret that begins with Prefix must come from New. The scope must be known.
//
// Create returns ErrNoTenant if the tenant does not exist or is deleted, ErrLabelTaken, or ErrTooManyTokens.
func (s *Store) Create(
	ctx context.Context, tenant, label, secret string, scope Scope, lifetime time.Duration,
) (Token, error) {
	list, err := s.loadTokens(ctx, tenant)
	if err != nil {
		return Token{}, err
	}
	valid := s.unexpired(list)
	switch {
	case slices.ContainsFunc(valid, func(it tokenItem) bool { return it.Label == label }):
		return Token{}, ErrLabelTaken
	case len(valid) >= MaxTokens:
		return Token{}, ErrTooManyTokens
	}
	return s.writeToken(ctx, tenant, label, secret, scope, lifetime)
}

// unexpired returns the tokens of list that have not expired.
func (s *Store) unexpired(list []tokenItem) (valid []tokenItem) {
	for _, it := range list {
		if it.ExpiresAt > s.Now().Unix() {
			valid = append(valid, it)
		}
	}
	return valid
}

// writeToken stores a token and its list entry, in one transaction with the extra writes. It returns ErrNoTenant if the
// tenant does not exist or is deleted, and table.ErrConflict if a condition of an extra write fails.
func (s *Store) writeToken(
	ctx context.Context, tenant, label, secret string, scope Scope, lifetime time.Duration, extra ...table.Write,
) (Token, error) {
	if _, ok := tenantFromToken(secret); !ok { // the error does not repeat the secret
		return Token{}, fmt.Errorf("token: a chosen token must not begin with %s; choose another beginning", Prefix)
	}
	if !scope.IsKnown() {
		return Token{}, fmt.Errorf("token: there is no scope %q; the scopes are %s and %s", scope, ScopeAll, ScopeRead)
	}
	now, hash := s.Now(), hashToken(secret)
	it := tokenItem{Key: tokenKey(hash), Tenant: tenant, Label: label, Scope: scope, Created: now.Unix(),
		CreatedNanos: now.Nanosecond(), ExpiresAt: now.Add(lifetime).Unix(),
		PurgeAt: now.Add(lifetime + expiredRetention).Unix()}
	notDeleted := []table.Condition{table.Exists(), table.AttributeNotExists("deleted")}
	err := s.Table.Write(ctx, append([]table.Write{
		table.ConditionCheck{Key: tenantKey(tenant), If: notDeleted},
		table.Put{Item: it.item()},
		table.Put{Item: marshalItem(tokenListItem{tokenListKey(tenant, tokenID(hash)), hash, it.PurgeAt})},
	}, extra...)...)
	if failed := (*table.ConditionError)(nil); errors.As(err, &failed) {
		if _, tenantFailed := failed.Items[0]; tenantFailed {
			return Token{}, ErrNoTenant
		}
		return Token{}, table.ErrConflict
	}
	return it.token(), err
}

// Tokens lists the tokens of a tenant in the order of their creation, including those that expired in the last days.
// The list is empty if the tenant does not exist.
func (s *Store) Tokens(ctx context.Context, tenant string) (tokens []Token, err error) {
	list, err := s.loadTokens(ctx, tenant)
	for _, it := range list {
		tokens = append(tokens, it.token())
	}
	return tokens, err
}

func (s *Store) loadTokens(ctx context.Context, tenant string) (list []tokenItem, err error) {
	page, err := s.Table.Query(ctx, table.Range{PK: tokenListPartition(tenant)}) // the entries fit one page
	if err != nil {
		return nil, err
	}
	keys := make([]table.Key, len(page.Items))
	for i, it := range page.Items {
		keys[i] = tokenKey(table.StringValue(it["hash"]))
	}
	items, err := s.Table.Get(ctx, nil, keys...)
	for _, it := range items {
		i, err := decodeToken(it)
		if err != nil {
			return nil, err
		}
		if i.Tenant == tenant { // ReplaceToken for another tenant takes over a chosen token, but leaves the list entry here
			list = append(list, i)
		}
	}
	slices.SortFunc(list, func(a, b tokenItem) int {
		return cmp.Or(cmp.Compare(a.Created, b.Created), cmp.Compare(a.CreatedNanos, b.CreatedNanos),
			cmp.Compare(a.PK, b.PK))
	})
	return list, err
}

// findToken returns the token of list with an ID, or ErrNoToken.
func findToken(list []tokenItem, id string) (tokenItem, error) {
	for _, it := range list {
		if it.token().ID == id {
			return it, nil
		}
	}
	return tokenItem{}, ErrNoToken
}

// Revoke deletes a token, or returns ErrNoToken. An instance that has the token in its cache accepts it for up to
// five more seconds.
func (s *Store) Revoke(ctx context.Context, tenant, id string) error {
	list, err := s.loadTokens(ctx, tenant)
	if err != nil {
		return err
	}
	it, err := findToken(list, id)
	if err != nil {
		return err
	}
	return s.Table.Write(ctx, table.Delete{Key: it.Key}, table.Delete{Key: tokenListKey(tenant, id)})
}

// Rotate stores secret as a new token with the label, the scope, and the lifetime of the token with an ID. The old token
// expires after the overlap, or at its own end if that is earlier. Rotate returns ErrNoToken, ErrTooManyTokens,
// ErrNoTenant if the tenant is deleted, or ErrRotated if the token was rotated and has not expired.
func (s *Store) Rotate(ctx context.Context, tenant, id, secret string, overlap time.Duration) (t Token, err error) {
	err = table.Backoff{}.RetryConflicts(ctx, func() error {
		t, err = s.rotateOnce(ctx, tenant, id, secret, overlap)
		return err
	})
	return t, err
}

// rotateOnce is Rotate, but returns table.ErrConflict if the old token has changed after it was read.
func (s *Store) rotateOnce(ctx context.Context, tenant, id, secret string, overlap time.Duration) (Token, error) {
	list, err := s.loadTokens(ctx, tenant)
	if err != nil {
		return Token{}, err
	}
	old, err := findToken(list, id)
	switch {
	case err != nil:
		return Token{}, err
	case old.RotatedAt != 0 && old.ExpiresAt > s.Now().Unix():
		return Token{}, ErrRotated
	case len(s.unexpired(list)) >= MaxTokens:
		return Token{}, ErrTooManyTokens
	}
	// An earlier rotation may have reduced ExpiresAt. PurgeAt still shows the original lifetime.
	lifetime := time.Duration(old.PurgeAt-old.Created)*time.Second - expiredRetention
	end := min(old.ExpiresAt, s.Now().Add(overlap).Unix())
	unchanged := []table.Condition{table.Equals("ends", table.N(old.ExpiresAt)), table.AttributeNotExists("rotated")}
	if old.RotatedAt != 0 {
		unchanged[1] = table.Equals("rotated", table.N(old.RotatedAt))
	}
	return s.writeToken(ctx, tenant, old.Label, secret, old.Scope, lifetime, table.Update{
		Key: old.Key, Set: table.Item{"ends": table.N(end), "rotated": table.N(s.Now().Unix())}, If: unchanged,
	})
}

// ReplaceToken makes secret the only token of a tenant with the label, with ScopeAll. It creates the tenant if it does
// not exist, and deletes the other tokens with the label.
func (s *Store) ReplaceToken(ctx context.Context, tenant, label, secret string) error {
	if _, err := s.CreateTenant(ctx, tenant); err != nil && !errors.Is(err, ErrTenantExists) {
		return err
	}
	list, err := s.loadTokens(ctx, tenant)
	if err != nil {
		return err
	}
	var deletes []table.Write
	for _, it := range list {
		if it.Label == label && it.hash() != hashToken(secret) {
			deletes = append(deletes, table.Delete{Key: it.Key}, table.Delete{Key: tokenListKey(tenant, it.token().ID)})
		}
	}
	_, err = s.writeToken(ctx, tenant, label, secret, ScopeAll, DefaultLifetime, deletes...)
	return err
}
