package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"serverless-scim/functions/internal/functiontest"
	"serverless-scim/internal/directory"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// scheduled is the event that EventBridge sends for a schedule.
const scheduled = `{"version":"0","id":"53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa","detail-type":"Scheduled Event",
	"source":"aws.events","account":"123456789012","time":"2026-03-08T16:53:06Z","region":"eu-central-1",
	"resources":["arn:aws:events:eu-central-1:123456789012:rule/every-minute"],"detail":{}}`

// newHandler returns a handler on a table, and its log.
func newHandler(t *testing.T, tab table.Table) (handler, *bytes.Buffer) {
	log := &bytes.Buffer{}
	c := functiontest.EmbeddedConfig(t, log)
	c.Store.Table = tab
	return handler{c}, log
}

// newTable returns an empty table in memory.
func newTable(t *testing.T) table.Table {
	return functiontest.EmbeddedConfig(t, io.Discard).Store.Table
}

// invoke returns the JSON of the handler's result for an event. The test fails if the handler returns an error.
func invoke(t *testing.T, h handler, event string) string {
	t.Helper()
	result, err := h.handle(t.Context(), []byte(event))
	if err != nil {
		t.Fatalf("%s: %v", event, err)
	}
	b, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const (
	nothingDone = `{"changes":0,"deletes":0,"aborted":0,"left":0,"oldest":0,"waiting":0}`
	noFindings  = `{"findings":0,"clean":true,"lines":[]}`
)

func TestSweepFinishesChangesAndDeletes(t *testing.T) {
	t.Parallel()
	for _, event := range []string{scheduled, `{"command":"sweep"}`, `{}`, `null`} {
		h, log := newHandler(t, newTable(t))
		functiontest.LeaveUnfinished(t, h.Store.Table, "default", time.Now().Add(-2*time.Minute))
		if result := invoke(t, h, event); result != `{"changes":1,"deletes":1,"aborted":0,"left":0,"oldest":0,"waiting":0}` {
			t.Errorf("%s: a change and a delete are unfinished, but the sweep returned %s", event, result)
		}
		if result := invoke(t, h, event); result != nothingDone {
			t.Errorf("%s: nothing is unfinished, but the sweep returned %s", event, result)
		}
		if found := invoke(t, h, `{"command":"fsck"}`); found != noFindings {
			t.Errorf("%s: fsck after the sweep: %s", event, found)
		}
		if first, _, _ := strings.Cut(log.String(), "\n"); !strings.Contains(first, `"level":"INFO"`) ||
			!strings.Contains(first, `"swept":{"changes":1,"deletes":1,"aborted":0,"left":0,"oldest":0,"waiting":0}`) {
			t.Errorf("%s: the log line lacks the result: %s", event, first)
		}
	}
}

// The sweep logs a warning if a committed change remains unfinished for ten minutes.
func TestSweepReportsUnfinishedChanges(t *testing.T) {
	t.Parallel()
	for age, want := range map[time.Duration]string{
		10 * time.Second: "INFO", 9 * time.Minute: "INFO", 11 * time.Minute: "WARN",
	} {
		tab := newTable(t)
		now := time.Now()
		functiontest.LeaveUnfinished(t, tab, "default", now.Add(-age))
		h, log := newHandler(t, tabletest.Faults{Table: tab, Before: func(c tabletest.Call) error {
			if c.Method == "Write" {
				return errors.New("the table is read-only")
			}
			return nil
		}})
		h.Store.Now = func() time.Time { return now }
		result := sweepResult{}
		if err := json.Unmarshal([]byte(invoke(t, h, scheduled)), &result); err != nil {
			t.Fatal(err)
		}
		if result.Left != 2 || result.Oldest != int(age.Seconds()) {
			t.Errorf("a change and a delete are unfinished for %v, but the sweep returned %+v", age, result)
		}
		if !strings.Contains(log.String(), `"level":"`+want+`","msg":"sweep"`) {
			t.Errorf("unfinished for %v: want a line of level %s, got %s", age, want, log)
		}
	}
}

func TestFsck(t *testing.T) {
	t.Parallel()
	h, log := newHandler(t, newTable(t))
	var strays []table.Write // name items without a resource
	for i := range 1001 {
		strays = append(strays, table.Put{Item: table.Item{"PK": table.S("default#User"),
			"SK": table.S(fmt.Sprint("userName#stray", i)), "id": table.S("u" + strings.Repeat("0", 26))}})
	}
	for writes := range slices.Chunk(strays, table.MaxTransactionActions) {
		if err := h.Store.Table.Write(t.Context(), writes...); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.handle(t.Context(), []byte(`{"command":"fsck","tenant":"other"}`)); err == nil ||
		!strings.Contains(err.Error(), `the tenant "other" does not exist`) {
		t.Errorf("fsck of a tenant that does not exist: %v", err)
	}
	functiontest.CreateTenants(t, h.Store.Table, "default", "other")
	if found := invoke(t, h, `{"command":"fsck","tenant":"other"}`); found != noFindings {
		t.Errorf("the findings belong to another tenant, but fsck returned %s", found)
	}
	for _, event := range []string{`{"command":"fsck","tenant":"default"}`, `{"command":"fsck","repair":true}`} {
		result := fsckResult{}
		if err := json.Unmarshal([]byte(invoke(t, h, event)), &result); err != nil {
			t.Fatal(err)
		}
		lines := result.Lines
		if result.Findings != 1001 || result.Clean || len(lines) != maxReportedLines || !strings.Contains(lines[0], "stray") {
			t.Errorf("%s: want 1001 findings and the first 1000 lines, got %d and %d", event, result.Findings, len(lines))
		}
	}
	if found := invoke(t, h, `{"command":"fsck"}`); found != noFindings {
		t.Errorf("fsck after a repair: %s", found)
	}
	for text, want := range map[string]int{
		`"msg":"fsck","tenant":"","repair":true,"findings":1001,"repaired":1001,"items":1001,"tenants":1,`:      1,
		`"msg":"fsck","tenant":"default","repair":false,"findings":1001,"repaired":0,"items":1001,"tenants":1,`: 1,
		`"level":"ERROR","msg":"fsck","error":"the tenant \"other\" does not exist`:                             1,
		`"level":"WARN","msg":"fsck finding","pk":"default#User","sk":"userName#stray`:                          2002,
		`"problem":"name item without a head item that has the name","repaired":true,"reason":""`:               1001,
		`"problem":"name item without a head item that has the name","repaired":false,"reason":""`:              1001,
	} {
		if n := strings.Count(log.String(), text); n != want {
			t.Errorf("the log has %d times %s, want %d", n, text, want)
		}
	}
}

// Of several invocations that repair at the same time, one repairs, and the others return an error at once.
func TestConcurrentRepairIsAnError(t *testing.T) {
	t.Parallel()
	tab := newTable(t)
	second, _ := newHandler(t, tab)
	event := []byte(`{"command":"fsck","repair":true}`)
	scans, failure := 0, error(nil)
	first, log := newHandler(t, tabletest.Faults{Table: tab, Before: func(c tabletest.Call) error {
		if c.Method == "Scan" {
			scans++
			_, failure = second.handle(t.Context(), event)
		}
		return nil
	}})
	if found := invoke(t, first, string(event)); found != noFindings || scans == 0 {
		t.Errorf("got %s", found)
	}
	if failure == nil || !strings.Contains(failure.Error(), "another repair is in progress") {
		t.Errorf("the second repair: %v", failure)
	}
	if found := invoke(t, second, string(event)); found != noFindings {
		t.Errorf("a repair after the first one: %s\n%s", found, log)
	}
}

func TestInvalidEventsAreRejected(t *testing.T) {
	t.Parallel()
	h, _ := newHandler(t, newTable(t))
	for event, want := range map[string]string{
		`{"command":"drop"}`:                     `unknown command "drop"`,
		`{"command":""}`:                         `unknown command ""`,
		`{"command":1}`:                          "the fields of a command",
		`{"command":"fsck","tenants":"default"}`: `unknown field "tenants"`,
		`{"command":"fsck","repair":"true"}`:     "repair",
		`{"command":"sweep","tenant":"default"}`: "neither tenant nor repair",
		`{"command":"sweep","repair":true}`:      "neither tenant nor repair",
		`"sweep"`:                                "not a JSON object",
		`["sweep"]`:                              "not a JSON object",
	} {
		if result, err := h.handle(t.Context(), []byte(event)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want an error with %q, got %v, %v", event, want, result, err)
		}
	}
}

// The handler returns before Lambda's deadline.
func TestHandlerReturnsBeforeTheDeadline(t *testing.T) {
	t.Parallel()
	h, _ := newHandler(t, newTable(t))
	ctx, cancel := context.WithTimeout(t.Context(), deadlineReserve)
	defer cancel()
	for _, event := range []string{scheduled, `{"command":"fsck"}`} {
		if result, err := h.handle(ctx, []byte(event)); !directory.IsTransient(err) || ctx.Err() != nil {
			t.Errorf("%s: want an error before the deadline, got %v, %v", event, result, err)
		}
	}
}

func TestFunction(t *testing.T) {
	t.Parallel()
	binary := functiontest.BuildFunction(t, ".")
	t.Run("a missing variable is named", func(t *testing.T) {
		t.Parallel()
		functiontest.CheckMissingVariable(t, binary)
	})
	t.Run("it sweeps and checks a table in DynamoDB", func(t *testing.T) {
		t.Parallel()
		tab, endpoint, name := functiontest.NewDynamoTable(t)
		functiontest.LeaveUnfinished(t, tab, "default", time.Now().Add(-time.Hour))
		i := functiontest.StartInstance(t, binary, "TABLE_NAME="+name, "DYNAMODB_ENDPOINT="+endpoint)
		for _, step := range []struct{ event, want string }{
			{`{"command":"fsck"}`, noFindings},
			{scheduled, `{"changes":1,"deletes":1,"aborted":0,"left":0,"oldest":0,"waiting":0}`},
			{scheduled, nothingDone},
			{`{"command":"fsck","repair":true}`, noFindings},
		} {
			if out := i.Invoke(t, []byte(step.event)); out.Failed || string(out.Payload) != step.want {
				t.Errorf("%s: got %v, want %s", step.event, out, step.want)
			}
		}
		for line := range strings.Lines(i.Stop()) {
			if !json.Valid([]byte(line)) {
				t.Errorf("a log line is not JSON: %s", line)
			}
		}
	})
}
