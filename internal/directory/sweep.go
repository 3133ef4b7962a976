package directory

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// How old what is unfinished must be before its writer is taken for dead. A writer that lives is not harmed.
const (
	patience = 30 * time.Second // with a change that has taken effect, and with a delete
	trust    = 20 * time.Minute // in a change that may still take effect
)

// Swept is what a sweep did.
type Swept struct {
	Changes, Deletes int           // finished
	Aborted          int           // changes that had not taken effect
	Left             int           // still unfinished: young, busy, or damaged
	Oldest           time.Duration // age of the oldest change or delete that has taken effect and is left
	Waiting          time.Duration // age of the oldest change that is only prepared and is left
}

// Sweep finishes what requests of all tenants left unfinished: their deadline came, or they died. Any number of sweeps
// may run at once, and beside requests. What cannot be finished, or not before the deadline, is left to the next; an
// error is one of the table.
func Sweep(ctx context.Context, c Config) (Swept, error) {
	s := sweep{Directory: c.unbound()}
	r := table.Range{PK: Unfinished}
	for {
		page, err := s.Table.Query(ctx, r)
		if err != nil {
			return s.did, err
		}
		var calls []func() error
		for _, it := range page.Items {
			calls = append(calls, func() error { s.finish(ctx, it); return nil })
		}
		s.together(calls...)
		if r.After = page.Next.SK; r.After == "" || s.hurried(ctx) {
			return s.did, nil
		}
	}
}

type sweep struct {
	*Directory
	mu  sync.Mutex
	did Swept
}

// finish does what a marker asks for, if it is old enough.
func (s *sweep) finish(ctx context.Context, it table.Item) {
	var m marker
	err := unmarshal(it, &m)
	if m.State == swept {
		return
	}
	done, age := false, max(0, s.Now().Sub(time.Unix(m.At, 0)))
	if err == nil && age >= m.due() && !s.hurried(ctx) {
		done, err = s.act(ctx, m)
	}
	if err != nil && !IsBusy(err) { // it must not keep the sweep from the rest
		s.Log.ErrorContext(ctx, "cannot finish", "marker", m.SK, "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !done:
		s.did.Left++
		if m.State == prepared || m.State == aborted {
			s.did.Waiting = max(s.did.Waiting, age)
		} else {
			s.did.Oldest = max(s.did.Oldest, age)
		}
	case m.State == committed:
		s.did.Changes++
	case m.State == "":
		s.did.Deletes++
	default:
		s.did.Aborted++
	}
}

// due is the age at which a sweep takes it up.
func (m marker) due() time.Duration {
	switch m.State {
	case prepared:
		return trust
	case aborted:
		return 0
	}
	return patience
}

func (s *sweep) act(ctx context.Context, m marker) (done bool, err error) {
	tenant, rt, id, change, err := s.unfinished(m.Key)
	if err != nil {
		return false, err
	}
	d := s.Config.directory(keys{tenant}, "")
	switch m.State {
	case "":
		return d.drain(ctx, rt, id, nil)
	case committed:
		err := d.help(ctx, rt, id, change)
		return err == nil, err
	default:
		tooLate, err := d.abort(ctx, rt, id, change, m.K)
		return err == nil && !tooLate, err
	}
}

// unfinished is the resource, and the change if it is one, that a marker's key names.
func (c Config) unfinished(k table.Key) (tenant string, rt *scim.ResourceType, id, change string, err error) {
	part := append(strings.Split(k.SK, "#"), "")
	if len(part) < 4 || len(part) > 5 {
		return "", nil, "", "", fmt.Errorf("directory: the key %q is no marker's", k.SK)
	}
	if rt = c.Types.ByName(part[1]); rt == nil || !rt.IsID(part[2]) {
		return "", nil, "", "", fmt.Errorf("directory: the marker %q is of no resource that is known here", k.SK)
	}
	return part[0], rt, part[2], part[3], nil
}
