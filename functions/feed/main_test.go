package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"serverless-scim/functions/internal/functiontest"
	"serverless-scim/internal/directory"
	"serverless-scim/internal/feed"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// readEvent returns an event as Lambda delivers it: two created users and a group, a user who joins the group and is
// deactivated, a damaged item, a deleted user, and two records of a token.
func readEvent(t *testing.T) (e events.DynamoDBEvent) {
	t.Helper()
	b, err := os.ReadFile("testdata/event.json")
	if err == nil {
		err = json.Unmarshal(b, &e)
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// newConfig returns a configuration with the tenant of the event, and its log.
func newConfig(t *testing.T) (directory.Config, *bytes.Buffer) {
	t.Helper()
	log := &bytes.Buffer{}
	c := functiontest.EmbeddedConfig(t, log)
	functiontest.CreateTenants(t, c.Store.Table, "acme")
	return c, log
}

// invoke passes the event to a new instance of the function.
func invoke(t *testing.T, c directory.Config) error {
	t.Helper()
	h, err := newHandler(func(string) string { return "" }, c)
	if err != nil {
		t.Fatal(err)
	}
	return h.(func(context.Context, events.DynamoDBEvent) error)(t.Context(), readEvent(t))
}

// loggedChanges returns the types of the changes in the log of the tenant.
func loggedChanges(t *testing.T, tab table.Table) (types []string) {
	t.Helper()
	page, err := tab.Query(t.Context(), table.Range{PK: "acme#changes", From: "0", To: "9999999999999999"})
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range page.Items {
		var changes []feed.Change
		if err := json.Unmarshal([]byte(table.StringValue(it["changes"])), &changes); err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			types = append(types, c.Types()[0])
		}
	}
	return types
}

// Lambda delivers a batch at least once. The log has each change once, and the metrics count what happened.
func TestBatchIsPublishedOnce(t *testing.T) {
	t.Parallel()
	c, log := newConfig(t)
	want := []string{"user.created", "user.created", "group.created", "user.groups_changed", "user.deactivated", "user.deleted"}
	for range 2 {
		if err := invoke(t, c); err != nil {
			t.Fatal(err)
		}
		if got := loggedChanges(t, c.Store.Table); !slices.Equal(got, want) {
			t.Errorf("the log has %v, want %v", got, want)
		}
	}
	lines := strings.Split(log.String(), "\n")
	for i, want := range []string{`"msg":"stream record skipped","pk":"acme#User#`, `"msg":"feed","records":9,"changes":6,"duplicates":0,"skipped":1,`,
		`"msg":"stream record skipped"`, `"msg":"feed","records":9,"changes":0,"duplicates":6,"skipped":1,`} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("line %d is %s, want %s", i+1, lines[i], want)
		}
	}
	if strings.Contains(log.String(), "damaged") && strings.Contains(log.String(), "{damaged") {
		t.Error("the log contains a document")
	}
}

// If the table fails, the function fails, so that Lambda delivers the batch again before any later one.
func TestErrorOfTableFailsInvocation(t *testing.T) {
	t.Parallel()
	c, log := newConfig(t)
	tab := c.Store.Table
	c.Store.Table = tabletest.Faults{Table: tab, Before: func(call tabletest.Call) error {
		if call.Method == "Write" {
			return &table.TransientError{Err: errors.New("throttled")}
		}
		return nil
	}}
	if err := invoke(t, c); !table.IsTransient(err) {
		t.Errorf("the function returns %v", err)
	}
	if !strings.Contains(log.String(), `"level":"ERROR","msg":"feed"`) {
		t.Errorf("the log is %s", log)
	}
	if c.Store.Table = tab; invoke(t, c) != nil || len(loggedChanges(t, tab)) != 6 {
		t.Error("the batch is not published when it is delivered again")
	}
}

// The changes of a tenant that does not exist, or is deleted, are dropped.
func TestTenantMustExist(t *testing.T) {
	t.Parallel()
	c := functiontest.EmbeddedConfig(t, &bytes.Buffer{})
	if err := invoke(t, c); err != nil || len(loggedChanges(t, c.Store.Table)) != 0 {
		t.Errorf("%v, %v", err, loggedChanges(t, c.Store.Table))
	}
}

// EVENT_DETAIL has one of two values.
func TestEventDetail(t *testing.T) {
	t.Parallel()
	c, _ := newConfig(t)
	for detail, valid := range map[string]bool{"": true, "notice": true, "full": true, "all": false} {
		_, err := newHandler(func(name string) string { return map[string]string{"EVENT_BUS": "bus", "EVENT_DETAIL": detail}[name] }, c)
		if (err == nil) != valid || err != nil && !strings.Contains(err.Error(), "EVENT_DETAIL") {
			t.Errorf("%q: %v", detail, err)
		}
	}
}

// The binary runs behind Lambda's Runtime API on a DynamoDB emulator.
func TestBinary(t *testing.T) {
	t.Parallel()
	binary := functiontest.BuildFunction(t, ".")
	functiontest.CheckMissingVariable(t, binary)
	tab, endpoint, name := functiontest.NewDynamoTable(t)
	functiontest.CreateTenants(t, tab, "acme")
	event, err := os.ReadFile("testdata/event.json")
	if err != nil {
		t.Fatal(err)
	}
	i := functiontest.StartInstance(t, binary, "TABLE_NAME="+name, "DYNAMODB_ENDPOINT="+endpoint, "METRICS_NAMESPACE=Scim/test")
	if result := i.Invoke(t, event); result.Failed {
		t.Error(result)
	}
	if got := loggedChanges(t, tab); len(got) != 6 {
		t.Errorf("the log has %v", got)
	}
	if log := i.Stop(); !strings.Contains(log, `"FeedChanges":6`) || !strings.Contains(log, `"FeedSkipped":1`) {
		t.Errorf("the metrics are missing in %s", log)
	}
}
