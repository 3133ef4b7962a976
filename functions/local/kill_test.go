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
	"serverless-scim/internal/fsck"
	"serverless-scim/internal/store"
)

var (
	kills = flag.Int("kills", 3, "number of kills in all kill tests together")
	seed  = flag.Uint64("seed", rand.Uint64(), "seed of the kill tests")
)

// A server that is killed under load has performed each request completely or not at all, and keeps every change that
// it has confirmed. After a sweep, nothing is unfinished, and fsck has no findings.
func TestKilledInAFile(t *testing.T) {
	t.Parallel()
	killTest{options{db: filepath.Join(t.TempDir(), "scim.db")}, (*kills + 1) / 2}.run(t)
}

func TestKilledAtDynamoDB(t *testing.T) {
	t.Parallel()
	_, endpoint, name := functiontest.NewDynamoTable(t)
	killTest{options{endpoint: endpoint, table: name}, *kills / 2}.run(t)
}

// killTest kills a server on a table several times.
type killTest struct {
	options
	kills int
}

func (k killTest) run(t *testing.T) {
	binary := build(t)
	random := rand.New(rand.NewPCG(*seed, 0))
	var clients []*client
	for i, size := range []struct{ users, groups int }{{300, 4}, {150, 8}, {75, 16}, {12, 100}} {
		r := rand.New(rand.NewPCG(*seed, uint64(i+1)))
		clients = append(clients, &client{name: string(rune('a' + i)), users: size.users, groups: size.groups, rand: r})
	}
	t.Log("-seed", *seed)
	k.serve(t, binary, clients[:1], (*client).createSharedGroups, math.MaxInt64)
	k.serve(t, binary, clients, (*client).createOwn, math.MaxInt64)
	total := store.SweepResult{}
	for n := range k.kills {
		for range 1 + random.IntN(2) { // sometimes the next server is killed too, before a sweep
			k.serve(t, binary, clients, (*client).sendUntilKilled, random.Int64N(30))
		}
		result := k.check(t)
		total.Changes, total.Deletes = total.Changes+result.Changes, total.Deletes+result.Deletes
		if t.Failed() {
			t.Fatalf("after %d kills", n+1)
		}
	}
	k.serve(t, binary, clients, (*client).verify, math.MaxInt64)
	for _, c := range clients {
		t.Logf("%s: %d requests confirmed; of those without a response, %d took effect, %d did not",
			c.name, c.confirmed, c.done, c.undone)
	}
	t.Logf("%d kills; sweeps finished %d changes and %d deletes", k.kills, total.Changes, total.Deletes)
}

// serve runs a server while each client runs do. It kills the server up to 20 ms after the number of confirmed
// requests, or when all clients are done.
func (k killTest) serve(t *testing.T, binary string, clients []*client, do func(*client, *process) error,
	confirmed int64) {
	t.Helper()
	p := start(t, binary, k.options)
	var running sync.WaitGroup
	for _, c := range clients {
		running.Go(func() {
			if err := do(c, p); err != nil && (!p.killed.Load() || !errors.Is(err, errNoResponse)) {
				t.Errorf("%s: %v", c.name, err)
			}
		})
	}
	done := make(chan struct{})
	go func() {
		running.Wait()
		close(done)
	}()
	timeout := time.After(time.Minute)
	for active := true; active && p.confirmed.Load() < confirmed; {
		select {
		case <-done:
			active = false
		case <-timeout:
			t.Errorf("only %d requests were confirmed in a minute", p.confirmed.Load())
			active = false
		case <-time.After(time.Millisecond):
		}
	}
	time.Sleep(rand.N(20 * time.Millisecond))
	p.kill(t)
	<-done
	if log := p.log.Bytes(); t.Failed() {
		t.Logf("the server's log ends with %s", log[max(0, len(log)-4000):])
	}
}

// check runs fsck, a sweep with a clock three hours ahead, and fsck again. The test fails if fsck has findings or the
// sweep leaves anything unfinished.
func (k killTest) check(t *testing.T) store.SweepResult {
	t.Helper()
	tab, closeTable, err := openExisting(t.Context(), k.options, true)
	if err != nil {
		t.Fatal(err)
	}
	defer closeTable()
	c := newConfig(t, tab, t.Output())
	check := fsck.Checker{Config: c.Store, Report: func(f fsck.Finding) { t.Errorf("fsck: %s", f) }}
	if _, err := check.Run(t.Context()); err != nil {
		t.Error(err)
	}
	c.Store.Now = func() time.Time { return time.Now().Add(3 * time.Hour) }
	result, err := directory.Sweep(t.Context(), c.Store)
	if err != nil || result.Unfinished > 0 {
		t.Errorf("the sweep did not finish: %+v, %v", result, err)
	}
	if _, err := check.Run(t.Context()); err != nil {
		t.Error(err)
	}
	return result
}

// process is a server process.
type process struct {
	url    string
	client http.Client

	confirmed atomic.Int64 // writing requests with a response
	killed    atomic.Bool

	cmd   *exec.Cmd
	log   bytes.Buffer
	ended chan struct{}
}

// build builds the program and returns the path of the binary.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "local")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// start starts a server and waits until it listens.
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

// kill kills a running server. The test fails if the server has already ended.
func (p *process) kill(t *testing.T) {
	t.Helper()
	select {
	case <-p.ended:
		t.Errorf("the server has already ended: %s", &p.log)
	default:
	}
	p.killed.Store(true)
	p.cmd.Process.Kill()
	<-p.ended
	p.client.CloseIdleConnections()
}
