// Package functiontest is what the tests of several programs need: Lambda's Runtime API, for a function as it is
// deployed; a table in DynamoDB of its own; and what a process that dies leaves unfinished. No program links it.
package functiontest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BuildFunction makes the function in the folder of the test, or in another, as it is deployed, and gives the file.
func BuildFunction(t testing.TB, folder string) string {
	binary := filepath.Join(t.TempDir(), "bootstrap")
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc,nethttpomithttp2", "-trimpath", "-ldflags", "-s -w", "-o", binary, folder)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// CheckMissingVariable checks that a function without its variables ends with one line that names the first of them.
func CheckMissingVariable(t *testing.T, binary string) {
	t.Helper()
	cmd := exec.Command(binary)
	cmd.Env = []string{"DYNAMODB_ENDPOINT=http://127.0.0.1:1"}
	out, err := cmd.CombinedOutput()
	if err == nil || bytes.Count(out, []byte("\n")) != 1 || !bytes.Contains(out, []byte("TABLE_NAME is missing")) {
		t.Errorf("want one line and a failure, got %v: %s", err, out)
	}
}

// Instance is one instance of a function, behind a Runtime API of ours that gives it one event at a time. The function
// sees no variables but the ones that it is started with and those that Lambda always sets.
type Instance struct {
	Stop func() string // ends the instance, and gives what it wrote

	events   chan []byte
	outcomes chan InvokeResult
}

// InvokeResult is what a function answered to an event, or its error.
type InvokeResult struct {
	Failed  bool
	Payload []byte
}

func (o InvokeResult) String() string {
	return fmt.Sprintf("failed: %t, payload: %s", o.Failed, o.Payload)
}

// StartInstance starts an instance, which ends with the test at the latest.
func StartInstance(t *testing.T, binary string, env ...string) *Instance {
	i := &Instance{events: make(chan []byte), outcomes: make(chan InvokeResult, 1)}
	const invocation = "/2018-06-01/runtime/invocation/"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+invocation+"next", i.next)
	mux.HandleFunc("POST "+invocation+"{id}/response", func(w http.ResponseWriter, r *http.Request) { i.done(w, r, false) })
	mux.HandleFunc("POST "+invocation+"{id}/error", func(w http.ResponseWriter, r *http.Request) { i.done(w, r, true) })
	api := httptest.NewServer(mux)

	ctx, cancel := context.WithCancel(context.Background())
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, binary)
	cmd.Env = append(env, "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(api.URL, "http://"), "AWS_REGION=eu-central-1",
		"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=x", "AWS_SESSION_TOKEN=x")
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	i.Stop = func() string {
		cancel()
		<-ended
		return output.String()
	}
	t.Cleanup(func() {
		if log := i.Stop(); t.Failed() {
			t.Log(log)
		}
		api.Close()
	})
	return i
}

func (i *Instance) next(w http.ResponseWriter, r *http.Request) {
	select {
	case event := <-i.events:
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(29*time.Second).UnixMilli(), 10))
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:123456789012:function:scim")
		w.Write(event)
	case <-r.Context().Done():
	}
}

func (i *Instance) done(w http.ResponseWriter, r *http.Request, failed bool) {
	payload, _ := io.ReadAll(r.Body)
	w.WriteHeader(http.StatusAccepted)
	i.outcomes <- InvokeResult{failed, payload}
}

// Invoke gives the instance one event.
func (i *Instance) Invoke(t *testing.T, event []byte) InvokeResult {
	t.Helper()
	late := time.After(time.Minute) // an instance that has died asks for nothing
	select {
	case i.events <- event:
	case <-late:
		t.Fatal("the function asks for no event")
	}
	select {
	case o := <-i.outcomes:
		return o
	case <-late:
		t.Fatal("the function does not answer")
	}
	panic("unreachable")
}
