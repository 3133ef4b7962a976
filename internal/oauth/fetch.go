package oauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

var (
	errURL      = errors.New("URL is not https://HOST/PATH")
	errPort     = errors.New("port is not 443")
	errAddress  = errors.New("address is not public")
	errStatus   = errors.New("status is not 200")
	errTooLarge = errors.New("response is too large")
)

const (
	maxKeySetBytes = 64 << 10
	fetchTimeout   = 5 * time.Second // of a request as a whole
)

// ClientOptions change NewClient for tests. The zero value is right everywhere else.
type ClientOptions struct {
	AllowLoopback bool           // also at ports other than 443
	Roots         *x509.CertPool // nil means those of the system
}

// NewClient returns an HTTP client that connects to port 443 of public addresses only, and that follows no redirect. The
// addresses are checked when it connects, so no name can lead to a private address, even if it changes (DNS rebinding). It
// uses no proxy, which would resolve names itself. It keeps no connection, because key sets are seldom fetched.
func NewClient(o ClientOptions) *http.Client {
	dialer := net.Dialer{Control: func(_, address string, _ syscall.RawConn) error { return o.checkAddress(address) }}
	return &http.Client{
		Timeout:       fetchTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12},
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxKeySetBytes,
		},
	}
}

// checkAddress returns an error unless the client may connect to an IP address and port.
func (o ClientOptions) checkAddress(address string) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if o.AllowLoopback && a.Addr().IsLoopback() {
		return nil
	}
	if a.Port() != 443 {
		return errPort
	}
	if !isPublic(a.Addr()) {
		return errAddress
	}
	return nil
}

// globalUnicast is the part of IPv6 that IANA assigns to networks. Addresses outside it are local, or lead to an IPv4 address
// through a translator: 64:ff9b::/96 and 64:ff9b:1::/48.
var globalUnicast = netip.MustParsePrefix("2000::/3")

// notPublic are the prefixes of the IANA special-purpose address registries, except those outside globalUnicast.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),         // this network; Linux connects 0.0.0.0 to itself
	netip.MustParsePrefix("10.0.0.0/8"),        // private
	netip.MustParsePrefix("100.64.0.0/10"),     // shared by carriers (CGNAT)
	netip.MustParsePrefix("127.0.0.0/8"),       // loopback
	netip.MustParsePrefix("169.254.0.0/16"),    // link-local; credentials of AWS
	netip.MustParsePrefix("172.16.0.0/12"),     // private
	netip.MustParsePrefix("192.0.0.0/24"),      // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),      // documentation
	netip.MustParsePrefix("192.31.196.0/24"),   // AS112
	netip.MustParsePrefix("192.52.193.0/24"),   // AMT
	netip.MustParsePrefix("192.88.99.0/24"),    // 6to4 relays
	netip.MustParsePrefix("192.168.0.0/16"),    // private
	netip.MustParsePrefix("192.175.48.0/24"),   // AS112
	netip.MustParsePrefix("198.18.0.0/15"),     // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"),   // documentation
	netip.MustParsePrefix("203.0.113.0/24"),    // documentation
	netip.MustParsePrefix("224.0.0.0/4"),       // multicast
	netip.MustParsePrefix("240.0.0.0/4"),       // reserved, broadcast
	netip.MustParsePrefix("2001::/23"),         // protocol assignments; Teredo, which leads to IPv4
	netip.MustParsePrefix("2001:db8::/32"),     // documentation
	netip.MustParsePrefix("2002::/16"),         // 6to4, which leads to IPv4
	netip.MustParsePrefix("2620:4f:8000::/48"), // AS112
	netip.MustParsePrefix("3fff::/20"),         // documentation
}

// isPublic reports whether an address is reachable through the internet alone. An IPv4 address can have the form of IPv6.
// No prefix contains an address with a zone, so such an address is not public.
func isPublic(a netip.Addr) bool {
	a = a.Unmap()
	for _, p := range notPublic {
		if p.Contains(a) {
			return false
		}
	}
	return a.Is4() || globalUnicast.Contains(a)
}

// fetchKeySet returns the key set at an https URL.
func fetchKeySet(ctx context.Context, client *http.Client, keysURL string) (keySet, error) {
	u, err := url.Parse(keysURL)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, errURL
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, keysURL, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: %d", errStatus, response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKeySetBytes+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxKeySetBytes {
		return nil, errTooLarge
	}
	return parseKeySet(body)
}
