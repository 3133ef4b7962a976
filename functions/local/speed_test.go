package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"serverless-scim/functions/internal/functiontest"
)

var speedUsers = flag.Int("speed-users", 5000, "number of users of BenchmarkSpeed")

// BenchmarkSpeed measures the processor time that the server takes for each kind of request, as a multiple of what a bare
// net/http handler takes for a GET in the same round. The server has a file and the flag -console=false. Four clients send
// the requests of Okta; one client sends the pushes and the pages. A round has a new file. The results are medians of the
// rounds. Package server's README.md has a table of them. The benchmark reads /proc, so it needs Linux.
//
//	go test ./functions/local -run '^$' -bench Speed -benchtime 5x
func BenchmarkSpeed(b *testing.B) {
	if _, err := os.Stat("/proc/self/schedstat"); err != nil {
		b.Skip("the benchmark needs Linux, because it reads processor times from /proc")
	}
	server, floor := filepath.Join(b.TempDir(), "local"), filepath.Join(b.TempDir(), "floor")
	for binary, folder := range map[string]string{server: ".", floor: "./testdata/floor"} {
		if out, err := exec.Command("go", "build", "-o", binary, folder).CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
	}
	ratios := map[string][]float64{}
	for b.Loop() {
		floorTime := measureFloor(b, floor)
		ratios["floor-µs"] = append(ratios["floor-µs"], floorTime)
		s := startSpeedServer(b, server)
		for _, p := range s.phases() {
			microseconds, p99 := s.run(b, p)
			if p.writers == 0 {
				ratios[p.name] = append(ratios[p.name], microseconds/floorTime)
			}
			ratios[p.name+"-p99-ms"] = append(ratios[p.name+"-p99-ms"], p99)
		}
		s.stop()
	}
	for name, values := range ratios {
		slices.Sort(values)
		b.ReportMetric(values[len(values)/2], name)
	}
}

// A speedServer is a server under load.
type speedServer struct {
	client http.Client
	url    string
	cmd    *exec.Cmd
	ids    []string // of users
	group  string   // ID
}

// A speedPhase is a number of requests of one kind.
type speedPhase struct {
	name       string
	n, clients int
	send       func(i int) error
	writers    int // clients that change users until the phase ends
}

func (s *speedServer) phases() []speedPhase {
	n := len(s.ids)
	get := func(i int) error { return s.send("GET", "/Users/"+s.ids[i], "", nil) }
	return []speedPhase{
		{name: "assign", n: n, clients: 4, send: s.assign},
		{name: "get", n: n, clients: 4, send: get},
		{name: "probe", n: n, clients: 4, send: s.probe},
		{name: "patch", n: n, clients: 4, send: s.patch},
		{name: "put", n: n, clients: 4, send: func(i int) error {
			return s.send("PUT", "/Users/"+s.ids[i], userBody(i, `"title":"Engineer",`), nil)
		}},
		{name: "push100", n: min(n, 5000) / 100, clients: 1, send: s.push},
		{name: "page100", n: min(n, 5000) / 100, clients: 1, send: func(i int) error {
			return s.send("GET", fmt.Sprintf("/Users?startIndex=%d&count=100", i*100+1), "", nil)
		}},
		{name: "get-beside-4-writers", n: n, clients: 1, send: get, writers: 4},
		{name: "delete", n: n, clients: 4, send: func(i int) error { return s.send("DELETE", "/Users/"+s.ids[i], "", nil) }},
	}
}

func userName(i int) string { return fmt.Sprintf("u%06d@example.com", i) }

func userBody(i int, more string) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"%s",%s`+
		`"name":{"givenName":"Given%d","familyName":"Family"},"emails":[{"primary":true,"value":"%[1]s","type":"work"}],`+
		`"displayName":"Given%[3]d Family","locale":"en-US","externalId":"00u%016[3]d","groups":[],"password":"gl^m&qWZ","active":true}`,
		userName(i), more, i)
}

// patch changes user i modulo their number. Each time it deactivates or activates the user.
func (s *speedServer) patch(i int) error {
	n := len(s.ids)
	return s.send("PATCH", "/Users/"+s.ids[i%n], fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],`+
		`"Operations":[{"op":"replace","value":{"active":%t}}]}`, i/n%2 == 1), nil)
}

