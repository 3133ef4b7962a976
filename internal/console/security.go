package console

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"slices"
)

// cookie is the name of the cookie that holds the key.
const cookie = "console"

// protect returns a handler that serves h only to a browser that has the key, on this machine. A page of another site
// cannot make the browser send a request that is served: its Origin is rejected, and so is a Host that is not one of this
// machine's, which DNS rebinding would cause.
func (c *Console) protect(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; form-action 'self'; base-uri 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "same-origin")
		w.Header().Set("Cache-Control", "no-store")
		switch {
		case !slices.Contains(c.Hosts, r.Host):
			http.Error(w, "The console is not served under this address. Use the one that the program has printed.", http.StatusForbidden)
		case !c.isOwnOrigin(r):
			http.Error(w, "The request comes from a page of another site.", http.StatusForbidden)
		case r.URL.Query().Has("key") && r.Method == http.MethodGet:
			c.login(w, r)
		case !c.hasKey(r):
			http.Error(w, "Open the address of the console that the program has printed, with its key.", http.StatusForbidden)
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// isOwnOrigin reports whether a request comes from a page of the console, or from no page.
func (c *Console) isOwnOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		site := r.Header.Get("Sec-Fetch-Site")
		return r.Method == http.MethodGet || site == "" || site == "same-origin" || site == "none"
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host == r.Host
}

// login turns the key in the address into a cookie, so that the key does not stay in the address.
func (c *Console) login(w http.ResponseWriter, r *http.Request) {
	if !c.isKey(r.URL.Query().Get("key")) {
		http.Error(w, "The key is not that of this run of the program. Open the address that it has printed.", http.StatusForbidden)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: c.Key, Path: Root, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	// A redirect of the browser would count as one from another site, to which a strict cookie is not sent.
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Refresh", "0; url="+r.URL.Path)
	w.Write([]byte("<!doctype html><link rel=icon href=assets/icon.svg><title>Console</title>Opening the console."))
}

func (c *Console) hasKey(r *http.Request) bool {
	k, err := r.Cookie(cookie)
	return err == nil && c.isKey(k.Value)
}

func (c *Console) isKey(s string) bool {
	return c.Key != "" && subtle.ConstantTimeCompare([]byte(s), []byte(c.Key)) == 1
}
