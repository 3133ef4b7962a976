package console

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/console/capture"
)

const key = "k3y"

// newConsole returns a console around a handler, as functions/local wires it.
func newConsole(scim http.HandlerFunc) (*Console, http.Handler) {
	c := New(Config{Now: time.Now, BasePath: "/scim/v2", Key: key, Hosts: []string{"127.0.0.1:8080"},
		Traffic: capture.New(time.Now, "/scim/v2")})
	mux := http.NewServeMux()
	mux.Handle(Root, c.Pages())
	mux.Handle("/", c.Traffic.Handler(scim))
	return c, mux
}

// get returns a page, with the key.
func get(t *testing.T, h http.Handler, path string) string {
	t.Helper()
	r := httptest.NewRequest("GET", path, nil)
	r.Host = "127.0.0.1:8080"
	r.AddCookie(&http.Cookie{Name: cookie, Value: key})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 200 {
		t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

// hostile are texts that would be executed if a page did not escape them.
var hostile = []string{`<script>alert(1)</script>`, `"onload="alert(1)`, `'><img src=x onerror=alert(1)>`, `javascript:alert(1)`, `{{.Key}}`}

// All data on the pages is escaped.
func TestHostileDataIsEscaped(t *testing.T) {
	t.Parallel()
	for _, text := range hostile {
		_, h := newConsole(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Test", text)
			w.WriteHeader(400)
			io.WriteString(w, `{"detail":"`+text+`"}`)
		})
		r := httptest.NewRequest("POST", "/scim/v2/Users", strings.NewReader(`{"userName":"`+text+`"}`))
		r.URL.Path, r.URL.RawQuery = "/scim/v2/"+text, "filter="+text
		r.Header.Set("User-Agent", text)
		h.ServeHTTP(httptest.NewRecorder(), r)
		for _, path := range []string{Root, Root + "traffic/1"} {
			body := get(t, h, path)
			for _, active := range []string{"<script>alert", `"onload="alert`, "<img src=x", `href="javascript:`, "k3y"} {
				if strings.Contains(body, active) {
					t.Errorf("%s contains %s of %s", path, active, text)
				}
			}
		}
	}
}

// Only a browser on this machine that has the key sees the console.
func TestProtection(t *testing.T) {
	t.Parallel()
	_, h := newConsole(http.NotFound)
	for name, c := range map[string]struct {
		method, path, host, cookie, origin string
		status                             int
	}{
		"with the key":     {"GET", Root, "127.0.0.1:8080", key, "", 200},
		"without a key":    {"GET", Root, "127.0.0.1:8080", "", "", 403},
		"wrong key":        {"GET", Root, "127.0.0.1:8080", "x", "", 403},
		"key in address":   {"GET", Root + "?key=" + key, "127.0.0.1:8080", "", "", 200},
		"wrong in address": {"GET", Root + "?key=x", "127.0.0.1:8080", key, "", 403},
		"other host":       {"GET", Root, "evil.example", key, "", 403},
		"foreign origin":   {"POST", Root + "traffic/clear", "127.0.0.1:8080", key, "https://evil.example", 403},
		"own origin":       {"POST", Root + "traffic/clear", "127.0.0.1:8080", key, "http://127.0.0.1:8080", 303},
		"asset, no key":    {"GET", Root + "assets/style.css", "127.0.0.1:8080", "", "", 403},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		r.Host = c.host
		if c.cookie != "" {
			r.AddCookie(&http.Cookie{Name: cookie, Value: c.cookie})
		}
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'self'") {
			t.Errorf("%s: %d %v, want %d", name, w.Code, w.Header(), c.status)
		}
	}
}

