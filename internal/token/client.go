package token

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"serverless-scim/internal/table"
)

var (
	// ErrNoClient reports that no active tenant has a client with the ID. It does not say whether the client or the tenant is
	// missing, or whether the tenant is disabled or deleted.
	ErrNoClient = errors.New("token: no active tenant has such a client")
	// ErrTooManyClients reports that a tenant has MaxClients clients.
	ErrTooManyClients = fmt.Errorf("token: the tenant has %d clients, which is the maximum", MaxClients)
	// ErrTooManySecrets reports that a client has MaxClientSecrets valid secrets.
	ErrTooManySecrets = fmt.Errorf("token: the client has %d valid secrets, which is the maximum", MaxClientSecrets)
	// ErrNoSecrets reports that a client authenticates by assertions, so that it has no secrets.
	ErrNoSecrets = errors.New("token: the client authenticates by assertions")
)

const (
	MaxClients            = 20                       // of a tenant
	MaxClientSecrets      = 5                        // valid secrets of a client
	MinTokenLifetime      = time.Hour                // of an access token
	MaxTokenLifetime      = 6 * time.Hour            // of an access token
	DefaultSecretLifetime = MaxLifetime              // of a client secret
	MaxSecretLifetime     = 3 * 365 * 24 * time.Hour // of a client secret

	clientPrefix     = "client_"
	clientIDLetters  = 16       // 80 bits in base32
	maxClientIDBytes = 128      // more than that of the longest name of a tenant
	maxKeysBytes     = 16 << 10 // of the JWKS of a client, so that the clients of a tenant fit one page
)

// A Client is an OAuth client of a tenant. It authenticates by a secret, by an assertion signed with its own keys, or by
// an assertion of another issuer (federation).
type Client struct {
	ID, Label     string
	Tenant        string
	Scope         Scope
	Created       time.Time
	TokenLifetime time.Duration  // of access tokens, MinTokenLifetime to MaxTokenLifetime
	Secrets       []ClientSecret // sorted by Created; the secrets themselves are not stored
	Assertion     *AssertionRule // nil: the client has secrets

	version int64
}

// A ClientSecret describes a secret of a client.
type ClientSecret struct {
	ID                 string
	Created, ExpiresAt time.Time

	hash string
}

// An AssertionRule says which assertions authenticate a client.
type AssertionRule struct {
	// Issuer and Subject are the client's ID if the client has its own keys. An empty Audience then means the token endpoint, or
	// the issuer of the metadata.
	Issuer, Subject, Audience string
	Keys                      json.RawMessage // a JWKS, or nil
	KeysURL                   string          // of a JWKS, or ""
}

// NewClientID generates the ID of a client: "client_", the tenant's name, "_", 16 random letters, and 7 letters of checksum.
func NewClientID(tenant string) string {
	s := clientPrefix + tenant + "_" + randomBase32(clientIDLetters)
	return s + checksumOf(s)
}

// TenantOfClient returns the tenant's name in the ID of a client. ok is false if NewClientID cannot have generated the ID.
func TenantOfClient(id string) (tenant string, ok bool) {
	if len(id) > maxClientIDBytes || strings.ContainsFunc(id, isNotPrintableASCII) {
		return "", false
	}
	return cutGenerated(id, clientPrefix, clientIDLetters)
}

// NewClientSecret generates a secret: "scimsecret_", 52 random letters, and 7 letters of checksum.
func NewClientSecret() string {
	s := "scimsecret_" + randomBase32(randomLetters)
	return s + checksumOf(s)
}

// IsClientSecret reports whether NewClientSecret can have generated s.
func IsClientSecret(s string) bool {
	name, ok := cutGenerated(s, "scim", randomLetters)
	return ok && name == "secret"
}

// HasSecret reports whether secret is a valid secret of the client. Its duration does not depend on which one it is.
func (c Client) HasSecret(secret string, now time.Time) bool {
	hash, found := []byte(hashToken(secret)), 0
	for _, s := range c.Secrets {
		if now.Before(s.ExpiresAt) {
			found |= subtle.ConstantTimeCompare(hash, []byte(s.hash))
		}
	}
	return found == 1
}

// AddSecret adds a secret from NewClientSecret to c, but does not store c. Earlier secrets expire after the overlap, or at
// their own end if that is earlier. AddSecret drops expired secrets. It returns ErrNoSecrets or ErrTooManySecrets.
func (c *Client) AddSecret(secret string, now time.Time, lifetime, overlap time.Duration) error {
	if c.Assertion != nil {
		return ErrNoSecrets
	}
	if !IsClientSecret(secret) { // the error does not repeat the secret
		return errors.New("token: a client secret must be generated")
	}
	now = fromUnix(now.Unix())
	var secrets []ClientSecret
	for _, s := range c.Secrets {
		if end := now.Add(overlap); end.Before(s.ExpiresAt) {
			s.ExpiresAt = end
		}
		if now.Before(s.ExpiresAt) {
			secrets = append(secrets, s)
		}
	}
	if len(secrets) >= MaxClientSecrets {
		return ErrTooManySecrets
	}
	hash := hashToken(secret)
	c.Secrets = append(secrets, ClientSecret{ID: tokenID(hash), Created: now, ExpiresAt: now.Add(lifetime), hash: hash})
	return nil
}

