package functiontest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/google/pprof/profile"
)

// CPUTime returns the processor time that the threads of the instance have used. It needs Linux.
func (i *Instance) CPUTime(t testing.TB) time.Duration {
	t.Helper()
	return CPUTime(t, i.pid)
}

// CPUTime returns the processor time that the threads of a process have used. It needs Linux.
func CPUTime(t testing.TB, pid int) (total time.Duration) {
	t.Helper()
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, name := range threads {
		var running time.Duration
		if b, err := os.ReadFile(name); err == nil {
			fmt.Sscan(string(b), &running)
		}
		total += running
	}
	if total == 0 {
		t.Fatal("cannot read the processor time of the process")
	}
	return total
}

// PeakMemory returns the most bytes of memory that the instance has used. It needs Linux.
func (i *Instance) PeakMemory(t testing.TB) (bytes int64) {
	t.Helper()
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", i.pid))
	_, line, _ := strings.Cut(string(b), "VmHWM:")
	if _, err := fmt.Sscan(line, &bytes); err != nil {
		t.Fatal(err)
	}
	return bytes << 10
}

// Usage is what a Profiler has measured.
type Usage struct {
	Mallocs, Bytes uint64
	Profile        []byte // the CPU profile
}

// A Profiler is a handler that serves events with another handler, except two. The event "start" begins to measure. The
// event "stop" ends it, and the response is the Usage.
type Profiler struct {
	lambda.Handler
	begin   runtime.MemStats
	profile bytes.Buffer
}

// Invoke implements lambda.Handler.
func (p *Profiler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	switch string(payload) {
	case `"start"`:
		runtime.ReadMemStats(&p.begin)
		return []byte("{}"), pprof.StartCPUProfile(&p.profile)
	case `"stop"`:
		var end runtime.MemStats
		pprof.StopCPUProfile()
		runtime.ReadMemStats(&end)
		return json.Marshal(Usage{end.Mallocs - p.begin.Mallocs, end.TotalAlloc - p.begin.TotalAlloc, p.profile.Bytes()})
	}
	return p.Handler.Invoke(ctx, payload)
}

// categories lists the categories of a Split, and the prefixes of the functions that belong to them.
var categories = []struct{ name, prefixes string }{
	{"sdk", "github.com/aws/aws-sdk-go-v2/ github.com/aws/smithy-go"},
	{"http", "net/http. net/http/ net. net/textproto."},
	{"lambda", "github.com/aws/aws-lambda-go/"},
	{"json", "encoding/json. encoding/json/ github.com/go-json-experiment/"},
	{"own", "serverless-scim/ log/slog."},
}

// Split returns the share of each category in the CPU time of the profile, in percent. The share of own
// code includes what the Go runtime does on its behalf, such as allocation. Garbage collection and scheduling have no
// caller, and are the category "runtime".
func (u Usage) Split() (map[string]float64, error) {
	p, err := profile.ParseData(u.Profile)
	if err != nil {
		return nil, err
	}
	split, total := map[string]float64{}, 0.0
	for _, s := range p.Sample {
		cpu := float64(s.Value[len(s.Value)-1])
		split[category(s)] += cpu
		total += cpu
	}
	for name := range split {
		split[name] *= 100 / total
	}
	return split, nil
}

// category returns the category of the innermost function on the stack that has one. JSON of the SDK belongs to the SDK.
func category(s *profile.Sample) string {
	found := "runtime"
	for _, location := range s.Location {
		for _, line := range location.Line {
			switch c := categoryOf(line.Function.Name); {
			case c == "json":
				found = c
			case c == "own" && found == "json":
				return found
			case c != "":
				return c
			}
		}
	}
	return found
}

func categoryOf(function string) string {
	for _, c := range categories {
		for prefix := range strings.FieldsSeq(c.prefixes) {
			if strings.HasPrefix(function, prefix) {
				return c.name
			}
		}
	}
	return ""
}
