package token

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"serverless-scim/internal/table"
)

// ErrNoToken says that a tenant has no token with an id; ErrLabelTaken, that it has one with a label; ErrTooMany, that it
// has as many as one can have.
var (
	ErrNoToken       = errors.New("token: the tenant has no such token")
	ErrLabelTaken    = errors.New("token: the tenant has a valid token with this label")
	ErrTooManyTokens = fmt.Errorf("token: a tenant has at most %d tokens that are valid", MaxTokens)
)

const (
	DefaultLifetime = 365 * 24 * time.Hour // of a token, unless another is asked for
	MaxLifetime     = 2 * DefaultLifetime  // lifetime there can be: RFC 7644 §7.4 wants one
	DefaultOverlap  = 24 * time.Hour       // for which the old token goes on beside the one that takes its place
	MaxTokens       = 20                   // valid tokens of a tenant

	expiredRetention = 7 * 24 * time.Hour // after its end, for lists; then DynamoDB's time to live takes it
)

// tokenItem is a token in the table, without the token. Times are in seconds of Unix time.
type tokenItem struct {
	table.Key
	Tenant     string `dynamodbav:"tenant"`
	Label      string `dynamodbav:"label"`
	Created    int64  `dynamodbav:"created"`
	ExpiresAt  int64  `dynamodbav:"ends"`
	LastUsedAt int64  `dynamodbav:"used,omitempty"`
	PurgeAt    int64  `dynamodbav:"expires"` // when DynamoDB may remove it
}

func tokenKey(hash string) table.Key { return table.Key{PK: "token#" + hash, SK: "@"} }

func (i tokenItem) hash() string { return strings.TrimPrefix(i.PK, "token#") }

// tokenListItem is a token among those of its tenant.
type tokenListItem struct {
	table.Key
	Hash    string `dynamodbav:"hash"`
	Removed int64  `dynamodbav:"expires"`
}

// tokenListKey is where a token is listed.
func tokenListKey(tenant, id string) table.Key {
	return table.Key{PK: tokenListPartition(tenant), SK: id}
}

func tokenListPartition(tenant string) string { return table.EscapeKeyPart(tenant) + "#token" }

// Token is what can be told of a token.
type Token struct {
	ID      string
	Label   string
	Created time.Time
	Expires time.Time
	Used    time.Time // to the hour; zero: never
}

func (i tokenItem) token() Token {
	return Token{ID: tokenID(i.hash()), Label: i.Label, Created: fromUnix(i.Created), Expires: fromUnix(i.ExpiresAt), Used: fromUnix(i.LastUsedAt)}
}

// Create makes a secret a token of a tenant, if that exists, is not deleted and has not too many. A label stands for one
// connection: only rotation gives it a second token. A secret that begins as tokens do must be one that New made.
func (s *Store) Create(ctx context.Context, tenant, label, secret string, lifetime time.Duration) (Token, error) {
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
	return s.writeToken(ctx, tenant, label, secret, lifetime)
}

// unexpired is those of tokens that have not ended.
func (s *Store) unexpired(list []tokenItem) (valid []tokenItem) {
	for _, it := range list {
		if it.ExpiresAt > s.Now().Unix() {
			valid = append(valid, it)
		}
	}
	return valid
}

// writeToken writes a token, and beside it in the same transaction what else is to be done.
func (s *Store) writeToken(ctx context.Context, tenant, label, secret string, lifetime time.Duration, beside ...table.Write) (Token, error) {
	if _, ok := tenantFromToken(secret); !ok {
		return Token{}, fmt.Errorf("token: what begins with %s must be a token that was made here", Prefix)
	}
	now, hash := s.Now(), hashToken(secret)
	it := tokenItem{Key: tokenKey(hash), Tenant: tenant, Label: label, Created: now.Unix(), ExpiresAt: now.Add(lifetime).Unix(),
		PurgeAt: now.Add(lifetime + expiredRetention).Unix()}
	exists := []table.Condition{table.Exists(), table.AttributeNotExists("deleted")}
	err := s.Table.Write(ctx, append([]table.Write{
		table.ConditionCheck{Key: tenantKey(tenant), If: exists},
		table.Put{Item: marshal(it)},
		table.Put{Item: marshal(tokenListItem{tokenListKey(tenant, tokenID(hash)), hash, it.PurgeAt})},
	}, beside...)...)
	refused := (*table.ConditionError)(nil)
	if errors.As(err, &refused) {
		if _, tenantGone := refused.Items[0]; tenantGone {
			return Token{}, ErrNoTenant
		}
		return Token{}, ErrNoToken // of those that a token takes the place of
	}
	return it.token(), err
}

