package token

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"serverless-scim/internal/leniency"
	"serverless-scim/internal/table"
)

// ErrUnauthorized reports that a request has no token, several tokens, or one that is not valid. It does not say which.
var ErrUnauthorized = errors.New("token: unauthorized")

const (
	cacheTTL        = 5 * time.Second // also the time for which a revoked token may still be accepted
	maxCachedTokens = 1000
	lastUseInterval = time.Hour   // precision of a token's last use
	lastUseTimeout  = time.Second // how long a request waits for the last use to be written
)

// An Identity says on whose behalf a request is made.
type Identity struct {
	Tenant Tenant
	ID     string // of the token
	Label  string // of the token
	Scope  Scope  // of the token
	Client string // ID of the client of an access token; "" for another token
	scheme string // with which the token was sent: bearer, basic, or "" for the token alone
}

// AppendClient appends the client of an access token to the attributes of a log line.
func (i Identity) AppendClient(attrs []slog.Attr) []slog.Attr {
	if i.Client == "" {
		return attrs
	}
	return append(attrs, slog.String("client", i.Client))
}

// ApplyProfile gives a request the profile of its tenant. It records that the token was not sent as a bearer token, the only
// form that ServiceProviderConfig announces. For a token as a password, the profile interop returns ErrUnauthorized.
func (i Identity) ApplyProfile(l *leniency.Set) error {
	if i.Tenant.Settings.Profile == ProfileInterop {
		l.UseInterop()
	}
	switch {
	case i.scheme == "":
		l.Add(leniency.TokenAlone)
	case i.scheme == "basic" && l.IsInterop():
		return fmt.Errorf("%w: the profile interop refuses HTTP Basic authentication", ErrUnauthorized)
	case i.scheme == "basic":
		l.Add(leniency.TokenAsPassword)
	}
	return nil
}

// Authenticate returns the identity that belongs to the Authorization headers of a request. It returns
// ErrUnauthorized if they hold no valid token of an active tenant, or the error of the table. A token of an unknown scope
// is not valid.
func (s *Store) Authenticate(ctx context.Context, authorization []string) (Identity, error) {
	scheme, secret, ok := tokenFromHeaders(authorization)
	if !ok {
		return Identity{}, ErrUnauthorized
	}
	tenant, ok := tenantFromToken(secret)
	if !ok {
		return Identity{}, ErrUnauthorized
	}
	e, err := s.lookUp(ctx, hashToken(secret), tenant)
	if err != nil {
		return Identity{}, err
	}
	if s.Now().Unix() >= e.token.ExpiresAt {
		return Identity{}, ErrUnauthorized
	}
	return Identity{Tenant: e.tenant, ID: tokenID(e.token.hash()), Label: e.token.Label, Scope: e.token.Scope,
		Client: e.token.Client, scheme: scheme}, nil
}

// RateKey names what a rate limit counts: the client of an access token, because a client can have many, or else the token.
func (i Identity) RateKey() string { return cmp.Or(i.Client, i.ID) }

// lookUp returns a token and its tenant from the cache, or else from the table. Errors are not cached. The token may
// have expired.
func (s *Store) lookUp(ctx context.Context, hash, tenant string) (cacheEntry, error) {
	s.mu.Lock()
	e, ok := s.cache[hash]
	inMemory, isInMemory := s.inMemory[hash]
	s.mu.Unlock()
	if ok && s.Now().Before(e.expiresAt) {
		return e, nil
	}
	var err error
	if isInMemory {
		e, err = s.loadInMemory(ctx, inMemory)
	} else if e, err = s.load(ctx, hash, tenant); err == nil && s.Now().Unix() < e.token.ExpiresAt {
		s.recordUse(ctx, &e.token)
	}
	if err != nil {
		return cacheEntry{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cache == nil || len(s.cache) > maxCachedTokens {
		s.cache = map[string]cacheEntry{}
	}
	s.cache[hash] = e
	return e, nil
}

// load reads a token and its tenant. tenant is the tenant's name in the token: with it, load makes one call. If it is
// empty, because an operator chose the token, load makes two. Another call reads the client of an access token.
func (s *Store) load(ctx context.Context, hash, tenant string) (e cacheEntry, err error) {
	t := metered(s.Table)
	keys := []table.Key{tokenKey(hash)}
	if tenant != "" {
		keys = append(keys, tenantKey(tenant))
	}
	e.expiresAt = s.Now().Add(cacheTTL) // counted from before the read, so that the entry is never older than cacheTTL
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
	if e.token, err = decodeToken(it); err != nil {
		return e, err
	}
	if !e.token.Scope.IsKnown() {
		return e, ErrUnauthorized
	}
	if it = found[tenantKey(e.token.Tenant)]; it != nil {
		err = e.setTenant(it)
	} else {
		err = e.loadTenant(ctx, t)
	}
	if err == nil && e.token.Client != "" {
		err = e.requireClient(ctx, t)
	}
	return e, err
}

// recordUse writes the time of a token's last use, at most once per lastUseInterval. An access token has none, because it ends
// after hours. The conditions keep a late write from bringing back a revoked token. An error is ignored, because it must not
// fail the request.
func (s *Store) recordUse(ctx context.Context, it *tokenItem) {
	now, unchanged := s.Now().Unix(), table.AttributeNotExists("used")
	if it.LastUsedAt != 0 {
		unchanged = table.Equals("used", table.N(it.LastUsedAt))
	}
	if it.Client != "" || now-it.LastUsedAt < int64(lastUseInterval.Seconds()) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lastUseTimeout)
	defer cancel()
	_ = metered(s.Table).Write(ctx, table.Update{
		Key: it.Key, Set: table.Item{"used": table.N(now)}, If: []table.Condition{table.Exists(), unchanged},
	})
}
