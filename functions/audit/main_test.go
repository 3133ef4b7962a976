package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"serverless-scim/functions/internal/functiontest"
	"serverless-scim/functions/internal/metrics"
)

// logsEvent returns the event with which CloudWatch Logs delivers lines.
func logsEvent(t *testing.T, messageType string, lines ...string) []byte {
	t.Helper()
	data := events.CloudwatchLogsData{MessageType: messageType, LogGroup: "scim-Log", SubscriptionFilters: []string{"audit"}}
	for _, line := range lines {
		data.LogEvents = append(data.LogEvents, events.CloudwatchLogsLogEvent{ID: "1", Timestamp: 1767225601000, Message: line})
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := json.NewEncoder(z).Encode(data); err != nil {
		t.Fatal(err)
	}
	z.Close()
	event, err := json.Marshal(events.CloudwatchLogsEvent{
		AWSLogs: events.CloudwatchLogsRawData{Data: base64.StdEncoding.EncodeToString(b.Bytes())}})
	if err != nil {
		t.Fatal(err)
	}
	return event
}

func TestFunctionPrintsAuditLines(t *testing.T) {
	t.Parallel()
	var printed bytes.Buffer
	log := slog.New(metrics.New(slog.NewJSONHandler(&printed, nil), "Scim/test"))
	log.Info("audit", "tenant", "acme", "verb", "DELETE", "deprovisions", true, "status", 204, "id", `<&"_aws":`)
	withMetric := printed.String()
	if !strings.Contains(withMetric, `"_aws":{`) {
		t.Fatalf("the line has no metric: %s", withMetric)
	}
	const plain = `{"time":"2026-03-08T16:53:06Z","level":"WARN","msg":"audit","command":"purge","tenant":"acme"}`

	i := functiontest.StartInstance(t, functiontest.BuildFunction(t, "."))
	for _, event := range [][]byte{
		logsEvent(t, "CONTROL_MESSAGE", "CWL CONTROL MESSAGE: Checking health of destination"),
		logsEvent(t, "DATA_MESSAGE", withMetric, plain),
	} {
		if out := i.Invoke(t, event); out.Failed {
			t.Errorf("%s: %v", event, out)
		}
	}
	for _, event := range []string{`{}`, `{"awslogs":{"data":"e30="}}`, `{"awslogs":{"data":"}{"}}`} {
		if out := i.Invoke(t, []byte(event)); !out.Failed || !strings.Contains(string(out.Payload), "CloudWatch Logs") {
			t.Errorf("%s: %v, want an error that names CloudWatch Logs", event, out)
		}
	}
	var lines []string
	for line := range strings.Lines(i.Stop()) {
		if strings.HasPrefix(line, "{") { // the other lines report the errors
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	if len(lines) != 2 || lines[1] != plain {
		t.Fatalf("want the two lines, got %q", lines)
	}
	var before, after map[string]any
	if json.Unmarshal([]byte(withMetric), &before) != nil || json.Unmarshal([]byte(lines[0]), &after) != nil {
		t.Fatalf("not JSON: %s", lines[0])
	}
	if after["_aws"] != nil || after["id"] != before["id"] || len(after) != len(before)-1 {
		t.Errorf("got %v, want %v without _aws", after, before)
	}
}
