package oauth

import (
	"net/http"
	"net/netip"
	"sync"
	"time"
)

const (
	windowSeconds = 10     // length of a window
	maxFailures   = 50     // failed requests of a source in a window
	maxSources    = 10_000 // sources whose failures are counted
)

// A failureLimiter limits the failed requests of each source, in windows of ten seconds. A source is an IPv4 address or an
// IPv6 network of 64 bits, which one client can have for itself. Requests that succeed do not count, because many clients
// can share a source, such as those of an identity provider.
//
// The counts are in the memory of one instance, so the limit costs no call to the table. It bounds the calls that a source
// can cause with well-formed IDs, not the number of guesses: a secret has 256 random bits. The zero value is ready to use.
type failureLimiter struct {
	mu       sync.Mutex
	window   int64                // Unix time divided by windowSeconds
	failures map[netip.Prefix]int // of the window, including the requests in progress
}

// begin counts a request as failed, until succeed is called. It returns 0 if the request may proceed. Otherwise it returns
// after how many seconds (1 to 10) the source can try again. With too many sources, begin forgets the counts of all.
func (l *failureLimiter) begin(source netip.Prefix, now time.Time) (retryAfter int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if window := now.Unix() / windowSeconds; window != l.window || l.failures == nil || len(l.failures) >= maxSources {
		l.window, l.failures = window, map[netip.Prefix]int{}
	}
	if l.failures[source] >= maxFailures {
		return windowSeconds - int(now.Unix()%windowSeconds)
	}
	l.failures[source]++
	return 0
}

// succeed undoes begin for a request that did not fail because of the client.
func (l *failureLimiter) succeed(source netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failures[source] > 0 { // a new window may have begun
		l.failures[source]--
	}
}

// sourceOf returns the source of a request. RemoteAddr is set by the server or by API Gateway. Headers such as
// X-Forwarded-For are not used, because clients can set them. Requests without an address are one source.
func sourceOf(r *http.Request) netip.Prefix {
	addr, err := netip.ParseAddr(r.RemoteAddr) // API Gateway states no port
	if err != nil {
		withPort, _ := netip.ParseAddrPort(r.RemoteAddr)
		addr = withPort.Addr()
	}
	addr = addr.Unmap().WithZone("")
	prefix, _ := addr.Prefix(min(addr.BitLen(), 64))
	return prefix
}
