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

// BenchmarkColdStart measures the time from the start of an instance until it requests its first event, and the same
// for a minimal function. Both are started alternately. The time includes a call to the table without TLS.
func BenchmarkColdStart(b *testing.B) {
	full, minimal := functiontest.BuildFunction(b, "."), functiontest.BuildFunction(b, "./testdata/bare")
	table := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") }))
	b.Cleanup(table.Close)
	var fullTimes, minimalTimes []time.Duration
	for b.Loop() {
		fullTimes = append(fullTimes, start(b, full, "TABLE_NAME=scim", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512",
			"DYNAMODB_ENDPOINT="+table.URL))
		minimalTimes = append(minimalTimes, start(b, minimal))
	}
	slices.Sort(fullTimes)
	slices.Sort(minimalTimes)
	fullMedian, minimalMedian := fullTimes[len(fullTimes)/2], minimalTimes[len(minimalTimes)/2]
	b.ReportMetric(float64(fullMedian.Microseconds())/1e3, "ms")
	b.ReportMetric(float64(minimalMedian.Microseconds())/1e3, "minimal-ms")
	b.ReportMetric(float64(fullMedian)/float64(minimalMedian), "ratio")
	info, err := os.Stat(full)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/1e6, "MB")
}

// start starts a function, waits until it requests an event, kills it, and returns the time until the request.
func start(b *testing.B, binary string, env ...string) time.Duration {
	requested := make(chan time.Time, 1)
	api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		requested <- time.Now()
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
	case at := <-requested:
		return at.Sub(begin)
	case <-time.After(10 * time.Second):
		b.Fatal("the function does not request an event")
	}
	return 0
}
