package token

import (
	"context"
	"crypto/subtle"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"serverless-scim/internal/table"
)

const (
	cacheTTL        = 5 * time.Second // is how long a token that was found valid is taken for valid without asking the table
	lastUseInterval = time.Hour       // is how old the time of its last use may be
	lastUseTimeout  = time.Second     // is how long a request waits for that to be written
)

// Identity is who a request speaks for.
type Identity struct {
	Tenant Tenant
	ID     string // of the token
	Label  string // of the token
}

// Store keeps tokens and tenants in a table. It is safe for concurrent use.
type Store struct {
	Table table.Table
	Now   func() time.Time

	mu    sync.Mutex
	cache map[string]cacheEntry // by hash
}

// cacheEntry is what a token opens, as the table had it.
type cacheEntry struct {
	token     tokenItem
	tenant    Tenant
	expiresAt time.Time
}

// Authenticate finds who sends a request from its Authorization headers. It gives ErrUnauthorized, or the table's
// error.
func (s *Store) Authenticate(ctx context.Context, authorization []string) (Identity, error) {
	secret, ok := tokenFromHeaders(authorization)
	if !ok {
		return Identity{}, ErrUnauthorized
	}
	named, ok := tenantFromToken(secret)
	if !ok {
		return Identity{}, ErrUnauthorized
	}
	e, err := s.lookUp(ctx, hashToken(secret), named)
	if err != nil {
		return Identity{}, err
	}
	if s.Now().Unix() >= e.token.ExpiresAt {
		return Identity{}, ErrUnauthorized
	}
	return Identity{Tenant: e.tenant, ID: tokenID(e.token.hash()), Label: e.token.Label}, nil
}

// lookUp reads a token and its tenant, unless they are remembered. What is refused is not remembered.
func (s *Store) lookUp(ctx context.Context, hash, named string) (cacheEntry, error) {
	s.mu.Lock()
	e, ok := s.cache[hash]
	s.mu.Unlock()
	if ok && s.Now().Before(e.expiresAt) {
		return e, nil
	}
	e, err := s.load(ctx, hash, named)
	if err != nil {
		return cacheEntry{}, err
	}
	if s.Now().Unix() < e.token.ExpiresAt {
		s.recordUse(ctx, &e.token)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cache == nil || len(s.cache) > 1000 {
		s.cache = map[string]cacheEntry{}
	}
	s.cache[hash] = e
	return e, nil
}

// load gives a token and its tenant, in one call where the token names the tenant.
func (s *Store) load(ctx context.Context, hash, named string) (e cacheEntry, err error) {
	t := metered(s.Table)
	keys := []table.Key{tokenKey(hash)}
	if named != "" {
		keys = append(keys, tenantKey(named))
	}
	e.expiresAt = s.Now().Add(cacheTTL)
	items, err := t.Get(ctx, nil, keys...)
	if err != nil {
		return e, err
	}
	found := map[table.Key]table.Item{}
	for _, it := range items {
		found[it.Key()] = it
	}
	it := found[tokenKey(hash)]
	if it == nil || subtle.ConstantTimeCompare([]byte(it.Key().PK), []byte(tokenKey(hash).PK)) != 1 {
		return e, ErrUnauthorized
	}
	if err := unmarshal(it, &e.token); err != nil {
		return e, err
	}
	if it = found[tenantKey(e.token.Tenant)]; it == nil {
		if items, err = t.Get(ctx, nil, tenantKey(e.token.Tenant)); err != nil || len(items) == 0 {
			return e, orUnauthorized(err)
		}
		it = items[0]
	}
	if e.tenant, err = decodeTenant(it); err == nil && !e.tenant.isActive() {
		err = ErrUnauthorized
	}
	return e, err
}

func orUnauthorized(err error) error {
	if err == nil {
		return ErrUnauthorized
	}
	return err
}

// recordUse writes down that a token is in use, at most once an hour, unless that has been revoked meanwhile. Whether it
// succeeds is nothing to the request.
func (s *Store) recordUse(ctx context.Context, it *tokenItem) {
	now, before := s.Now().Unix(), table.AttributeNotExists("used")
	if it.LastUsedAt != 0 {
		before = table.Equals("used", table.N(it.LastUsedAt))
	}
	if now-it.LastUsedAt < int64(lastUseInterval.Seconds()) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lastUseTimeout)
	defer cancel()
	_ = metered(s.Table).Write(ctx, table.Update{
		Key: it.Key, Set: table.Item{"used": table.N(now)}, If: []table.Condition{table.Exists(), before},
	})
}

func unmarshal(it table.Item, v any) error {
	if err := attributevalue.UnmarshalMap(it, v); err != nil {
		return fmt.Errorf("token: damaged item: %w", err)
	}
	return nil
}

// marshal makes an item of one of the structs here, none of which can fail.
func marshal(v any) table.Item {
	it, err := attributevalue.MarshalMap(v)
	if err != nil {
		panic(err)
	}
	return it
}