func (s *speedServer) probe(i int) error {
	filter := strings.ReplaceAll(url.QueryEscape(`userName eq "`+userName(i)+`"`), "+", "%20")
	return s.send("GET", "/Users?filter="+filter+"&startIndex=1&count=100", "", nil)
}

// assign looks for a user and creates it, as Okta does.
func (s *speedServer) assign(i int) error {
	if err := s.probe(i); err != nil {
		return err
	}
	return s.send("POST", "/Users", userBody(i, ""), &s.ids[i])
}

// push adds 100 users to a group, which the first push creates.
func (s *speedServer) push(i int) error {
	if s.group == "" {
		if err := s.send("POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Everyone","members":[]}`, &s.group); err != nil {
			return err
		}
	}
	var members []string
	for k, id := range s.ids[100*i : 100*i+100] {
		members = append(members, fmt.Sprintf(`{"value":"%s","display":"%s"}`, id, userName(100*i+k)))
	}
	return s.send("PATCH", "/Groups/"+s.group, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`+
		`{"op":"add","path":"members","value":[`+strings.Join(members, ",")+`]}]}`, nil)
}

// send sends a request, which must succeed. It sets id to the ID in the response, unless id is nil.
func (s *speedServer) send(method, path, body string, id *string) error {
	r, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer speed")
	r.Header.Set("Content-Type", "application/scim+json")
	resp, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %d %s", method, path, resp.StatusCode, content)
	}
	if err == nil && id != nil {
		var resource struct{ ID string }
		err = json.Unmarshal(content, &resource)
		*id = resource.ID
	}
	return err
}

// run sends the requests of a phase. It returns the microseconds of processor time for each, and the milliseconds within
// which the server responds to 99 of 100.
func (s *speedServer) run(b *testing.B, p speedPhase) (microseconds, p99 float64) {
	var writing sync.WaitGroup
	var ended atomic.Bool
	for w := range p.writers {
		writing.Go(func() {
			for i := w; !ended.Load(); i += p.writers {
				if err := s.patch(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	latencies := make([]time.Duration, p.n)
	before := functiontest.CPUTime(b, s.cmd.Process.Pid)
	var sending sync.WaitGroup
	for c := range p.clients {
		sending.Go(func() {
			for i := c; i < p.n; i += p.clients {
				begin := time.Now()
				if err := p.send(i); err != nil {
					b.Error(err)
					return
				}
				latencies[i] = time.Since(begin)
			}
		})
	}
	sending.Wait()
	used := functiontest.CPUTime(b, s.cmd.Process.Pid) - before
	ended.Store(true)
	if writing.Wait(); b.Failed() {
		b.FailNow()
	}
	slices.Sort(latencies)
	return used.Seconds() * 1e6 / float64(p.n), latencies[p.n*99/100].Seconds() * 1e3
}

// measureFloor returns the microseconds of processor time that a bare handler takes for a GET.
func measureFloor(b *testing.B, binary string) float64 {
	s := startProcess(b, exec.Command(binary), "http")
	defer s.stop()
	microseconds, _ := s.run(b, speedPhase{n: 20_000, clients: 4, send: func(int) error { return s.send("GET", "/", "", nil) }})
	return microseconds
}

func startSpeedServer(b *testing.B, binary string) *speedServer {
	db := filepath.Join(b.TempDir(), "scim.db")
	s := startProcess(b, exec.Command(binary, "-console=false", "-addr", "127.0.0.1:0", "-token", "speed", "-db", db), "SCIM base URL: http")
	s.ids = make([]string, *speedUsers)
	return s
}

// startProcess starts a server. The first line of its output that begins with a prefix ends with its URL.
func startProcess(b *testing.B, cmd *exec.Cmd, prefix string) *speedServer {
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	s := &speedServer{cmd: cmd}
	b.Cleanup(s.stop)
	s.client.Transport = &http.Transport{MaxIdleConnsPerHost: 64}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), prefix) {
			s.url = lines.Text()[strings.Index(lines.Text(), "http"):]
			return s
		}
	}
	b.Fatalf("%s does not start", cmd)
	return nil
}

func (s *speedServer) stop() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}
