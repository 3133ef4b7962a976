package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const secret = "consumed"

// A server is a directory. Consumers reach it by a proxy, which makes pages small and some requests fail.
type server struct {
	binary, table string
	cmd           *exec.Cmd
	url           string // of SCIM, without the proxy
	target        atomic.Pointer[url.URL]
	proxy         *httptest.Server
	requests      atomic.Int64
	pages         chan struct{} // sent by the proxy
	held, late    atomic.Pointer[heldPage]
}

// A heldPage is the next page, which the proxy reads at once and sends when released is closed. Then the proxy closes ended
// when it gets the next request.
type heldPage struct{ fetched, released, ended chan struct{} }

func newServer(t *testing.T, binary string) *server {
	s := &server{binary: binary, table: filepath.Join(t.TempDir(), "scim.db"), pages: make(chan struct{}, 1)}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(s.target.Load())
			r.Out.URL.RawQuery += "&count=10"
		},
		ModifyResponse: func(r *http.Response) error {
			if r.Header.Get("Retry-After") != "" {
				r.Header.Set("Retry-After", "1")
			}
			return nil
		},
	}
	s.proxy = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.serveHeld(w, r, proxy) {
			return
		}
		switch s.requests.Add(1) % 40 {
		case 10:
			w.Header().Set("Retry-After", "1")
			http.Error(w, `{"message":"Too Many Requests"}`, http.StatusTooManyRequests)
		case 20:
			http.Error(w, `{"message":"Service Unavailable"}`, http.StatusServiceUnavailable)
		case 30:
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, `{"changes":[`)
		default:
			proxy.ServeHTTP(w, r)
			select {
			case s.pages <- struct{}{}:
			default:
			}
		}
	}))
	t.Cleanup(s.proxy.Close)
	return s
}

// serveHeld serves the request for a held page and the one after it, and reports whether this is one of them.
func (s *server) serveHeld(w http.ResponseWriter, r *http.Request, proxy http.Handler) bool {
	if h := s.held.Swap(nil); h != nil {
		page := httptest.NewRecorder()
		proxy.ServeHTTP(page, r)
		close(h.fetched)
		select {
		case <-h.released:
		case <-r.Context().Done(): // the consumer was killed
		}
		s.late.Store(h)
		w.Write(page.Body.Bytes())
		return true
	}
	h := s.late.Swap(nil)
	if h != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		close(h.ended)
	}
	return h != nil
}

// await waits until a channel is closed or has a value.
func await(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		t.Fatal("the consumer sends no request")
	}
}