// Tokens and passwords are masked in every part of an exchange.
func TestSecretsAreMasked(t *testing.T) {
	t.Parallel()
	const token, password = "scim_default_0123456789abcdefghijklmnopqrstuv0123456789abcdefghijklmnop", "hunter2!"
	const clientSecret, assertion = "scimsecret_0123456789abcdefghijklmnopqrstuv0123456789abcdefghijklmnop", "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
	c, h := newConsole(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	})
	for _, body := range []string{
		`{"userName":"a","password":"` + password + `"}`, `{"Password" : "` + password + `"`, `{"token":"` + token + `"}`,
		`{"Operations":[{"op":"replace","path":"password","value":"` + password + `"}]}`,
		`{"Operations":[{"op":"replace","value":"` + password + `","path":"password"}]}`,
		`{"Operations":[{"op":"replace","value":{"password":"` + password + `"}}]}`,
		`{"access_token":"` + token + `","token_type":"Bearer"}`, `grant_type=client_credentials&client_secret=` + clientSecret + `&client_id=x`,
		`client_secret=` + password, `{"client_secret":"` + clientSecret + `"}`, `client_assertion=` + assertion + `&scope=scim`, `{"client_assertion":"` + assertion + `"}`,
	} {
		r := httptest.NewRequest("POST", "/scim/v2/Users?access_token="+token, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("X-Copy", token)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	for _, e := range c.Traffic.Exchanges() {
		text := strings.Join([]string{e.Path, e.Query, e.Body.Text, e.Content.Text, curlCommand(e), e.Header.Get("X-Copy"), e.Header.Get("Authorization")}, "\n")
		if strings.Contains(text, token) || strings.Contains(text, password) || strings.Contains(text, clientSecret[:30]) || strings.Contains(text, assertion[20:]) {
			t.Errorf("an exchange contains a secret: %s", text)
		}
	}
}

// The page of tenants runs only the commands that it offers, with their fields, and shows a new token once.
func TestOperate(t *testing.T) {
	t.Parallel()
	var events []string
	c, h := newConsole(http.NotFound)
	c.Execute = func(_ context.Context, event json.RawMessage) (any, error) {
		events = append(events, string(event))
		switch {
		case strings.Contains(string(event), "list-tenants"):
			return json.RawMessage(`{"tenants":[{"tenant":"acme","created":"2026-01-02T03:04:05Z"}]}`), nil
		case strings.Contains(string(event), "list-tokens"):
			return json.RawMessage(`{"tokens":[{"id":"0123456789abcdef","label":"okta","scope":"scim","expires":"2027-01-02T03:04:05Z"}]}`), nil
		case strings.Contains(string(event), "list-clients"):
			return json.RawMessage(`{"clients":[{"client_id":"client_acme_1","label":"entra","secrets":[{"id":"fedcba9876543210","expires":"2027-01-02T03:04:05Z"}]},
				{"client_id":"client_acme_2","keys":{}},{"client_id":"client_acme_3","federation":{"issuer":"https://issuer.example"}}]}`), nil
		case strings.Contains(string(event), "create-client"):
			return json.RawMessage(`{"client_id":"client_acme_1","client_secret":"scimsecret_x"}`), nil
		case strings.Contains(string(event), "create-token"):
			return json.RawMessage(`{"token":"scim_acme_secret"}`), nil
		}
		return nil, errors.New("refused <b>")
	}
	body := get(t, h, Root+"operate")
	for _, want := range []string{"0123456789abcdef", "secret <code>fedcba9876543210</code>, expires", "assertions of https://issuer.example", "assertions with its own keys"} {
		if !strings.Contains(body, want) || strings.Contains(body, "scim_acme_secret") {
			t.Errorf("the page has no %s: %s", want, body)
		}
	}
	events = nil
	w := post(t, h, Root+"operate", url.Values{"command": {"create-token"}, "tenant": {"acme"}, "label": {"x"}, "scope": {"scim.read"}, "days": {"9"}})
	if events[0] != `{"command":"create-token","label":"x","scope":"scim.read","tenant":"acme"}` || !strings.Contains(w.Body.String(), "scim_acme_secret") {
		t.Errorf("%s, %s", events[0], w.Body)
	}
	w = post(t, h, Root+"operate", url.Values{"command": {"create-client"}, "tenant": {"acme"}, "label": {"x"}, "scope": {"scim"}, "keys": {"{}"}})
	if body := w.Body.String(); !strings.Contains(body, "scimsecret_x") || !strings.Contains(body, "The client ID is <code>client_acme_1</code>") {
		t.Errorf("%s", body)
	}
	events = nil
	if w := post(t, h, Root+"operate", url.Values{"command": {"purge"}}); !strings.Contains(w.Body.String(), `role="alert"`) || strings.Contains(events[0], "purge") {
		t.Errorf("%v %s", events, w.Body)
	}
	if w := post(t, h, Root+"operate", url.Values{"command": {"revoke-token"}, "tenant": {"acme"}}); !strings.Contains(w.Body.String(), "refused &lt;b&gt;") {
		t.Errorf("%s", w.Body)
	}
}

var commandForm = regexp.MustCompile(`(?s)<form.*?</form>`)

// Each command says what it does and whether it can be undone. A command that ends something asks for confirmation.
func TestCommandsAreExplained(t *testing.T) {
	t.Parallel()
	c, h := newConsole(http.NotFound)
	for state, want := range map[string]string{
		`"created":"2026-01-02T03:04:05Z"`:  "rotate-token revoke-token! rotate-client-secret revoke-client! create-token create-client disable-tenant! reset-feed! delete-tenant! create-tenant",
		`"disabled":"2026-01-02T03:04:05Z"`: "rotate-token revoke-token! rotate-client-secret revoke-client! create-token create-client enable-tenant reset-feed! delete-tenant! create-tenant",
		`"deleted":"2026-01-02T03:04:05Z"`:  "rotate-token revoke-token! rotate-client-secret revoke-client! create-token create-client enable-tenant reset-feed! create-tenant",
		`"stopped":"2026-01-02T03:04:05Z"`:  "release-tenant rotate-token revoke-token! rotate-client-secret revoke-client! create-token create-client disable-tenant! reset-feed! delete-tenant! create-tenant",
	} {
		c.Execute = func(_ context.Context, event json.RawMessage) (any, error) {
			switch {
			case strings.Contains(string(event), "list-tokens"):
				return json.RawMessage(`{"tokens":[{"id":"0123456789abcdef","label":"okta"}]}`), nil
			case strings.Contains(string(event), "list-clients"):
				return json.RawMessage(`{"clients":[{"client_id":"client_acme_1","secrets":[{"id":"fedcba9876543210"}]}]}`), nil
			}
			return json.RawMessage(`{"tenants":[{"tenant":"acme",` + state + `}]}`), nil
		}
		var got []string
		body := get(t, h, Root+"operate")
		for _, form := range commandForm.FindAllString(body, -1) {
			if _, name, found := strings.Cut(form, `name="command" value="`); found {
				name, _, _ = strings.Cut(name, `"`)
				if strings.Contains(form, `type="checkbox" required`) {
					name += "!"
				}
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %s, want %s", state, got, want)
		}
		for _, part := range strings.Split(body, "<dd>")[1:] {
			if text, _, _ := strings.Cut(part, "<form"); !strings.Contains(text, "undo") {
				t.Errorf("a command does not say whether it can be undone: %s", text)
			}
		}
	}
}
