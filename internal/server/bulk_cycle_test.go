package server

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// A cycleRun sends a bulk request with a cycle, and an incident happens at one of its table calls.
type cycleRun struct {
	*client
	healthy  directory.Config // of a table without faults
	seconds  atomic.Int64     // Unix time
	ctx      *cancellableContext
	n        int        // number of the call at which the incident happens
	mu       sync.Mutex // protects calls and happened, because some calls are concurrent
	calls    int
	happened bool
}

// A cancellableContext is a context that the test can end, or whose deadline it can bring near.
type cancellableContext struct {
	adjustableDeadline
	cancel context.CancelFunc
}

// A contextTable is a table whose calls fail after the end of their context, as those of DynamoDB do.
type contextTable struct{ table.Table }

func (t contextTable) Write(ctx context.Context, writes ...table.Write) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return t.Table.Write(ctx, writes...)
}

func (t contextTable) Get(ctx context.Context, attributes []string, keys ...table.Key) ([]table.Item, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return t.Table.Get(ctx, attributes, keys...)
}

var cycleOperations = []string{postGroup("x", "y"), postGroup("y", "z", "y"), postGroup("z", "x")}

const allCreated = "201, 201, 201"

// incidents are what can happen at a table call of the request. Each returns the error of that call; after is true if the
// call has taken effect.
var incidents = map[string]func(r *cycleRun, after bool) error{
	"the process is killed": func(*cycleRun, bool) error { return errors.New("the process is dead") },
	"a call fails": func(r *cycleRun, _ bool) error {
		return &table.TransientError{Err: errors.New("a lost response")}
	},
	"the client leaves":       func(r *cycleRun, _ bool) error { r.ctx.cancel(); return nil },
	"the deadline comes near": func(r *cycleRun, _ bool) error { r.ctx.near.Store(true); return nil },
	"a sweep comes late":      func(r *cycleRun, _ bool) error { r.sweep(); return nil },
}

// sweep runs a sweep at a time when all that the request has begun is taken for abandoned.
func (r *cycleRun) sweep() {
	r.seconds.Add(40)
	if _, err := directory.Sweep(r.Context(), r.healthy.Store); err != nil {
		r.Error(err)
	}
}

// send sends the bulk request. The incident happens at table call n, before or after it takes effect.
func (r *cycleRun) send(what string, after bool) clientResponse {
	hook := func(isAfter bool) func(tabletest.Call) error {
		return func(tabletest.Call) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			if isAfter != after {
				return nil
			}
			r.calls++ // counted where the incident happens, because calls can overlap
			if r.calls != r.n && !(what == "the process is killed" && r.calls > r.n) {
				return nil
			}
			r.happened = true
			return incidents[what](r, after)
		}
	}
	config := r.config
	config.Directory.Store.Table = tabletest.Faults{Table: contextTable{r.healthy.Store.Table}, Before: hook(false), After: hook(true)}
	r.handler = New(config)
	q := httptest.NewRequestWithContext(r.ctx, "POST", "/v2/Bulk", strings.NewReader(bulkMessage("", cycleOperations...)))
	q.Header.Set("Authorization", "Bearer "+r.secret)
	resp := r.client.send(q)
	r.handler = New(r.config)
	return resp
}

// audited returns how often the log says that a method has changed a resource.
func (r *cycleRun) audited(method string) (n int) {
	for line := range strings.Lines(r.log.String()) {
		if strings.Contains(line, "audit") && strings.Contains(line, method) && strings.Contains(line, "done") {
			n++
		}
	}
	return n
}

// names returns the names of all resources, and checks that they have all their references.
func (r *cycleRun) names() string {
	r.Helper()
	names := listedNames(r.do("GET", "/", ""))
	if got := fmt.Sprint(r.readReferences()); names != "" && got != "map[x:y y:z z:x]" {
		r.Errorf("the references are %s", got)
	}
	return names
}

// The resources of a cycle are created all or not at all, whatever happens at whichever table call. What the response
// calls failed does not exist; after the death of the process it is gone when a sweep has run.
func TestBulkCreatesCycleWhollyOrNotAtAll(t *testing.T) {
	t.Parallel()
	for what := range incidents {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprint(what, after), func(t *testing.T) {
				t.Parallel()
				failures := 0
				for n := 1; ; n++ {
					r := &cycleRun{n: n}
					r.seconds.Store(1e9)
					now := func() time.Time { return time.Unix(r.seconds.Load(), 0) }
					r.client = newClient(t, func(c *Config) { c.Directory.Store.Now = now })
					r.healthy = r.config.Directory
					ctx, cancel := context.WithCancel(t.Context())
					r.ctx = &cancellableContext{adjustableDeadline{Context: ctx}, cancel}
					resp := r.send(what, after)
					statuses := resultStatuses(resp)
					if what == "the process is killed" || what == "a call fails" && statuses != allCreated {
						r.sweep() // the failed call may be one of the undo
					}
					names := r.names()
					switch {
					case statuses == allCreated && names == "x y z":
					case strings.Count(statuses, "201") == 0 && names == "":
						failures++
						if what == "the client leaves" && r.audited("DELETE") < r.audited("POST") {
							t.Errorf("call %d: the log does not say what was undone:\n%s", n, r.log)
						}
						if got := resultStatuses(r.sendBulk("", cycleOperations...)); got != allCreated {
							t.Errorf("call %d: the repeated request gets %s", n, got)
						}
					case what == "the process is killed" && names == "x y z": // the response is not sent
					default:
						t.Errorf("call %d: the statuses are %s, but there is %q", n, statuses, names)
					}
					r.sweep()
					if result, err := directory.Sweep(t.Context(), r.healthy.Store); err != nil || result.Unfinished > 0 {
						t.Errorf("call %d: after sweeps, there is unfinished work: %+v, %v", n, result, err)
					}
					if r.names(); !r.happened {
						break
					}
				}
				if failures < 5 {
					t.Errorf("only %d of the requests failed", failures)
				}
			})
		}
	}
}
