package dynamo

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A server is accepted if one of the pools has its issuer, and the name in its certificate is its own.
func TestServersNeedAKnownIssuer(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	issuer, amazon := x509.NewCertPool(), newTLSDialer().roots[0]
	issuer.AddCert(server.Certificate())
	address := server.Listener.Addr().String()
	for name, c := range map[string]struct {
		roots    []*x509.CertPool
		accepted bool
	}{
		"the first pool has it":  {[]*x509.CertPool{issuer, amazon}, true},
		"the second pool has it": {[]*x509.CertPool{amazon, issuer}, true},
		"no pool has it":         {[]*x509.CertPool{amazon, x509.NewCertPool()}, false},
		"not even the system's":  {newTLSDialer().roots, false},
	} {
		d := tlsDialer{roots: c.roots, sessions: tls.NewLRUClientSessionCache(0)}
		conn, err := d.DialContext(t.Context(), "tcp", address)
		if conn != nil && err == nil {
			conn.Close()
		}
		if unknown := (x509.UnknownAuthorityError{}); (err == nil) != c.accepted || !c.accepted && !errors.As(err, &unknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
	d := tlsDialer{roots: []*x509.CertPool{issuer}}
	_, err := d.DialContext(t.Context(), "tcp", "localhost:"+address[len("127.0.0.1:"):])
	if hostname := (x509.HostnameError{}); !errors.As(err, &hostname) {
		t.Errorf("a certificate of another name: %v", err)
	}
}

// The next connection resumes the session, which costs neither side a signature.
func TestConnectionsResumeSessions(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	issuer := x509.NewCertPool()
	issuer.AddCert(server.Certificate())
	d := tlsDialer{roots: []*x509.CertPool{issuer}, sessions: tls.NewLRUClientSessionCache(0)}
	client := http.Client{Transport: &http.Transport{DialTLSContext: d.DialContext, DisableKeepAlives: true}}
	for _, resumed := range []bool{false, true} {
		r, err := client.Get(server.URL)
		if err != nil || r.TLS == nil || r.TLS.DidResume != resumed {
			t.Fatalf("%+v, %v, want a resumed session: %t", r, err, resumed)
		}
		r.Body.Close()
	}
}

// A root that expires soon would make every start slow.
func TestRootsAreValid(t *testing.T) {
	t.Parallel()
	blocks := 0
	for rest := bytes.Clone(rootCertificates); ; blocks++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil || !c.IsCA || time.Until(c.NotAfter) < 365*24*time.Hour {
			t.Errorf("%v: %+v", err, c)
		}
	}
	if blocks != 5 {
		t.Errorf("%d roots, want 5", blocks)
	}
}
