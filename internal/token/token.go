// Package token is bearer tokens, and the tenants that they open. A token is 256 random bits; the table keeps its
// SHA-256 alone, which is enough for what cannot be guessed. There is no way in without a token, and no token for all
// tenants.
package token

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"serverless-scim/internal/table"
)

// ErrUnauthorized says that a request has no token, more than one, or one that is not valid. It does not say which.
var ErrUnauthorized = errors.New("token: unauthorized")

// Prefix begins every token that is made here, so that people and scanners recognise one.
const Prefix = "scim_"

// remembered is how long a token that was found valid is taken for valid without asking the table.
const remembered = 5 * time.Second

// Identity is who a token speaks for.
type Identity struct {
	Tenant string
	Label  string
}

// Store keeps tokens in a table.
type Store struct {
	Table table.Table
	Now   func() time.Time

	mu   sync.Mutex
	seen map[string]entry // by hash
}

type entry struct {
	item
	until time.Time
}

// item is a token in the table, without the token.
type item struct {
	table.Key
	Tenant  string `dynamodbav:"tenant"`
	Label   string `dynamodbav:"label"`
	Created string `dynamodbav:"created"`
	Expires int64  `dynamodbav:"expires,omitempty"` // Unix seconds; absent: never
}

// listed is the token among those of its tenant.
type listed struct {
	table.Key
	Hash  string `dynamodbav:"hash"`
	Label string `dynamodbav:"label"`
}

// New makes a token.
func New() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	return Prefix + base64.RawURLEncoding.EncodeToString(b)
}

// Authenticate finds who sends a request from its Authorization headers. It gives ErrUnauthorized, or the table's
// error.
func (s *Store) Authenticate(ctx context.Context, authorization []string) (Identity, error) {
	if len(authorization) != 1 {
		return Identity{}, ErrUnauthorized
	}
	scheme, secret, _ := strings.Cut(authorization[0], " ")
	secret = strings.TrimSpace(secret)
	if !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return Identity{}, ErrUnauthorized
	}
	hash := hashed(secret)
	it, err := s.find(ctx, hash)
	if err != nil {
		return Identity{}, err
	}
	if it.Expires != 0 && s.Now().Unix() >= it.Expires {
		return Identity{}, ErrUnauthorized
	}
	return Identity{Tenant: it.Tenant, Label: it.Label}, nil
}

func hashed(secret string) string {
	hash := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(hash[:])
}

func (s *Store) find(ctx context.Context, hash string) (item, error) {
	now := s.Now()
	s.mu.Lock()
	e, ok := s.seen[hash]
	s.mu.Unlock()
	if ok && now.Before(e.until) {
		return e.item, nil
	}
	items, err := table.Metered{Table: s.Table}.Get(ctx, nil, key(hash))
	if err != nil {
		return item{}, err
	}
	it := item{}
	if len(items) == 0 || attributevalue.UnmarshalMap(items[0], &it) != nil ||
		subtle.ConstantTimeCompare([]byte(it.PK), []byte(key(hash).PK)) != 1 {
		return item{}, ErrUnauthorized
	}
	s.remember(hash, entry{it, now.Add(remembered)})
	return it, nil
}

func (s *Store) remember(hash string, e entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil || len(s.seen) > 1000 {
		s.seen = map[string]entry{}
	}
	s.seen[hash] = e
}

func key(hash string) table.Key { return table.Key{PK: "token#" + hash, SK: "@"} }

// Replace makes a secret the only token of a tenant with a label, in place of the one before it.
func (s *Store) Replace(ctx context.Context, tenant, label, secret string) error {
	slot := table.Key{PK: partition(tenant), SK: label}
	hash := hashed(secret)
	it := item{Key: key(hash), Tenant: tenant, Label: label, Created: s.Now().UTC().Format(time.RFC3339)}
	items, err := s.Table.Get(ctx, nil, slot)
	if err != nil {
		return err
	}
	var writes []table.Write
	for _, v := range []any{it, listed{slot, hash, label}} {
		m, err := attributevalue.MarshalMap(v)
		if err != nil {
			return fmt.Errorf("token: %w", err)
		}
		writes = append(writes, table.Put{Item: m})
	}
	for _, old := range items {
		l := listed{}
		if err := attributevalue.UnmarshalMap(old, &l); err != nil {
			return fmt.Errorf("token: %w", err)
		}
		if l.Hash != hash {
			writes = append(writes, table.Delete{Key: key(l.Hash)})
		}
	}
	return s.Table.Write(ctx, writes...)
}

// partition is where the tokens of a tenant are listed.
func partition(tenant string) string { return table.Escape(tenant) + "#token" }
