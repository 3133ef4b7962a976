package capture

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// An Action says what happens to a request that a fault selects.
type Action struct {
	Name, Label string
	status      int  // of the response; 0: none
	delays      bool // the request waits first
	closes      bool // the connection is closed instead of a response
	executes    bool // the request takes effect
}

// Actions returns all actions.
func Actions() []Action {
	return []Action{
		{Name: "429", Label: "answer 429 with Retry-After", status: 429},
		{Name: "500", Label: "answer 500", status: 500},
		{Name: "503", Label: "answer 503", status: 503},
		{Name: "delay", Label: "delay the response", delays: true, executes: true},
		{Name: "close-before", Label: "close the connection before the request takes effect", closes: true},
		{Name: "close-after", Label: "close the connection after the request took effect", closes: true, executes: true},
	}
}

// A Fault changes what happens to the next requests that match. Empty fields match every request.
type Fault struct {
	ID                   int
	Method, Path, Client string // Path is the beginning of the path, such as /Users
	Action               Action
	Seconds              int // of Retry-After, or of the delay
	Remaining            int // number of requests that it still changes
}

func (f *Fault) matches(c *captured) bool {
	return (f.Method == "" || f.Method == c.method) && strings.HasPrefix(c.path, f.Path) && (f.Client == "" || f.Client == c.client())
}

// Faults are the active faults.
type Faults struct {
	mu   sync.Mutex
	last int
	list []*Fault
}

// MaxFaultRequests and MaxFaultSeconds limit a [Fault].
const MaxFaultRequests, MaxFaultSeconds = 1000, 60

// take returns the first fault that matches, or nil, and counts the request.
func (x *Faults) take(c *captured) *Fault {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i, f := range x.list {
		if !f.matches(c) {
			continue
		}
		if f.Remaining--; f.Remaining == 0 {
			x.list = slices.Delete(x.list, i, i+1)
		}
		taken := *f
		return &taken
	}
	return nil
}

// Add activates a fault. It sets its ID.
func (x *Faults) Add(f Fault) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.last++
	f.ID = x.last
	x.list = append(x.list, &f)
}

// Remove removes the fault with an ID, or all faults if it is 0.
func (x *Faults) Remove(id int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.list = slices.DeleteFunc(x.list, func(f *Fault) bool { return id == 0 || f.ID == id })
}

// Active returns copies of the active faults.
func (x *Faults) Active() (list []Fault) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, f := range x.list {
		list = append(list, *f)
	}
	return list
}

// inject serves a request as a fault says. A close ends the connection when the exchange has been kept.
func (f *Fault) inject(w http.ResponseWriter, r *http.Request, h http.Handler) {
	a := f.Action
	if a.delays {
		select {
		case <-time.After(time.Duration(f.Seconds) * time.Second):
		case <-r.Context().Done():
		}
	}
	switch {
	case a.executes && a.closes:
		h.ServeHTTP(discard{http.Header{}}, r)
	case a.executes:
		h.ServeHTTP(w, r)
	case a.status != 0:
		f.respond(w)
	}
}

// respond writes an error as the server would.
func (f *Fault) respond(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/scim+json")
	if f.Action.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", strconv.Itoa(f.Seconds))
	}
	w.WriteHeader(f.Action.status)
	fmt.Fprintf(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"%d","detail":"A fault of the console. Repeat the request."}`,
		f.Action.status)
}

// discard is a response that nobody receives.
type discard struct{ header http.Header }

func (d discard) Header() http.Header { return d.header }

func (d discard) WriteHeader(int) {}

func (d discard) Write(p []byte) (int, error) { return len(p), nil }
