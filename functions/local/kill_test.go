package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"serverless-scim/functions/internal/functiontest"
	"serverless-scim/internal/directory"
)

var (
	kills = flag.Int("kills", 3, "how often the kill tests kill a server under load, together")
	seed  = flag.Uint64("seed", rand.Uint64(), "of the kill tests")
)

// A server that is killed under load at any moment has done all of what it was asked for or nothing, and forgets
// nothing that it has answered; after a sweep nothing is left over, and fsck finds nothing.
func TestKilledInAFile(t *testing.T) {
	t.Parallel()
	killing{options{db: filepath.Join(t.TempDir(), "scim.db")}, (*kills + 1) / 2}.run(t)
}

func TestKilledAtDynamoDB(t *testing.T) {
	t.Parallel()
	_, endpoint, name := functiontest.NewDynamoTable(t)
	killing{options{endpoint: endpoint, table: name}, *kills / 2}.run(t)
}

type killing struct {
	options
	kills int
}

func (k killing) run(t *testing.T) {
	binary := build(t)
	random := rand.New(rand.NewPCG(*seed, 0))
	var clients []*client
	for i, keeps := range []struct{ users, groups int }{{300, 4}, {150, 8}, {75, 16}, {12, 100}} {
		r := rand.New(rand.NewPCG(*seed, uint64(i+1)))
		clients = append(clients, &client{name: string(rune('a' + i)), users: keeps.users, groups: keeps.groups, rand: r})
	}
	t.Log("-seed", *seed)
	k.serve(t, binary, clients[:1], (*client).share, math.MaxInt64)
	k.serve(t, binary, clients, (*client).begin, math.MaxInt64)
	total := directory.SweepResult{}
	for n := range k.kills {
		for range 1 + random.IntN(2) { // now and then it is killed again, by a server that others have left work to
			k.serve(t, binary, clients, (*client).work, random.Int64N(30))
		}
		did := k.check(t)
		total.Changes, total.Deletes = total.Changes+did.Changes, total.Deletes+did.Deletes
		if t.Failed() {
			t.Fatalf("after %d kills", n+1)
		}
	}
	k.serve(t, binary, clients, (*client).settle, math.MaxInt64)
	for _, c := range clients {
		t.Logf("%s: %d requests answered; of those that were not, %d had taken effect, %d had not",
			c.name, c.answered, c.done, c.undone)
	}
	t.Logf("%d kills; sweeps finished %d changes and %d deletes", k.kills, total.Changes, total.Deletes)
}

// serve runs a server for clients that do something each, and kills it a moment after so many answers, or at their end.
func (k killing) serve(t *testing.T, binary string, clients []*client, do func(*client, *process) error,
	answers int64) {
	t.Helper()
	p := start(t, binary, k.options)
	var busy sync.WaitGroup
	for _, c := range clients {
		busy.Go(func() {
			if err := do(c, p); err != nil && (!p.killed.Load() || !errors.Is(err, errNoAnswer)) {
				t.Errorf("%s: %v", c.name, err)
			}
		})
	}
	ended := make(chan struct{})
	go func() {
		busy.Wait()
		close(ended)
	}()
	late := time.After(time.Minute)
	for running := true; running && p.answered.Load() < answers; {
		select {
		case <-ended:
			running = false
		case <-late:
			t.Errorf("only %d requests were answered in a minute", p.answered.Load())
			running = false
		case <-time.After(time.Millisecond):
		}
	}
	time.Sleep(rand.N(20 * time.Millisecond))
	p.kill(t)
	<-ended
	if log := p.log.Bytes(); t.Failed() {
		t.Logf("the server's log ends with %s", log[max(0, len(log)-4000):])
	}
}

// check wants fsck to find nothing: in what the kill has left, and after a sweep as if hours had passed, which leaves
// nothing over.
func (k killing) check(t *testing.T) directory.SweepResult {
	t.Helper()
	tab, closeTable, err := openExisting(k.options)
	if err != nil {
		t.Fatal(err)
	}
	defer closeTable()
	c := stored(t, tab, t.Output())
	check := directory.Checker{Config: c, Report: func(line string) { t.Errorf("fsck: %s", line) }}
	if _, err := check.Run(t.Context()); err != nil {
		t.Error(err)
	}
	c.Now = func() time.Time { return time.Now().Add(3 * time.Hour) }
	did, err := directory.Sweep(t.Context(), c)
	if err != nil || did.Unfinished > 0 {
		t.Errorf("the sweep did not finish: %+v, %v", did, err)
	}
	if _, err := check.Run(t.Context()); err != nil {
		t.Error(err)
	}
	return did
}

// process is a running server.
type process struct {
	url    string
	client http.Client

	answered atomic.Int64 // requests that write
	killed   atomic.Bool

	cmd   *exec.Cmd
	log   bytes.Buffer
	ended chan struct{}
}

// build makes the program.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "local")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

func start(t *testing.T, binary string, o options) *process {
	t.Helper()
	p := &process{ended: make(chan struct{})}
	p.client.Transport = &http.Transport{MaxIdleConnsPerHost: 10}
	p.cmd = exec.Command(binary, "-addr", "127.0.0.1:0", "-token", "killed")
	if o.endpoint == "" {
		p.cmd.Args = append(p.cmd.Args, "-db", o.db)
	} else {
		p.cmd.Args = append(p.cmd.Args, "-endpoint", o.endpoint, "-table", o.table)
	}
	out, in := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = in, &p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		in.Close()
		close(p.ended)
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	go io.Copy(io.Discard, out)
	if err != nil {
		<-p.ended
		t.Fatalf("the server does not start: %s", &p.log)
	}
	p.url = strings.TrimSpace(strings.TrimPrefix(line, "SCIM base URL:"))
	return p
}

// kill ends a server that runs, as a power cut would.
func (p *process) kill(t *testing.T) {
	t.Helper()
	select {
	case <-p.ended:
		t.Errorf("the server ended by itself: %s", &p.log)
	default:
	}
	p.killed.Store(true)
	p.cmd.Process.Kill()
	<-p.ended
	p.client.CloseIdleConnections()
}
