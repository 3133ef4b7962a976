package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"serverless-scim/functions/internal/functiontest"
)

// BenchmarkColdStart tells how long an instance takes until it asks for its first event, beside the least function that
// there can be, started in turn with it. A call to the table is in it, but no TLS.
func BenchmarkColdStart(b *testing.B) {
	real, bare := functiontest.BuildFunction(b, "."), functiontest.BuildFunction(b, "./testdata/bare")
	table := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") }))
	b.Cleanup(table.Close)
	var reals, bares []time.Duration
	for b.Loop() {
		reals = append(reals, start(b, real, "TABLE_NAME=scim", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512", "DYNAMODB_ENDPOINT="+table.URL))
		bares = append(bares, start(b, bare))
	}
	slices.Sort(reals)
	slices.Sort(bares)
	r, l := reals[len(reals)/2], bares[len(bares)/2]
	b.ReportMetric(float64(r.Microseconds())/1e3, "ms")
	b.ReportMetric(float64(l.Microseconds())/1e3, "bare-ms")
	b.ReportMetric(float64(r)/float64(l), "ratio")
	info, err := os.Stat(real)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/1e6, "MB")
}

// start starts a function, waits until it asks for an event, and ends it.
func start(b *testing.B, binary string, env ...string) time.Duration {
	asked := make(chan time.Time, 1)
	api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- time.Now()
		<-r.Context().Done()
	}))
	defer api.Close()
	cmd := exec.CommandContext(b.Context(), binary)
	cmd.Env = append(env, "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(api.URL, "http://"), "AWS_REGION=eu-central-1",
		"AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x")
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	select {
	case at := <-asked:
		return at.Sub(begin)
	case <-time.After(10 * time.Second):
		b.Fatal("it asks for no event")
	}
	return 0
}
