package console

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"serverless-scim/internal/console/traffic"
)

// post sends a form to the console.
func post(t *testing.T, h http.Handler, path string, form url.Values) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	r.Host = "127.0.0.1:8080"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "http://127.0.0.1:8080")
	r.AddCookie(&http.Cookie{Name: cookie, Value: key})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// A fault changes exactly the requests that match, and as many as it says.
func TestFaults(t *testing.T) {
	t.Parallel()
	for action, want := range map[string]struct {
		status   int // 0: the connection is closed
		executed bool
	}{"429": {429, false}, "500": {500, false}, "503": {503, false}, "delay": {201, true}, "close-before": {0, false}, "close-after": {0, true}} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			var executed atomic.Int32
			c, h := newConsole(func(w http.ResponseWriter, _ *http.Request) {
				executed.Add(1)
				w.WriteHeader(201)
			})
			server := httptest.NewServer(h)
			defer server.Close()
			w := post(t, h, Root+"faults", url.Values{"method": {"POST"}, "path": {"/Users"}, "action": {action}, "count": {"2"}, "seconds": {"0"}})
			if w.Code != 303 {
				t.Fatal(w.Code, w.Body)
			}
			if !strings.Contains(get(t, h, Root), "1 fault is active") {
				t.Error("there is no banner")
			}
			send := func(path string) (status int) {
				resp, err := http.Post(server.URL+"/scim/v2"+path, "application/json", strings.NewReader("{}"))
				if err != nil {
					return 0
				}
				defer resp.Body.Close()
				io.Copy(io.Discard, resp.Body)
				return resp.StatusCode
			}
			if got := send("/Groups"); got != 201 {
				t.Errorf("another path: %d", got)
			}
			for range 2 {
				executed.Store(0)
				if got := send("/Users"); got != want.status || (executed.Load() == 1) != want.executed {
					t.Errorf("status %d, executed %d times; want %d, %t", got, executed.Load(), want.status, want.executed)
				}
			}
			if got := send("/Users"); got != 201 || len(c.Traffic.Faults.Active()) != 0 {
				t.Errorf("after two requests: %d, %v", got, c.Traffic.Faults.Active())
			}
			if e := c.Traffic.Find(2); e.Fault == "" {
				t.Error("the exchange does not say that a fault was injected")
			}
		})
	}
}

// A form with wrong values adds nothing and says what to do.
func TestInvalidFaultsAreRejected(t *testing.T) {
	t.Parallel()
	c, h := newConsole(http.NotFound)
	for _, form := range []url.Values{
		{"action": {"x"}, "count": {"1"}, "seconds": {"1"}}, {"action": {"500"}, "count": {"0"}, "seconds": {"1"}},
		{"action": {"500"}, "count": {"1"}, "seconds": {"1000"}}, {"action": {"500"}, "count": {""}, "seconds": {"1"}}, {},
	} {
		if w := post(t, h, Root+"faults", form); w.Code != 200 || !strings.Contains(w.Body.String(), `role="alert"`) || len(c.Traffic.Faults.Active()) != 0 {
			t.Errorf("%v: %d %v", form, w.Code, c.Traffic.Faults.Active())
		}
	}
}

// A fault can select every client that the console recognizes, and every client that has sent a request.
func TestFaultsOfferClients(t *testing.T) {
	t.Parallel()
	_, h := newConsole(http.NotFound)
	r := httptest.NewRequest("GET", "/scim/v2/Users", nil)
	r.Header.Set("User-Agent", "acme&sync/2")
	h.ServeHTTP(httptest.NewRecorder(), r)
	body := get(t, h, Root+"faults")
	for _, name := range append(traffic.KnownClients(), "acme&amp;sync") {
		if strings.Count(body, "<option>"+name+"</option>") != 1 {
			t.Errorf("the page does not offer %s once: %s", name, body)
		}
	}
}
