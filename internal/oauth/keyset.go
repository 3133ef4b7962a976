package oauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
)

var (
	errKeySet = errors.New("key set is not a JWKS")
	errFetch  = errors.New("cannot fetch the key set")
	errNoKey  = errors.New("key set has no key for the kid and the algorithm of the assertion")
)

const (
	maxKeySets      = 100
	maxKeySetAge    = time.Hour
	refetchInterval = time.Minute // between two requests for a URL, even if the first failed
	minRSABits      = 2048        // RFC 7518 §3.3
)

// A keySet holds the keys of a JWKS that sign.
type keySet []jose.JSONWebKey

// parseKeySet parses a JWKS. It leaves out keys that it cannot parse, because an issuer can add keys of another type
// (RFC 7517 §5).
func parseKeySet(b []byte) (keySet, error) {
	var document struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(b, &document) != nil || document.Keys == nil {
		return nil, errKeySet
	}
	set := keySet{}
	for _, raw := range document.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) == nil && (key.Use == "" || key.Use == "sig") {
			set = append(set, key)
		}
	}
	return set, nil
}

// find returns the keys with this kid that fit the algorithm. Several keys can have the same kid (RFC 7517 §4.5). Without a
// kid, find returns the only key that fits, or nothing.
func (s keySet) find(kid, algorithm string) (keys []any) {
	for _, key := range s {
		if (kid == "" || key.KeyID == kid) && fits(key, jose.SignatureAlgorithm(algorithm)) {
			keys = append(keys, key.Key)
		}
	}
	if kid == "" && len(keys) > 1 {
		return nil
	}
	return keys
}

// fits reports whether signatures of the algorithm can be verified with the key. A private key fits none, because everybody
// can have read it.
func fits(key jose.JSONWebKey, algorithm jose.SignatureAlgorithm) bool {
	if key.Algorithm != "" && key.Algorithm != string(algorithm) {
		return false
	}
	switch k := key.Key.(type) {
	case *rsa.PublicKey:
		return (algorithm == jose.RS256 || algorithm == jose.PS256) && k.N.BitLen() >= minRSABits
	case *ecdsa.PublicKey:
		return algorithm == jose.ES256 && k.Curve == elliptic.P256()
	}
	return false
}

// KeySets fetches key sets and keeps those of at most 100 URLs. A set is fetched again if it is an hour old or lacks a key,
// but at most once a minute for each URL. If that fails, the set that was fetched before stays valid. KeySets is safe for
// concurrent use.
type KeySets struct {
	Client *http.Client // of NewClient
	Now    func() time.Time

	mu     sync.Mutex
	byURL  map[string]fetchedSet
	flight singleflight.Group
}

// A fetchedSet is the state of one URL. The zero value is that of a URL from which nothing has been fetched.
type fetchedSet struct {
	keys      keySet
	fetchedAt time.Time // of keys
	triedAt   time.Time // of the last request
	err       error     // of the last request, or nil
}

// find returns the keys of the set at url that have this kid and fit the algorithm. It never returns no keys and no error.
func (s *KeySets) find(ctx context.Context, url, kid, algorithm string) ([]any, error) {
	set := s.cached(url)
	keys := set.keys.find(kid, algorithm)
	if len(keys) == 0 || s.Now().Sub(set.fetchedAt) >= maxKeySetAge {
		set = s.refetch(ctx, url)
		keys = set.keys.find(kid, algorithm)
	}
	if len(keys) > 0 {
		return keys, nil
	}
	if set.err != nil {
		return nil, set.err
	}
	return nil, errNoKey
}

func (s *KeySets) cached(url string) fetchedSet {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byURL[url]
}

// refetch fetches the set at url unless that was tried within the last minute, and returns the state after that. Concurrent
// calls share one request, so it does not end with the context of one of them.
func (s *KeySets) refetch(ctx context.Context, url string) fetchedSet {
	result, _, _ := s.flight.Do(url, func() (any, error) {
		set, now := s.cached(url), s.Now()
		if now.Sub(set.triedAt) < refetchInterval {
			return set, nil
		}
		set.triedAt = now
		keys, err := fetchKeySet(context.WithoutCancel(ctx), s.Client, url)
		if err == nil {
			set.keys, set.fetchedAt = keys, now
		} else {
			err = fmt.Errorf("%w: %w", errFetch, err)
		}
		set.err = err
		s.store(url, set)
		return set, nil
	})
	return result.(fetchedSet)
}

// store keeps the state of a URL. If there are too many, it deletes that of the URL that was requested longest ago.
func (s *KeySets) store(url string, set fetchedSet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byURL == nil {
		s.byURL = map[string]fetchedSet{}
	}
	s.byURL[url] = set
	if len(s.byURL) <= maxKeySets {
		return
	}
	oldest := url
	for u, other := range s.byURL {
		if other.triedAt.Before(s.byURL[oldest].triedAt) {
			oldest = u
		}
	}
	delete(s.byURL, oldest)
}
