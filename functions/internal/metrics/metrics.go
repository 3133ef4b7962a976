// Package metrics makes CloudWatch metrics of what the functions log: a slog.Handler that adds CloudWatch's embedded
// metric format to the lines that tell a figure. It sends nothing itself, and no other package knows of metrics.
package metrics

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// Metric is a figure that lines of the log tell.
type Metric struct {
	Name    string
	Unit    string // one of CloudWatch's
	extract func(logAttributes) (value float64, told bool)
}

// All is the metrics by the message of the lines that tell them. How many requests there were is the sample count of
// Latency.
func All() map[string][]Metric {
	metrics := map[string][]Metric{
		"request": {
			{"Latency", "Milliseconds", attribute("milliseconds")},
			{"Answers2xx", "Count", status(200, 299)},
			{"Answers4xx", "Count", status(400, 499)},
			{"Answers5xx", "Count", status(500, 599)},
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
		"fsck":                   {{"Findings", "Count", attribute("findings")}},
		"a token ends soon":      {{"TokensEnding", "Count", always}},
		"deprovisioning stopped": {{"DeprovisioningStopped", "Count", always}},
	}
	return metrics
}

// logAttributes is the attributes of a line that are numbers or truths, by name; those in groups as group.name.
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
	return func(l logAttributes) (float64, bool) { v, told := l[name]; return v, told }
}

// nonZero is a figure that is told unless it is 0.
func nonZero(name string) func(logAttributes) (float64, bool) {
	return func(l logAttributes) (float64, bool) { return l[name], l[name] != 0 }
}

func status(from, to float64) func(logAttributes) (float64, bool) {
	return func(l logAttributes) (float64, bool) { return 1, l["status"] >= from && l["status"] <= to }
}

func always(logAttributes) (float64, bool) { return 1, true }

// firstOnly is told by the first line alone: that of an instance that has just started.
func firstOnly() func(logAttributes) (float64, bool) {
	var later atomic.Bool
	return func(logAttributes) (float64, bool) { return 1, !later.Swap(true) }
}

func deprovisioned(l logAttributes) (float64, bool) {
	return 1, l["deprovisions"] != 0 && l["status"] < 300
}

// Handler hands lines on to another handler.
type Handler struct {
	slog.Handler
	namespace string
	metrics   map[string][]Metric
}

// New makes a handler whose metrics are in a namespace of CloudWatch, without dimensions.
func New(to slog.Handler, namespace string) *Handler { return &Handler{to, namespace, All()} }

// metadata and directive are how a line tells CloudWatch which of its members are metrics.
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

// Handle adds the metrics of a line to it.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	metrics := h.metrics[r.Message]
	if len(metrics) == 0 {
		return h.Handler.Handle(ctx, r)
	}
	l := logAttributes{}
	r.Attrs(func(a slog.Attr) bool { l.add("", a); return true })
	r = r.Clone()
	var told []definition
	for _, m := range metrics {
		if v, ok := m.extract(l); ok {
			r.AddAttrs(slog.Float64(m.Name, v))
			told = append(told, definition{m.Name, m.Unit})
		}
	}
	if len(told) > 0 {
		r.AddAttrs(slog.Any("_aws", metadata{r.Time.UnixMilli(), []directive{{h.namespace, [][]string{{}}, told}}}))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs is slog.Handler's.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Handler{h.Handler.WithAttrs(attrs), h.namespace, h.metrics}
}

// WithGroup gives a handler without metrics: CloudWatch looks for them outside of groups.
func (h *Handler) WithGroup(name string) slog.Handler { return h.Handler.WithGroup(name) }
