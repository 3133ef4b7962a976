package oauth

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

func TestFetchReturnsTheKeysOfAResponse(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	body := marshalKeySet(t, publicKey(ecKey(), "ec", ""))
	padded := append(body, bytes.Repeat([]byte(" "), maxKeySetBytes-len(body))...)
	i.respond(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "GET" || r.URL.Path != "/keys" || r.Header.Get("Accept") != "application/json" || r.Header.Get("Authorization") != "" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		_, _ = w.Write(padded)
	})
	set, err := fetchKeySet(t.Context(), i.client(), i.URL+"/keys")
	if err != nil || len(set) != 1 {
		t.Errorf("%v, %v", set, err)
	}
}

func TestFetchRejectsOtherResponses(t *testing.T) {
	t.Parallel()
	target := newIssuer(t)
	respond := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", target.URL)
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	keys := string(marshalKeySet(t, publicKey(ecKey(), "ec", "")))
	tooLarge := keys + strings.Repeat(" ", maxKeySetBytes+1-len(keys))
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		cause   error
	}{
		"redirect":           {respond(302, keys), errStatus},
		"permanent redirect": {respond(308, keys), errStatus},
		"created":            {respond(201, keys), errStatus},
		"not found":          {respond(404, keys), errStatus},
		"unavailable":        {respond(503, keys), errStatus},
		"too large":          {respond(200, tooLarge), errTooLarge},
		"too large, chunked": {func(w http.ResponseWriter, r *http.Request) {
			for range 2 {
				fmt.Fprint(w, tooLarge)
				w.(http.Flusher).Flush()
			}
		}, errTooLarge},
		"compressed": {func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept-Encoding") != "" {
				t.Error("asks for compression")
			}
			fmt.Fprint(w, "\x1f\x8b")
		}, errKeySet},
		"a page": {respond(200, "<html></html>"), errKeySet},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t)
			i.respond(test.handler)
			if set, err := fetchKeySet(t.Context(), i.client(), i.URL); !errors.Is(err, test.cause) {
				t.Errorf("got %v, %v, want %v", set, err, test.cause)
			}
			if n := target.requests.Load(); n != 0 {
				t.Errorf("follows a redirect")
			}
		})
	}
}

func TestFetchEndsWhenTheServerIsSlow(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	if client := i.client(); client.Timeout != 5*time.Second {
		t.Errorf("timeout is %v", client.Timeout)
	}
	i.respond(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "{")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	client := i.client()
	client.Timeout = 100 * time.Millisecond
	if _, err := fetchKeySet(t.Context(), client, i.URL); !os.IsTimeout(err) {
		t.Error(err)
	}
}

func TestFetchUsesHTTPSOnly(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("requested") }))
	t.Cleanup(plain.Close)
	host := strings.TrimPrefix(i.URL, "https://")
	for _, u := range []string{plain.URL, "http://" + host, "", "https://", "//" + host, host, "file:///etc/hosts", "https://user:pass@" + host, "https:" + host, "https://[::1"} {
		if _, err := fetchKeySet(t.Context(), i.client(), u); !errors.Is(err, errURL) {
			t.Errorf("%q: %v", u, err)
		}
	}
	if _, err := fetchKeySet(t.Context(), NewClient(ClientOptions{AllowLoopback: true}), i.URL); err == nil {
		t.Error("accepts an unknown certificate")
	}
	if _, err := fetchKeySet(t.Context(), i.client(), strings.Replace(i.URL, "127.0.0.1", "localhost", 1)); err == nil {
		t.Error("accepts the certificate of another name")
	}
	checkRequests(t, i, 0)
}

func TestFetchRejectsOldTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("requested") }))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	server.StartTLS()
	t.Cleanup(server.Close)
	client := NewClient(ClientOptions{AllowLoopback: true})
	client.Transport.(*http.Transport).TLSClientConfig.InsecureSkipVerify = true
	if _, err := fetchKeySet(t.Context(), client, server.URL); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Error(err)
	}
}

// A proxy would resolve names itself, and a connection that is kept would not be checked again.
func TestTheClientUsesNoProxyAndKeepsNoConnection(t *testing.T) {
	t.Parallel()
	transport := NewClient(ClientOptions{}).Transport.(*http.Transport)
	if transport.Proxy != nil || !transport.DisableKeepAlives {
		t.Error("uses a proxy or keeps connections")
	}
}

// The address is checked after the name is resolved. So it does not matter which name or notation leads to it.
func TestFetchConnectsToNoLocalAddress(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	client := NewClient(ClientOptions{Roots: i.roots()})
	for _, u := range []string{"https://localhost/keys", "https://127.0.0.1", "https://[::1]", "https://[::ffff:127.0.0.1]", "https://0.0.0.0", "https://[::]",
		"https://169.254.169.254/latest/meta-data", "https://[fe80::1%25lo]", "https://[64:ff9b::7f00:1]"} {
		if _, err := fetchKeySet(t.Context(), client, u); !errors.Is(err, errAddress) {
			t.Errorf("%s: %v", u, err)
		}
	}
	if _, err := fetchKeySet(t.Context(), client, i.URL); !errors.Is(err, errPort) {
		t.Error(err)
	}
	checkRequests(t, i, 0)
}

func TestOnlyPublicAddressesAreAllowed(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"::/128", "::1/128", "::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/32", "2001::/23", "2001:db8::/32",
		"2002::/16", "2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
	} {
		p := netip.MustParsePrefix(prefix)
		first, last := p.Masked().Addr(), lastAddress(p)
		addresses := []netip.Addr{first, last}
		if first.Is4() {
			addresses = append(addresses, netip.AddrFrom16(first.As16()), netip.AddrFrom16(last.As16()))
		} else {
			addresses = append(addresses, first.WithZone("eth0"))
		}
		for _, a := range addresses {
			if err := (ClientOptions{}).checkAddress(netip.AddrPortFrom(a, 443).String()); !errors.Is(err, errAddress) {
				t.Errorf("%s of %s: %v", a, p, err)
			}
		}
	}
	for _, a := range []string{
		"1.1.1.1", "9.255.255.255", "11.0.0.0", "20.190.128.1", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255",
		"169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
		"223.255.255.255", "::ffff:1.1.1.1", "2001:200::1", "2603:1006:2000::1", "2606:4700:4700::1111", "2003::1", "3ffe::1",
	} {
		if err := (ClientOptions{}).checkAddress(netip.AddrPortFrom(netip.MustParseAddr(a), 443).String()); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
}

func lastAddress(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for n := p.Bits(); n < 8*len(b); n++ {
		b[n/8] |= 0x80 >> (n % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func TestThePortIs443AndTheSwitchAllowsLoopbackAlone(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"1.1.1.1:80", "1.1.1.1:8443", "127.0.0.1:8443", "[2606:4700:4700::1111]:22"} {
		if err := (ClientOptions{}).checkAddress(address); !errors.Is(err, errPort) {
			t.Errorf("%s: %v", address, err)
		}
	}
	loopback := ClientOptions{AllowLoopback: true}
	for _, address := range []string{"127.0.0.1:8443", "[::1]:8443", "[::ffff:127.0.0.1]:8443"} {
		if err := loopback.checkAddress(address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"10.0.0.1:443", "169.254.169.254:443", "1.1.1.1:80", "[fd00:ec2::254]:443", "localhost:443", "", "127.0.0.1"} {
		if err := loopback.checkAddress(address); err == nil {
			t.Errorf("%s is allowed", address)
		}
	}
}
