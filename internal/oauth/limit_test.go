package oauth

import (
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"serverless-scim/internal/token"
)

// A source with 50 failures in ten seconds waits for the next window, with valid credentials too. Others do not wait.
func TestFailuresOfASourceAreLimited(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c, secret := s.create("acme", token.ScopeAll, nil)
	unknown := token.NewClientID("acme")
	send := func(source, id string) reply {
		r := newRequest(encodeForm(grant, grantType, "client_id", id, "client_secret", secret))
		r.RemoteAddr = source
		r.Header.Set("X-Forwarded-For", fmt.Sprint("10.0.0.", s.calls.Load()))
		return s.send(r)
	}
	for range 3 {
		for range maxFailures {
			send("192.0.2.1:1000", unknown).expect(t, 401, "invalid_client")
		}
		before := s.calls.Load()
		for _, id := range []string{unknown, c.ID} {
			if got := send("192.0.2.1:1001", id).expect(t, 429, "temporarily_unavailable"); got.Header["Retry-After"] != "10" {
				t.Error(got.Header)
			}
		}
		if calls := s.calls.Load() - before; calls > 0 {
			t.Errorf("%d calls after the limit", calls)
		}
		s.expectToken(send("192.0.2.2:1000", c.ID), c, token.ScopeAll)
		s.clock.advance(9 * time.Second)
		if got := send("192.0.2.1:1002", c.ID).expect(t, 429, "temporarily_unavailable"); got.Header["Retry-After"] != "1" {
			t.Error(got.Header)
		}
		s.clock.advance(time.Second)
		s.expectToken(send("192.0.2.1:1002", c.ID), c, token.ScopeAll)
	}
}

// Tokens that are issued do not count as failures, however many clients share a source.
func TestSuccessesOfASourceAreNotLimited(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for range 4 {
		c, secret := s.create("acme", token.ScopeAll, nil)
		for range maxFailures / 2 {
			s.expectToken(s.post(grant, grantType, "client_id", c.ID, "client_secret", secret), c, token.ScopeAll)
		}
	}
}

// A client that requests more than 50 tokens in ten seconds waits. Another client does not, and neither do its requests.
func TestTokensOfAClientAreLimited(t *testing.T) {
	t.Parallel()
	s := newService(t)
	clients, secrets := [2]token.Client{}, [2]string{}
	for i := range clients {
		clients[i], secrets[i] = s.create("acme", token.ScopeAll, nil)
	}
	request := func(i int) reply {
		return s.post(grant, grantType, "client_id", clients[i].ID, "client_secret", secrets[i])
	}
	for range windowSeconds * tokensPerSecond {
		s.expectToken(request(0), clients[0], token.ScopeAll)
	}
	if got := request(0).expect(t, 429, "temporarily_unavailable"); got.Header["Retry-After"] != "10" || got.Client != clients[0].ID {
		t.Error(got.Header, got.Client)
	}
	s.expectToken(request(1), clients[1], token.ScopeAll)
	if seconds := s.Limiter.Allow(t.Context(), "acme", token.Identity{Client: clients[0].ID}.RateKey(), 1); seconds != 0 {
		t.Error("requests for tokens count as requests with a token")
	}
	for range 10 { // a wrong secret does not use up the tokens of the client
		s.post(grant, grantType, "client_id", clients[1].ID, "client_secret", secrets[0]).expect(t, 401, "invalid_client")
	}
	s.clock.advance(10 * time.Second)
	s.expectToken(request(0), clients[0], token.ScopeAll)
}

// A source is an IPv4 address or an IPv6 network, with or without a port. Headers do not matter.
func TestSourceIsTheAddressOfTheConnection(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.1:80": "192.0.2.1/32", "192.0.2.1": "192.0.2.1/32", "[::ffff:192.0.2.1]:80": "192.0.2.1/32", "[2001:db8::1]:80": "2001:db8::/64",
		"2001:db8:0:0:ffff::1": "2001:db8::/64", "[fe80::1%eth0]:80": "fe80::/64", "": "invalid Prefix", "pipe": "invalid Prefix",
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.RemoteAddr = address
		for _, name := range []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip", "True-Client-Ip"} {
			r.Header.Set(name, "10.0.0.1")
		}
		if got := sourceOf(r).String(); got != want {
			t.Errorf("%q: %s, want %s", address, got, want)
		}
	}
}

// The memory for counts is bounded, and concurrent requests count exactly.
func TestFailureLimiterIsBoundedAndExact(t *testing.T) {
	t.Parallel()
	var l failureLimiter
	r := httptest.NewRequest("POST", "/", nil)
	for i := range 3 * maxSources {
		r.RemoteAddr = fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)
		if l.begin(sourceOf(r), start) != 0 || len(l.failures) > maxSources {
			t.Fatalf("request %d, %d sources", i, len(l.failures))
		}
	}
	l.begin(sourceOf(r), start.Add(windowSeconds*time.Second))
	if len(l.failures) != 1 {
		t.Errorf("%d sources in a new window", len(l.failures))
	}
	l = failureLimiter{}
	var admitted [4 * maxFailures]bool
	var running sync.WaitGroup
	for i := range admitted {
		running.Go(func() { admitted[i] = l.begin(sourceOf(r), start) == 0 })
	}
	running.Wait()
	n := 0
	for _, ok := range admitted {
		if ok {
			n++
		}
	}
	if n != maxFailures {
		t.Errorf("%d requests were admitted, want %d", n, maxFailures)
	}
	for range n {
		l.succeed(sourceOf(r))
	}
	if l.succeed(sourceOf(r)); l.failures[sourceOf(r)] != 0 {
		t.Error("more successes than requests")
	}
}
