package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// rotate replaces the keys of the issuer with one that has each of these kids.
func rotate(t *testing.T, i *issuer, kids ...string) {
	var keys []any
	for _, kid := range kids {
		keys = append(keys, publicKey(ecKey(), kid, ""))
	}
	i.serve(marshalKeySet(t, keys...))
}

func signedBy(t *testing.T, now time.Time, kid string) string {
	return sign(t, ecKey(), jose.ES256, kid, claimsAt(now), nil)
}

func checkRequests(t *testing.T, i *issuer, want int64) {
	t.Helper()
	if n := i.requests.Load(); n != want {
		t.Errorf("%d requests for keys, want %d", n, want)
	}
}

func TestANewKeyIsFetchedAtOnceAndThenAtMostOnceAMinute(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, now := newVerifier(i)
	rotate(t, i, "1")
	checkAccepted(t, v, i.federated(), signedBy(t, start, "1"))
	now.advance(refetchInterval)
	checkAccepted(t, v, i.federated(), signedBy(t, start, "1"))
	checkRequests(t, i, 1)

	rotate(t, i, "2")
	checkAccepted(t, v, i.federated(), signedBy(t, start, "2"))
	checkRequests(t, i, 2)
	checkRejected(t, v, i.federated(), signedBy(t, start, "1"), errNoKey)

	rotate(t, i, "3")
	now.advance(refetchInterval - time.Nanosecond)
	for range 100 {
		checkRejected(t, v, i.federated(), signedBy(t, start, "3"), errNoKey)
	}
	checkRequests(t, i, 2)
	now.advance(time.Nanosecond)
	checkAccepted(t, v, i.federated(), signedBy(t, start, "3"))
	checkRequests(t, i, 3)
}

func TestASetIsFetchedAgainAfterAnHour(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, now := newVerifier(i)
	checkAccepted(t, v, i.federated(), signedBy(t, start, "ec"))
	now.advance(maxKeySetAge - time.Nanosecond)
	checkAccepted(t, v, i.federated(), signedBy(t, now.now(), "ec"))
	checkRequests(t, i, 1)
	rotate(t, i, "other") // so the key is revoked
	now.advance(time.Nanosecond)
	checkRejected(t, v, i.federated(), signedBy(t, now.now(), "ec"), errNoKey)
	checkRequests(t, i, 2)
}

func TestTheOldSetStaysWhileTheIssuerFails(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, now := newVerifier(i)
	checkAccepted(t, v, i.federated(), signedBy(t, start, "ec"))
	for _, failure := range []http.HandlerFunc{
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
		func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") },
		func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) },
	} {
		i.respond(failure)
		requests := i.requests.Load()
		now.advance(maxKeySetAge)
		for range 3 {
			checkAccepted(t, v, i.federated(), signedBy(t, now.now(), "ec"))
		}
		checkRequests(t, i, requests+1)
		now.advance(refetchInterval)
		checkAccepted(t, v, i.federated(), signedBy(t, now.now(), "ec"))
		checkRequests(t, i, requests+2)
	}
	rotate(t, i, "new")
	now.advance(refetchInterval)
	checkAccepted(t, v, i.federated(), signedBy(t, now.now(), "new"))
}

func TestWithoutASetAFailingIssuerIsAskedOnceAMinute(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, now := newVerifier(i)
	i.fail()
	for range 10 {
		checkRejected(t, v, i.federated(), signedBy(t, start, "ec"), errStatus)
	}
	checkRequests(t, i, 1)
	rotate(t, i, "ec")
	now.advance(refetchInterval)
	checkAccepted(t, v, i.federated(), signedBy(t, start, "ec"))
	checkRequests(t, i, 2)
}

func TestConcurrentCallsShareOneRequest(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 503} {
		i := newIssuer(t)
		v, _ := newVerifier(i)
		if status != 200 {
			i.fail()
		}
		assertion := signedBy(t, start, "ec")
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				if _, err := v.Verify(t.Context(), i.federated(), nil, assertion); (err == nil) != (status == 200) {
					t.Errorf("%d: %v", status, err)
				}
			})
		}
		group.Wait()
		checkRequests(t, i, 1)
	}
}

// Otherwise the client that fetches first could make the others fail.
func TestARequestForKeysOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, _ := newVerifier(i)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Verify(ctx, i.federated(), nil, signedBy(t, start, "ec")); err != nil {
		t.Error(err)
	}
}

func TestKeySetsAreOfTheirURLAndAtMost100(t *testing.T) {
	t.Parallel()
	i, other := newIssuer(t), newIssuer(t)
	rotate(t, other, "ec2")
	v, now := newVerifier(i)
	v.Keys.Client = NewClient(ClientOptions{AllowLoopback: true, Roots: i.roots()}) // the servers have the same certificate
	checkAccepted(t, v, i.federated(), signedBy(t, start, "ec"))
	checkAccepted(t, v, other.federated(), signedBy(t, start, "ec2"))
	checkRejected(t, v, other.federated(), signedBy(t, start, "ec"), errNoKey)
	for n := range maxKeySets {
		now.advance(time.Second)
		if _, err := v.Keys.find(t.Context(), fmt.Sprint(i.URL, "/", n), "ec", "ES256"); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(v.Keys.byURL); n != maxKeySets {
		t.Errorf("%d key sets are kept, want %d", n, maxKeySets)
	}
	requests := i.requests.Load()
	for n, path := range []string{"/99", "/0", "/keys"} { // the set that was requested first made room
		if _, err := v.Keys.find(t.Context(), i.URL+path, "ec", "ES256"); err != nil {
			t.Error(err)
		}
		checkRequests(t, i, requests+int64(n/2))
	}
}

func TestAnUnreachableIssuerIsNamedInTheCause(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, _ := newVerifier(i)
	c := i.federated()
	i.Close()
	_, err := v.Verify(t.Context(), c, nil, signedBy(t, start, "ec"))
	if !errors.Is(err, ErrAssertion) || !errors.Is(err, errFetch) {
		t.Error(err)
	}
}
