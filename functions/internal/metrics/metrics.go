// Package metrics emits CloudWatch metrics through the log. Its slog.Handler adds CloudWatch's embedded metric format to
// the log lines that contain a value of a metric. The package makes no network calls, and no other package emits metrics.
// Begin with [New] and [All]. The template adds two metrics of its own, by metric filters of the access log.
//
// # Adding a metric
//
//  1. Add an entry to All. Its key is the exact message of the log line. Only numbers and booleans of the line are extracted.
//  2. Add a line to TestLinesContainMetrics.
//  3. Add the metric to the dashboard in template.yaml, and an alarm if an operator must act.
//  4. In functions/README.md, add a row of the alarm to the runbook, and correct the counts and prices of the item fixed in
//     the costs.
package metrics

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// A Metric is a CloudWatch metric whose values are taken from log lines.
type Metric struct {
	Name    string
	Unit    string // a unit of CloudWatch
	extract func(logAttributes) (value float64, found bool)
}

// All returns the metrics, keyed by the message of the log lines that contain their values. The number of requests is
// the sample count of Latency.
func All() map[string][]Metric {
	metrics := map[string][]Metric{
		"request": {
			{"Latency", "Milliseconds", attribute("milliseconds")},
			{"Answers2xx", "Count", status(200, 299)},
			{"Answers4xx", "Count", status(400, 499)},
			{"Answers5xx", "Count", status(500, 599)},
			{"Answers401", "Count", status(401, 401)},
			{"Answers429", "Count", status(429, 429)},
			{"ReadUnits", "Count", attribute("table.readUnits")},
			{"WriteUnits", "Count", attribute("table.writeUnits")},
			{"Retries", "Count", nonZero("table.retries")},
			{"Conflicts", "Count", nonZero("table.conflicts")},
			{"ColdStarts", "Count", firstOnly()},
		},
		"audit": {{"Deprovisioned", "Count", deprovisioned}},
		"sweep": {
			{"OldestUnfinished", "Seconds", attribute("swept.oldest")},
			{"OldestPrepared", "Seconds", attribute("swept.waiting")},
		},
		"feed": {
			{"FeedChanges", "Count", attribute("changes")},
			{"FeedLag", "Milliseconds", attribute("lag")},
			{"FeedDuplicates", "Count", nonZero("duplicates")},
			{"FeedSkipped", "Count", attribute("skipped")},
		},
		"fsck":                      {{"Findings", "Count", attribute("findings")}},
		"a token ends soon":         {{"TokensEnding", "Count", always}},
		"a client secret ends soon": {{"TokensEnding", "Count", always}},
		"deprovisioning stopped":    {{"DeprovisioningStopped", "Count", always}},
	}
	return metrics
}

// logAttributes holds the numbers and booleans of a log line by name: true is 1, and false is absent. The name of an
// attribute in a group is group.name.
type logAttributes map[string]float64

func (l logAttributes) add(prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindGroup:
		for _, member := range v.Group() {
			l.add(prefix+a.Key+".", member)
		}
	case slog.KindInt64:
		l[prefix+a.Key] = float64(v.Int64())
	case slog.KindFloat64:
		l[prefix+a.Key] = v.Float64()
	case slog.KindBool:
		if v.Bool() {
			l[prefix+a.Key] = 1
		}
	}
}

func attribute(name string) func(logAttributes) (float64, bool) {
	return func(l logAttributes) (float64, bool) { v, found := l[name]; return v, found }
}

// nonZero extracts an attribute unless it is 0.
func nonZero(name string) func(logAttributes) (float64, bool) {
	return func(l logAttributes) (float64, bool) { return l[name], l[name] != 0 }
}

func status(from, to float64) func(logAttributes) (float64, bool) {
	return func(l logAttributes) (float64, bool) { return 1, l["status"] >= from && l["status"] <= to }
}

func always(logAttributes) (float64, bool) { return 1, true }

// firstOnly extracts 1 from the first line only. Each instance of a function has its own, so it counts cold starts.
func firstOnly() func(logAttributes) (float64, bool) {
	var emitted atomic.Bool
	return func(logAttributes) (float64, bool) { return 1, !emitted.Swap(true) }
}

func deprovisioned(l logAttributes) (float64, bool) {
	return 1, l["deprovisions"] != 0 && l["status"] < 300
}

// Handler is a slog.Handler that adds metrics to lines and passes them to another handler.
type Handler struct {
	slog.Handler
	namespace string
	metrics   map[string][]Metric
}

// New returns a handler that passes lines to the handler to. The metrics are in a CloudWatch namespace and have no
// dimensions.
func New(to slog.Handler, namespace string) *Handler { return &Handler{to, namespace, All()} }

// metadata is the member _aws of a line in the embedded metric format. It names the members of the line that are
// metrics.
type metadata struct {
	Timestamp         int64
	CloudWatchMetrics []directive
}

type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []definition
}

type definition struct{ Name, Unit string }

// Handle adds the metrics of a record to it and passes it on.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	metrics := h.metrics[r.Message]
	if len(metrics) == 0 {
		return h.Handler.Handle(ctx, r)
	}
	l := logAttributes{}
	r.Attrs(func(a slog.Attr) bool { l.add("", a); return true })
	r = r.Clone()
	var emitted []definition
	for _, m := range metrics {
		if v, ok := m.extract(l); ok {
			r.AddAttrs(slog.Float64(m.Name, v))
			emitted = append(emitted, definition{m.Name, m.Unit})
		}
	}
	if len(emitted) > 0 {
		d := directive{h.namespace, [][]string{{}}, emitted}
		r.AddAttrs(slog.Any("_aws", metadata{r.Time.UnixMilli(), []directive{d}}))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler. Metrics are not extracted from attrs.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Handler{h.Handler.WithAttrs(attrs), h.namespace, h.metrics}
}

// WithGroup returns a handler that adds no metrics, because CloudWatch ignores members of groups.
func (h *Handler) WithGroup(name string) slog.Handler { return h.Handler.WithGroup(name) }