// Tokens lists the tokens of a tenant, those that have ended a few days ago among them.
func (s *Store) Tokens(ctx context.Context, tenant string) (all []Token, err error) {
	list, err := s.loadTokens(ctx, tenant)
	for _, it := range list {
		all = append(all, it.token())
	}
	return all, err
}

func (s *Store) loadTokens(ctx context.Context, tenant string) (all []tokenItem, err error) {
	page, err := s.Table.Query(ctx, table.Range{PK: tokenListPartition(tenant)}) // few enough for one page
	if err != nil {
		return nil, err
	}
	keys := make([]table.Key, len(page.Items))
	for i, it := range page.Items {
		keys[i] = tokenKey(table.StringValue(it["hash"]))
	}
	found, err := s.Table.Get(ctx, nil, keys...)
	for _, it := range found {
		var i tokenItem
		if err := unmarshal(it, &i); err != nil {
			return nil, err
		}
		if i.Tenant == tenant { // and has not become another's since
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(a, b tokenItem) int { return cmp.Or(cmp.Compare(a.Created, b.Created), cmp.Compare(a.PK, b.PK)) })
	return all, err
}

// findToken finds one of the tokens, or gives ErrNoToken.
func findToken(list []tokenItem, id string) (tokenItem, error) {
	for _, it := range list {
		if it.token().ID == id {
			return it, nil
		}
	}
	return tokenItem{}, ErrNoToken
}

// Revoke ends a token at once, but for the seconds for which instances remember it; or gives ErrNoToken.
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

// Rotate makes a token with the label and the lifetime of another, which ends after an overlap, if it does not sooner.
func (s *Store) Rotate(ctx context.Context, tenant, id, secret string, overlap time.Duration) (Token, error) {
	list, err := s.loadTokens(ctx, tenant)
	if err != nil {
		return Token{}, err
	}
	old, err := findToken(list, id)
	if err == nil && len(s.unexpired(list)) >= MaxTokens {
		err = ErrTooManyTokens
	}
	if err != nil {
		return Token{}, err
	}
	lifetime := time.Duration(old.PurgeAt-old.Created)*time.Second - expiredRetention
	end := min(old.ExpiresAt, s.Now().Add(overlap).Unix())
	return s.writeToken(ctx, tenant, old.Label, secret, lifetime, table.Update{
		Key: old.Key, Set: table.Item{"ends": table.N(end)}, If: []table.Condition{table.Equals("ends", table.N(old.ExpiresAt))},
	})
}

// ReplaceToken makes a secret the only token of a tenant with a label, and the tenant where there is none.
func (s *Store) ReplaceToken(ctx context.Context, tenant, label, secret string) error {
	if _, err := s.CreateTenant(ctx, tenant); err != nil && !errors.Is(err, ErrTenantExists) {
		return err
	}
	list, err := s.loadTokens(ctx, tenant)
	if err != nil {
		return err
	}
	var old []table.Write
	for _, it := range list {
		if it.Label == label && it.hash() != hashToken(secret) {
			old = append(old, table.Delete{Key: it.Key}, table.Delete{Key: tokenListKey(tenant, it.token().ID)})
		}
	}
	_, err = s.writeToken(ctx, tenant, label, secret, DefaultLifetime, old...)
	return err
}