// start starts the server and waits until it listens.
func (s *server) start(t *testing.T) {
	t.Helper()
	s.cmd = exec.Command(s.binary, "-addr", "127.0.0.1:0", "-token", secret, "-db", s.table, "-base", s.proxy.URL)
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	running := s.cmd
	t.Cleanup(func() { running.Process.Kill(); running.Wait() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if address, found := strings.CutPrefix(lines.Text(), "Listening at "); found {
			s.url = address
			u, err := url.Parse(strings.TrimSuffix(address, "/scim/v2"))
			if err != nil {
				t.Fatal(err)
			}
			s.target.Store(u)
			return
		}
	}
	t.Fatal("the server does not start")
}

func (s *server) stop(t *testing.T) {
	t.Helper()
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// resetFeed lets consumers begin again, as after a restore.
func (s *server) resetFeed(t *testing.T) {
	t.Helper()
	if out, err := exec.Command(s.binary, "admin", "-db", s.table, `{"command":"reset-feed"}`).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// do sends a request, which must succeed, and decodes the response into v.
func (s *server) do(t *testing.T, method, path string, body, v any) {
	t.Helper()
	text, _ := json.Marshal(body)
	request, err := http.NewRequest(method, s.url+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+secret)
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	response, err := io.ReadAll(resp.Body)
	if err == nil && v != nil {
		err = json.Unmarshal(response, v)
	}
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %s %v", method, path, resp.Status, response, err)
	}
}

// content returns the content of the directory. The members of the groups tell the memberships.
func (s *server) content(t *testing.T) content {
	t.Helper()
	all := content{}
	var users struct{ Resources []json.RawMessage }
	s.do(t, "GET", "/Users?count=1000", nil, &users)
	for _, r := range users.Resources {
		u := struct {
			ID, UserName string
			Active       bool
		}{Active: true}
		if err := json.Unmarshal(r, &u); err != nil {
			t.Fatal(err)
		}
		active := map[bool]int{true: 1}[u.Active]
		all[u.ID] = fmt.Sprint(u.UserName, " ", active) + normalize(t, string(r))
	}
	for _, g := range s.groups(t) {
		all[g.ID] = g.DisplayName
		for _, m := range g.Members {
			all[m.Value+" "+g.ID] = ""
		}
	}
	return all
}

type group struct {
	ID, DisplayName string
	Members         []struct{ Value string }
}

func (s *server) groups(t *testing.T) []group {
	t.Helper()
	var groups struct{ Resources []group }
	s.do(t, "GET", "/Groups?count=1000&attributes=displayName,members", nil, &groups)
	return groups.Resources
}

// A writer changes the directory at random.
type writer struct {
	*server
	users, groups []string // IDs
	names         int      // used
}

// newWriter returns a writer for the resources that the server has.
func newWriter(t *testing.T, s *server) *writer {
	t.Helper()
	w := &writer{server: s}
	for key := range s.content(t) {
		switch {
		case strings.Contains(key, " "):
		case strings.HasPrefix(key, "u"):
			w.users = append(w.users, key)
		default:
			w.groups = append(w.groups, key)
		}
	}
	return w
}

// write sends n changes.
func (w *writer) write(t *testing.T, n int) {
	t.Helper()
	for range n {
		if len(w.users) < 25 {
			w.users = append(w.users, w.create(t, "/Users", "userName"))
		}
		if len(w.groups) < 4 {
			w.groups = append(w.groups, w.create(t, "/Groups", "displayName"))
		}
		i, g := rand.IntN(len(w.users)), rand.IntN(len(w.groups))
		user, group := "/Users/"+w.users[i], "/Groups/"+w.groups[g]
		switch rand.IntN(10) {
		case 0:
			w.do(t, "DELETE", user, nil, nil)
			w.users = append(w.users[:i], w.users[i+1:]...)
		case 1:
			if rand.IntN(3) == 0 {
				w.do(t, "DELETE", group, nil, nil)
				w.groups = append(w.groups[:g], w.groups[g+1:]...)
			}
		case 2:
			w.patch(t, user, object{"op": "replace", "value": object{"userName": w.name()}})
		case 3:
			w.patch(t, group, object{"op": "replace", "value": object{"displayName": w.name()}})
		case 4, 5:
			w.patch(t, user, object{"op": "replace", "value": object{"active": rand.IntN(2) == 0}})
		case 6:
			w.patch(t, group, object{"op": "remove", "path": fmt.Sprintf(`members[value eq "%s"]`, w.users[i])})
		default:
			w.patch(t, group, object{"op": "add", "path": "members", "value": []object{{"value": w.users[i]}}})
		}
	}
}

type object map[string]any

func (w *writer) patch(t *testing.T, path string, operation object) {
	t.Helper()
	w.do(t, "PATCH", path, object{"Operations": []object{operation}}, nil)
}

// create creates a resource with a new name and returns its ID.
func (w *writer) create(t *testing.T, path, attribute string) string {
	t.Helper()
	var created struct{ ID string }
	w.do(t, "POST", path, object{attribute: w.name()}, &created)
	return created.ID
}

func (w *writer) name() string {
	w.names++
	return fmt.Sprintf("name-%d-%x", w.names, rand.Uint32())
}
