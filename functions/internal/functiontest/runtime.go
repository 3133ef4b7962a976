// Package functiontest contains helpers for the tests of several programs: Lambda's Runtime API for a function that is
// built as for deployment, what an instance uses, a new DynamoDB table, unfinished changes of an ended process, the
// template, and the guide of operators. No program links it.
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

// BuildFunction builds the function in a folder with the flags of the deployment and returns the path of the binary.
// The folder is relative to the folder of the test.
func BuildFunction(t testing.TB, folder string) string {
	binary := filepath.Join(t.TempDir(), "bootstrap")
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc,nethttpomithttp2", "-trimpath", "-ldflags", "-s -w",
		"-o", binary, folder)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// CheckMissingVariable checks that a function without TABLE_NAME fails with one line that names the variable.
func CheckMissingVariable(t *testing.T, binary string) {
	t.Helper()
	cmd := exec.Command(binary)
	cmd.Env = []string{"DYNAMODB_ENDPOINT=http://127.0.0.1:1"}
	out, err := cmd.CombinedOutput()
	if err == nil || bytes.Count(out, []byte("\n")) != 1 || !bytes.Contains(out, []byte("TABLE_NAME is missing")) {
		t.Errorf("want one line and a failure, got %v: %s", err, out)
	}
}

// An Instance is a running instance of a function, with a Runtime API that delivers one event at a time. Its
// environment contains only the variables that StartInstance gets and those that Lambda always sets.
type Instance struct {
	Stop func() string // ends the instance and returns its output

	pid     int
	events  chan []byte
	results chan InvokeResult
}

// An InvokeResult is the response of a function to an event, or its error.
type InvokeResult struct {
	Failed  bool // the payload is an error
	Payload []byte
}

func (r InvokeResult) String() string {
	return fmt.Sprintf("failed: %t, payload: %s", r.Failed, r.Payload)
}

// StartInstance starts an instance with variables of the form NAME=VALUE. It stops at the end of the test, unless Stop
// was called before.
func StartInstance(t testing.TB, binary string, env ...string) *Instance {
	i := &Instance{events: make(chan []byte), results: make(chan InvokeResult, 1)}
	const invocation = "/2018-06-01/runtime/invocation/"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+invocation+"next", i.nextEvent)
	mux.HandleFunc("POST "+invocation+"{id}/response", func(w http.ResponseWriter, r *http.Request) {
		i.recordResult(w, r, false)
	})
	mux.HandleFunc("POST "+invocation+"{id}/error", func(w http.ResponseWriter, r *http.Request) {
		i.recordResult(w, r, true)
	})
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
	i.pid = cmd.Process.Pid
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

func (i *Instance) nextEvent(w http.ResponseWriter, r *http.Request) {
	select {
	case event := <-i.events:
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(29*time.Second).UnixMilli(), 10))
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:123456789012:function:scim")
		w.Write(event)
	case <-r.Context().Done():
	}
}

func (i *Instance) recordResult(w http.ResponseWriter, r *http.Request, failed bool) {
	payload, _ := io.ReadAll(r.Body)
	w.WriteHeader(http.StatusAccepted)
	i.results <- InvokeResult{failed, payload}
}

// Invoke sends one event to the instance and returns the result.
func (i *Instance) Invoke(t testing.TB, event []byte) InvokeResult {
	t.Helper()
	timeout := time.After(time.Minute) // an instance that has ended requests no event
	select {
	case i.events <- event:
	case <-timeout:
		t.Fatal("the function does not request an event")
	}
	select {
	case result := <-i.results:
		return result
	case <-timeout:
		t.Fatal("the function does not respond")
	}
	panic("unreachable")
}
