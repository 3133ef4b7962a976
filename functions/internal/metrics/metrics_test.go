package metrics

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"
)

// parseMetrics returns the metrics that CloudWatch extracts from a log line, by name.
func parseMetrics(t *testing.T, text []byte) map[string]float64 {
	t.Helper()
	if !json.Valid(text) {
		t.Fatalf("not JSON: %s", text)
	}
	var meta struct {
		AWS *metadata `json:"_aws"`
	}
	var members map[string]any
	if err := json.Unmarshal(text, &meta); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	if meta.AWS == nil {
		return found
	}
	d := meta.AWS.CloudWatchMetrics[0]
	age := time.Since(time.UnixMilli(meta.AWS.Timestamp))
	if d.Namespace != "Scim/test" || len(d.Dimensions) != 1 || len(d.Dimensions[0]) != 0 || age < 0 || age > time.Minute {
		t.Errorf("namespace, dimensions or timestamp are wrong: %s", text)
	}
	for _, m := range d.Metrics {
		v, ok := members[m.Name].(float64)
		if !ok || m.Unit == "" {
			t.Errorf("%s has no value or no unit: %s", m.Name, text)
		}
		found[m.Name] = v
	}
	return found
}

func TestLinesContainMetrics(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(New(slog.NewJSONHandler(&out, nil), "Scim/test"))
	usage := slog.GroupValue(slog.Float64("readUnits", 2), slog.Float64("writeUnits", 0), slog.Int("retries", 3), slog.Int("conflicts", 1))
	for _, c := range []struct {
		message string
		attrs   []any
		want    map[string]float64
	}{
		{"request", []any{"status", 200, "milliseconds", 12.5, "table", usage}, map[string]float64{"ColdStarts": 1, "Answers2xx": 1,
			"Latency": 12.5, "ReadUnits": 2, "WriteUnits": 0, "Retries": 3, "Conflicts": 1}},
		{"request", []any{"status", 429, "milliseconds", 1.0}, map[string]float64{"Answers4xx": 1, "Answers429": 1, "Latency": 1}},
		{"request", []any{"status", 401}, map[string]float64{"Answers4xx": 1, "Answers401": 1}},
		{"request", []any{"status", 500}, map[string]float64{"Answers5xx": 1}},
		{"audit", []any{"status", 200, "deprovisions", true}, map[string]float64{"Deprovisioned": 1}},
		{"audit", []any{"status", 429, "deprovisions", true}, nil},
		{"audit", []any{"status", 200, "deprovisions", false}, nil},
		{"sweep", []any{"swept", slog.GroupValue(slog.Int("oldest", 0), slog.Int("waiting", 7))},
			map[string]float64{"OldestUnfinished": 0, "OldestPrepared": 7}},
		{"feed", []any{"changes", 3, "lag", 1250, "duplicates", 0, "skipped", 0, "events", 3},
			map[string]float64{"FeedChanges": 3, "FeedLag": 1250, "FeedSkipped": 0}},
		{"feed", []any{"changes", 0, "duplicates", 2, "skipped", 1, "events", 0},
			map[string]float64{"FeedChanges": 0, "FeedDuplicates": 2, "FeedSkipped": 1}},
		{"fsck", []any{"findings", 2}, map[string]float64{"Findings": 2}},
		{"a token ends soon", nil, map[string]float64{"TokensEnding": 1}},
		{"a client secret ends soon", nil, map[string]float64{"TokensEnding": 1}},
		{"deprovisioning stopped", nil, map[string]float64{"DeprovisioningStopped": 1}},
		{"anything else", []any{"status", 500, "milliseconds", 1.0}, nil},
	} {
		out.Reset()
		log.Info(c.message, c.attrs...)
		if got := parseMetrics(t, out.Bytes()); !maps.Equal(got, c.want) {
			t.Errorf("%s %v: %v, want %v", c.message, c.attrs, got, c.want)
		}
	}
	out.Reset()
	log.With("status", 500).Info("fsck", "findings", 1)
	log.WithGroup("g").Info("fsck", "findings", 1)
	first, second, _ := bytes.Cut(out.Bytes(), []byte("\n"))
	if got := parseMetrics(t, first); got["Findings"] != 1 || len(parseMetrics(t, second)) != 0 {
		t.Errorf("with attributes and groups: %s", out.String())
	}
}

// CloudWatch rejects a line with two metrics of one name, and alarms refer to metrics by name only. One alarm is for both
// messages about an end.
func TestMetricNamesAreUnique(t *testing.T) {
	t.Parallel()
	all := All()
	delete(all, "a client secret ends soon")
	var names []string
	for _, metrics := range all {
		for _, m := range metrics {
			names = append(names, m.Name)
		}
	}
	slices.Sort(names)
	if unique := slices.Compact(slices.Clone(names)); len(unique) != len(names) {
		t.Errorf("%v", names)
	}
}
