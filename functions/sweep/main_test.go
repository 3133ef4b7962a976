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

// scheduled is the event of a schedule, as EventBridge sends it.
const scheduled = `{"version":"0","id":"53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa","detail-type":"Scheduled Event",
	"source":"aws.events","account":"123456789012","time":"2026-03-08T16:53:06Z","region":"eu-central-1",
	"resources":["arn:aws:events:eu-central-1:123456789012:rule/every-minute"],"detail":{}}`

// function is the handler over a table, and what it logs.
func function(t *testing.T, tab table.Table) (handler, *bytes.Buffer) {
	log := &bytes.Buffer{}
	c := functiontest.EmbeddedConfig(t, log)
	c.Table = tab
	return handler{c}, log
}

func embedded(t *testing.T) table.Table { return functiontest.EmbeddedConfig(t, io.Discard).Table }

// invoke gives the handler an event, and wants it answered.
func invoke(t *testing.T, h handler, event string) string {
	t.Helper()
	answer, err := h.handle(t.Context(), []byte(event))
	if err != nil {
		t.Fatalf("%s: %v", event, err)
	}
	b, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const (
	nothing = `{"changes":0,"deletes":0,"aborted":0,"left":0,"oldest":0,"waiting":0}`
	clean   = `{"findings":0,"clean":true,"lines":[]}`
)

func TestSweepFinishesWhatIsUnfinished(t *testing.T) {
	t.Parallel()
	for _, event := range []string{scheduled, `{"command":"sweep"}`, `{}`, `null`} {
		h, log := function(t, embedded(t))
		functiontest.LeaveUnfinished(t, h.Table, "default", time.Now().Add(-2*time.Minute))
		if did := invoke(t, h, event); did != `{"changes":1,"deletes":1,"aborted":0,"left":0,"oldest":0,"waiting":0}` {
			t.Errorf("%s: a change and a delete are unfinished, and the sweep did %s", event, did)
		}
		if did := invoke(t, h, event); did != nothing {
			t.Errorf("%s: nothing is unfinished any more, and the sweep did %s", event, did)
		}
		if found := invoke(t, h, `{"command":"fsck"}`); found != clean {
			t.Errorf("%s: fsck after the sweep: %s", event, found)
		}
		if first, _, _ := strings.Cut(log.String(), "\n"); !strings.Contains(first, `"level":"INFO"`) ||
			!strings.Contains(first, `"swept":{"changes":1,"deletes":1,"aborted":0,"left":0,"oldest":0,"waiting":0}`) {
			t.Errorf("%s: the log does not tell what was done, but %s", event, first)
		}
	}
}

// What is young may still have its writer. What is old and cannot be finished is told so that an alarm can see it.
func TestSweepTellsWhatIsLeft(t *testing.T) {
	t.Parallel()
	for age, want := range map[time.Duration]string{
		10 * time.Second: "INFO", 9 * time.Minute: "INFO", 11 * time.Minute: "WARN",
	} {
		tab := embedded(t)
		now := time.Now()
		functiontest.LeaveUnfinished(t, tab, "default", now.Add(-age))
		h, log := function(t, tabletest.Faults{Table: tab, Before: func(c tabletest.Call) error {
			if c.Method == "Write" {
				return errors.New("the table is read-only")
			}
			return nil
		}})
		h.Now = func() time.Time { return now }
		did := sweepResult{}
		if err := json.Unmarshal([]byte(invoke(t, h, scheduled)), &did); err != nil {
			t.Fatal(err)
		}
		if did.Left != 2 || did.Oldest != int(age.Seconds()) {
			t.Errorf("a change and a delete are left for %v, but the sweep tells %+v", age, did)
		}
		if !strings.Contains(log.String(), `"level":"`+want+`","msg":"sweep"`) {
			t.Errorf("left for %v: want a line of level %s, got %s", age, want, log)
		}
	}
}

func TestFsckIsACommand(t *testing.T) {
	t.Parallel()
	h, log := function(t, embedded(t))
	var strays []table.Write // names of nobody
	for i := range 1001 {
		strays = append(strays, table.Put{Item: table.Item{"PK": table.S("default#User"),
			"SK": table.S(fmt.Sprint("userName#stray", i)), "id": table.S("u" + strings.Repeat("0", 26))}})
	}
	for writes := range slices.Chunk(strays, table.MaxTransactionActions) {
		if err := h.Table.Write(t.Context(), writes...); err != nil {
			t.Fatal(err)
		}
	}
	if found := invoke(t, h, `{"command":"fsck","tenant":"other"}`); found != clean {
		t.Errorf("what is wrong is another tenant's, and fsck found %s", found)
	}
	for _, event := range []string{`{"command":"fsck","tenant":"default"}`, `{"command":"fsck","repair":true}`} {
		found := fsckResult{}
		if err := json.Unmarshal([]byte(invoke(t, h, event)), &found); err != nil {
			t.Fatal(err)
		}
		lines := found.Lines
		if found.Findings != 1001 || found.Clean || len(lines) != maxReportedLines || !strings.Contains(lines[0], "stray") {
			t.Errorf("%s: want 1001 findings and the first 1000 lines, got %d and %d", event, found.Findings, len(lines))
		}
	}
	if found := invoke(t, h, `{"command":"fsck"}`); found != clean {
		t.Errorf("fsck after a repair: %s", found)
	}
	if !strings.Contains(log.String(), `"msg":"fsck","tenant":"","repair":true,"findings":1001`) {
		t.Errorf("the log does not tell of the repair: %s", log)
	}
}

func TestEventsThatAreNoCommand(t *testing.T) {
	t.Parallel()
	h, _ := function(t, embedded(t))
	for event, want := range map[string]string{
		`{"command":"drop"}`:                     `no command "drop"`,
		`{"command":""}`:                         `no command ""`,
		`{"command":1}`:                          "a command has the fields",
		`{"command":"fsck","tenants":"default"}`: `unknown field "tenants"`,
		`{"command":"fsck","repair":"true"}`:     "repair",
		`{"command":"sweep","tenant":"default"}`: "neither tenant nor repair",
		`{"command":"sweep","repair":true}`:      "neither tenant nor repair",
		`"sweep"`:                                "no JSON object",
		`["sweep"]`:                              "no JSON object",
	} {
		if answer, err := h.handle(t.Context(), []byte(event)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want an error with %q, got %v, %v", event, want, answer, err)
		}
	}
}

// What Lambda would cut off ends by itself before.
func TestItEndsBeforeLambdaDoes(t *testing.T) {
	t.Parallel()
	h, _ := function(t, embedded(t))
	ctx, cancel := context.WithTimeout(t.Context(), deadlineReserve)
	defer cancel()
	for _, event := range []string{scheduled, `{"command":"fsck"}`} {
		if answer, err := h.handle(ctx, []byte(event)); !directory.IsTransient(err) || ctx.Err() != nil {
			t.Errorf("%s: want an error before the deadline, got %v, %v", event, answer, err)
		}
	}
}

func TestFunction(t *testing.T) {
	t.Parallel()
	binary := functiontest.BuildFunction(t, ".")
	t.Run("what is missing is named", func(t *testing.T) {
		t.Parallel()
		functiontest.CheckMissingVariable(t, binary)
	})
	t.Run("it sweeps and checks a table in DynamoDB", func(t *testing.T) {
		t.Parallel()
		tab, endpoint, name := functiontest.NewDynamoTable(t)
		functiontest.LeaveUnfinished(t, tab, "default", time.Now().Add(-time.Hour))
		i := functiontest.StartInstance(t, binary, "TABLE_NAME="+name, "DYNAMODB_ENDPOINT="+endpoint)
		for _, step := range []struct{ event, want string }{
			{`{"command":"fsck"}`, clean},
			{scheduled, `{"changes":1,"deletes":1,"aborted":0,"left":0,"oldest":0,"waiting":0}`},
			{scheduled, nothing},
			{`{"command":"fsck","tenant":"default","repair":true}`, clean},
		} {
			if out := i.Invoke(t, []byte(step.event)); out.Failed || string(out.Payload) != step.want {
				t.Errorf("%s: got %v, want %s", step.event, out, step.want)
			}
		}
		for line := range strings.Lines(i.Stop()) {
			if !json.Valid([]byte(line)) {
				t.Errorf("a line of the log is not JSON: %s", line)
			}
		}
	})
}
