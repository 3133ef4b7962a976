package token

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"serverless-scim/internal/table"
)

// ErrAssertionUsed reports that an assertion has authenticated a client before.
var ErrAssertionUsed = errors.New("token: the assertion was used before")

const (
	assertionRetention = 5 * time.Minute // how long a used assertion is stored after its end; more than the skew of clocks
	maxRemovals        = 25              // expired entries that a call of IssueAccessToken removes
	removalTimeout     = time.Second
)

// A UsedAssertion names an assertion that authenticated a client.
type UsedAssertion struct {
	Issuer, ID string
	ExpiresAt  time.Time
}

// IssueAccessToken stores secret, which must come from New, as an access token of a client, with the label of the client.
// used is the assertion that authenticated the client, or nil. It can be used once.
//
// IssueAccessToken is one transaction. It returns ErrNoClient if the client was revoked since it was read, or its tenant
// disabled or deleted, and ErrAssertionUsed. It then removes some expired tokens of the client, because only DynamoDB has a
// time to live.
func (s *Store) IssueAccessToken(
	ctx context.Context, c Client, secret string, scope Scope, used *UsedAssertion,
) (expiresAt time.Time, err error) {
	if tenant, ok := tenantFromToken(secret); !ok || tenant != c.Tenant { // the error does not repeat the secret
		return time.Time{}, errors.New("token: an access token must be generated for the tenant of its client")
	}
	if !scope.IsKnown() || scope != c.Scope && c.Scope != ScopeAll {
		return time.Time{}, fmt.Errorf("token: a client of scope %q cannot have a token of scope %q", c.Scope, scope)
	}
	// The end is rounded up to a second, so that a token is valid for no less than its lifetime.
	now, hash := s.Now(), hashToken(secret)
	it := tokenItem{Key: tokenKey(hash), Tenant: c.Tenant, Client: c.ID, Label: c.Label, Scope: scope, Created: now.Unix(),
		CreatedNanos: now.Nanosecond(), ExpiresAt: now.Add(c.TokenLifetime + time.Second - 1).Unix()}
	it.PurgeAt = it.ExpiresAt
	entry := tokenListItem{accessKey(c, tokenID(hash)), hash, it.PurgeAt}
	writes := []table.Write{
		table.ConditionCheck{Key: clientKey(c.Tenant, c.ID), If: []table.Condition{table.Exists()}},
		table.ConditionCheck{Key: tenantKey(c.Tenant), If: []table.Condition{
			table.Exists(), table.AttributeNotExists("deleted"), table.AttributeNotExists("disabled")}},
		table.Put{Item: it.item()}, table.Put{Item: marshalItem(entry)},
	}
	if used != nil {
		writes = append(writes, table.Put{Item: used.item(c), If: []table.Condition{table.NotExists()}})
	}
	if err := metered(s.Table).Write(ctx, writes...); err != nil {
		return time.Time{}, explainIssueError(err)
	}
	s.removeExpired(ctx, c, entry.SK)
	return fromUnix(it.ExpiresAt), nil
}

// explainIssueError returns ErrAssertionUsed if the condition of the used assertion failed, and ErrNoClient if another one did.
func explainIssueError(err error) error {
	failed := (*table.ConditionError)(nil)
	if !errors.As(err, &failed) {
		return err
	}
	const assertionWrite = 4
	if _, used := failed.Items[assertionWrite]; used {
		return ErrAssertionUsed
	}
	return ErrNoClient
}

// removeExpired deletes the expired ones of the entries that follow after, and their tokens. The IDs of tokens are random, so
// repeated calls reach every entry. An error is ignored, because it must not fail the request.
func (s *Store) removeExpired(ctx context.Context, c Client, after string) {
	ctx, cancel := context.WithTimeout(ctx, removalTimeout)
	defer cancel()
	t := metered(s.Table)
	page, err := t.Query(ctx, table.Range{
		PK: accessPartition(c.Tenant), Prefix: c.ID + "#", ExclusiveStart: after, Limit: maxRemovals,
	})
	if err != nil {
		return
	}
	var expired []table.Item
	for _, it := range page.Items {
		if table.IntValue(it["expires"]) <= s.Now().Unix() {
			expired = append(expired, it)
		}
	}
	if len(expired) > 0 {
		_ = t.Write(ctx, deleteEntries(expired)...)
	}
}

// deleteEntries returns the writes that delete entries of a client, and the tokens that they name.
func deleteEntries(entries []table.Item) (writes []table.Write) {
	for _, it := range entries {
		writes = append(writes, table.Delete{Key: it.Key()})
		if hash := table.StringValue(it["hash"]); hash != "" {
			writes = append(writes, table.Delete{Key: tokenKey(hash)})
		}
	}
	return writes
}

// RevokeClient deletes a client and its access tokens, or returns ErrNoClient. An instance that has a token in its cache
// accepts it for up to five more seconds.
//
// The client is deleted first, so that no token can be issued any more. A plain read may miss a token that was issued just
// before. Authenticate rejects it, because its client does not exist, and it expires.
func (s *Store) RevokeClient(ctx context.Context, tenant, id string) error {
	err := s.Table.Write(ctx, table.Delete{Key: clientKey(tenant, id), If: []table.Condition{table.Exists()}})
	if err != nil {
		return replaceConditionError(ErrNoClient, err)
	}
	r := table.Range{PK: accessPartition(tenant), Prefix: id + "#", Limit: table.MaxTransactionActions / 2}
	for {
		page, err := s.Table.Query(ctx, r)
		if err == nil && len(page.Items) > 0 {
			err = s.Table.Write(ctx, deleteEntries(page.Items)...)
		}
		if r.ExclusiveStart = page.LastEvaluatedKey.SK; err != nil || r.ExclusiveStart == "" {
			return err
		}
	}
}

// requireClient returns ErrUnauthorized if the client of the access token does not exist.
func (e *cacheEntry) requireClient(ctx context.Context, t table.Table) error {
	items, err := t.Get(ctx, nil, clientKey(e.token.Tenant, e.token.Client))
	if err == nil && len(items) == 0 {
		err = ErrUnauthorized
	}
	return err
}

// item returns the item that records the use of the assertion.
func (u UsedAssertion) item(c Client) table.Item {
	digest := sha256.New()
	fmt.Fprintf(digest, "%d %s%s", len(u.Issuer), u.Issuer, u.ID) // the length separates them
	k := accessKey(c, hex.EncodeToString(digest.Sum(nil))+"#used")
	return table.Item{"PK": table.S(k.PK), "SK": table.S(k.SK), "expires": table.N(u.ExpiresAt.Add(assertionRetention).Unix())}
}

// accessPartition returns the partition of the access tokens and used assertions of all clients of a tenant.
func accessPartition(tenant string) string { return table.EscapeKeyPart(tenant) + "#access" }

func accessKey(c Client, id string) table.Key {
	return table.Key{PK: accessPartition(c.Tenant), SK: c.ID + "#" + id}
}
