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
	ErrNoToken    = errors.New("token: the tenant has no such token")
	ErrLabelTaken = errors.New("token: the tenant has a valid token with this label")
	ErrTooMany    = fmt.Errorf("token: a tenant has at most %d tokens that are valid", Most)
)

const (
	Lifetime = 365 * 24 * time.Hour // of a token, unless another is asked for
	Longest  = 2 * Lifetime         // lifetime there can be: RFC 7644 §7.4 wants one
	Overlap  = 24 * time.Hour       // for which the old token goes on beside the one that takes its place
	Most     = 20                   // valid tokens of a tenant

	kept = 7 * 24 * time.Hour // after its end, for lists; then DynamoDB's time to live takes it
)

// item is a token in the table, without the token. Times are in seconds of Unix time.
type item struct {
	table.Key
	Tenant  string `dynamodbav:"tenant"`
	Label   string `dynamodbav:"label"`
	Created int64  `dynamodbav:"created"`
	Expires int64  `dynamodbav:"ends"`
	Used    int64  `dynamodbav:"used,omitempty"`
	Removed int64  `dynamodbav:"expires"` // when DynamoDB may remove it
}

func key(hash string) table.Key { return table.Key{PK: "token#" + hash, SK: "@"} }

func (i item) hash() string { return strings.TrimPrefix(i.PK, "token#") }

// listed is a token among those of its tenant.
type listed struct {
	table.Key
	Hash    string `dynamodbav:"hash"`
	Removed int64  `dynamodbav:"expires"`
}

// slot is where a token is listed.
func slot(tenant, id string) table.Key { return table.Key{PK: partition(tenant), SK: id} }

func partition(tenant string) string { return table.Escape(tenant) + "#token" }

// Token is what can be told of a token.
type Token struct {
	ID      string
	Label   string
	Created time.Time
	Expires time.Time
	Used    time.Time // to the hour; zero: never
}

func (i item) token() Token {
	return Token{ID: id(i.hash()), Label: i.Label, Created: at(i.Created), Expires: at(i.Expires), Used: at(i.Used)}
}

// Create makes a secret a token of a tenant, if that exists, is not deleted and has not too many. A label stands for one
// connection: only rotation gives it a second token. A secret that begins as tokens do must be one that New made.
func (s *Store) Create(ctx context.Context, tenant, label, secret string, lifetime time.Duration) (Token, error) {
	list, err := s.items(ctx, tenant)
	if err != nil {
		return Token{}, err
	}
	valid := s.valid(list)
	switch {
	case slices.ContainsFunc(valid, func(it item) bool { return it.Label == label }):
		return Token{}, ErrLabelTaken
	case len(valid) >= Most:
		return Token{}, ErrTooMany
	}
	return s.issue(ctx, tenant, label, secret, lifetime)
}

// valid is those of tokens that have not ended.
func (s *Store) valid(list []item) (valid []item) {
	for _, it := range list {
		if it.Expires > s.Now().Unix() {
			valid = append(valid, it)
		}
	}
	return valid
}

// issue writes a token, and beside it in the same transaction what else is to be done.
func (s *Store) issue(ctx context.Context, tenant, label, secret string, lifetime time.Duration, beside ...table.Write) (Token, error) {
	if _, ok := tenantIn(secret); !ok {
		return Token{}, fmt.Errorf("token: what begins with %s must be a token that was made here", Prefix)
	}
	now, hash := s.Now(), hashed(secret)
	it := item{Key: key(hash), Tenant: tenant, Label: label, Created: now.Unix(), Expires: now.Add(lifetime).Unix(),
		Removed: now.Add(lifetime + kept).Unix()}
	exists := []table.Condition{table.Exists(), table.Without("deleted")}
	err := s.Table.Write(ctx, append([]table.Write{
		table.Check{Key: tenantKey(tenant), If: exists},
		table.Put{Item: marshal(it)},
		table.Put{Item: marshal(listed{slot(tenant, id(hash)), hash, it.Removed})},
	}, beside...)...)
	refused := (*table.Refused)(nil)
	if errors.As(err, &refused) {
		if _, tenantGone := refused.Failed[0]; tenantGone {
			return Token{}, ErrNoTenant
		}
		return Token{}, ErrNoToken // of those that a token takes the place of
	}
	return it.token(), err
}

// Tokens lists the tokens of a tenant, those that have ended a few days ago among them.
func (s *Store) Tokens(ctx context.Context, tenant string) (all []Token, err error) {
	list, err := s.items(ctx, tenant)
	for _, it := range list {
		all = append(all, it.token())
	}
	return all, err
}

func (s *Store) items(ctx context.Context, tenant string) (all []item, err error) {
	page, err := s.Table.Query(ctx, table.Range{PK: partition(tenant)}) // few enough for one page
	if err != nil {
		return nil, err
	}
	keys := make([]table.Key, len(page.Items))
	for i, it := range page.Items {
		keys[i] = key(table.Text(it["hash"]))
	}
	found, err := s.Table.Get(ctx, nil, keys...)
	for _, it := range found {
		var i item
		if err := unmarshal(it, &i); err != nil {
			return nil, err
		}
		if i.Tenant == tenant { // and has not become another's since
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(a, b item) int { return cmp.Or(cmp.Compare(a.Created, b.Created), cmp.Compare(a.PK, b.PK)) })
	return all, err
}

// one finds one of the tokens, or gives ErrNoToken.
func one(list []item, id string) (item, error) {
	for _, it := range list {
		if it.token().ID == id {
			return it, nil
		}
	}
	return item{}, ErrNoToken
}

// Revoke ends a token at once, but for the seconds for which instances remember it; or gives ErrNoToken.
func (s *Store) Revoke(ctx context.Context, tenant, id string) error {
	list, err := s.items(ctx, tenant)
	if err != nil {
		return err
	}
	it, err := one(list, id)
	if err != nil {
		return err
	}
	return s.Table.Write(ctx, table.Delete{Key: it.Key}, table.Delete{Key: slot(tenant, id)})
}

// Rotate makes a token with the label and the lifetime of another, which ends after an overlap, if it does not sooner.
func (s *Store) Rotate(ctx context.Context, tenant, id, secret string, overlap time.Duration) (Token, error) {
	list, err := s.items(ctx, tenant)
	if err != nil {
		return Token{}, err
	}
	old, err := one(list, id)
	if err == nil && len(s.valid(list)) >= Most {
		err = ErrTooMany
	}
	if err != nil {
		return Token{}, err
	}
	lifetime := time.Duration(old.Removed-old.Created)*time.Second - kept
	end := min(old.Expires, s.Now().Add(overlap).Unix())
	return s.issue(ctx, tenant, old.Label, secret, lifetime, table.Update{
		Key: old.Key, Set: table.Item{"ends": table.N(end)}, If: []table.Condition{table.Equals("ends", table.N(old.Expires))},
	})
}

// Replace makes a secret the only token of a tenant with a label, and the tenant where there is none.
func (s *Store) Replace(ctx context.Context, tenant, label, secret string) error {
	if _, err := s.CreateTenant(ctx, tenant); err != nil && !errors.Is(err, ErrTenantExists) {
		return err
	}
	list, err := s.items(ctx, tenant)
	if err != nil {
		return err
	}
	var old []table.Write
	for _, it := range list {
		if it.Label == label && it.hash() != hashed(secret) {
			old = append(old, table.Delete{Key: it.Key}, table.Delete{Key: slot(tenant, it.token().ID)})
		}
	}
	_, err = s.issue(ctx, tenant, label, secret, Lifetime, old...)
	return err
}