// CreateClient stores a client. It chooses the ID if c has none, and sets Created. It returns ErrNoTenant if the tenant does
// not exist or is deleted, ErrLabelTaken if another client of the tenant has the label, or ErrTooManyClients.
func (s *Store) CreateClient(ctx context.Context, c Client) (Client, error) {
	if c.ID == "" {
		c.ID = NewClientID(c.Tenant)
	}
	c.Created, c.version = fromUnix(s.Now().Unix()), 1
	if err := c.validate(); err != nil {
		return Client{}, err
	}
	others, err := s.Clients(ctx, c.Tenant)
	switch {
	case err != nil:
		return Client{}, err
	case slices.ContainsFunc(others, func(other Client) bool { return other.Label == c.Label }):
		return Client{}, ErrLabelTaken
	case len(others) >= MaxClients:
		return Client{}, ErrTooManyClients
	}
	notDeleted := []table.Condition{table.Exists(), table.AttributeNotExists("deleted")}
	err = s.Table.Write(ctx, table.ConditionCheck{Key: tenantKey(c.Tenant), If: notDeleted},
		table.Put{Item: c.item(), If: []table.Condition{table.NotExists()}})
	return c, replaceConditionError(ErrNoTenant, err)
}

// validate checks what authentication relies on.
func (c *Client) validate() error {
	if tenant, ok := TenantOfClient(c.ID); !ok || tenant != c.Tenant {
		return errors.New("token: the ID of the client is not valid, or is for another tenant")
	}
	if !c.Scope.IsKnown() {
		return fmt.Errorf("token: there is no scope %q", c.Scope)
	}
	if c.TokenLifetime < MinTokenLifetime || c.TokenLifetime > MaxTokenLifetime {
		return fmt.Errorf("token: access tokens are valid for %v; it must be from %v to %v",
			c.TokenLifetime, MinTokenLifetime, MaxTokenLifetime)
	}
	if c.Assertion != nil && len(c.Assertion.Keys) > maxKeysBytes {
		return fmt.Errorf("token: the keys of a client have at most %d bytes", maxKeysBytes)
	}
	return nil
}

// Clients lists the clients of a tenant in the order of their creation. The list is empty if the tenant does not exist.
func (s *Store) Clients(ctx context.Context, tenant string) (clients []Client, err error) {
	page, err := s.Table.Query(ctx, table.Range{PK: clientPartition(tenant)}) // the clients fit one page
	for _, it := range page.Items {
		c, err := decodeClient(tenant, it)
		if err != nil {
			return nil, err
		}
		clients = append(clients, c)
	}
	slices.SortFunc(clients, func(a, b Client) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Label, b.Label)) })
	return clients, err
}

// Client reads a client and its tenant in one call. It returns ErrNoClient if the ID is not one of NewClientID, without a
// call, or if the client or an active tenant does not exist.
func (s *Store) Client(ctx context.Context, id string) (c Client, t Tenant, err error) {
	name, ok := TenantOfClient(id)
	if !ok {
		return c, t, ErrNoClient
	}
	items, err := metered(s.Table).Get(ctx, nil, clientKey(name, id), tenantKey(name))
	if err != nil {
		return c, t, err
	}
	if len(items) < 2 {
		return c, t, ErrNoClient
	}
	if items[0].Key() == tenantKey(name) {
		items[0], items[1] = items[1], items[0]
	}
	if c, err = decodeClient(name, items[0]); err == nil {
		t, err = decodeTenant(items[1])
	}
	if err == nil && !t.isActive() {
		err = ErrNoClient
	}
	return c, t, err
}

// AddClientSecret adds a secret to a client. Earlier secrets stay valid for the overlap at most. It returns ErrNoClient,
// ErrNoSecrets, or ErrTooManySecrets.
func (s *Store) AddClientSecret(
	ctx context.Context, tenant, id, secret string, lifetime, overlap time.Duration,
) (c Client, err error) {
	err = table.Backoff{}.RetryConflicts(ctx, func() error {
		if c, err = s.clientOf(ctx, tenant, id); err != nil {
			return err
		}
		unchanged := table.Equals("ver", table.N(c.version))
		c.version++
		if err := c.AddSecret(secret, s.Now(), lifetime, overlap); err != nil {
			return err
		}
		write := table.Put{Item: c.item(), If: []table.Condition{unchanged}}
		return replaceConditionError(table.ErrConflict, s.Table.Write(ctx, write))
	})
	return c, err
}

// clientOf reads a client of a tenant, also if the tenant is not active.
func (s *Store) clientOf(ctx context.Context, tenant, id string) (Client, error) {
	items, err := s.Table.Get(ctx, nil, clientKey(tenant, id))
	if err == nil && len(items) == 0 {
		err = ErrNoClient
	}
	if err != nil {
		return Client{}, err
	}
	return decodeClient(tenant, items[0])
}
