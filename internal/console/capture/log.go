package capture

import (
	"context"
	"log/slog"

	"serverless-scim/internal/console/traffic"
)

type contextKey struct{}

// fromContext returns what the request of a context collects, or nil if it is not captured.
func fromContext(ctx context.Context) *captured {
	c, _ := ctx.Value(contextKey{}).(*captured)
	return c
}

// LogHandler returns a handler that passes lines of the log to another handler, and adds those of a captured request to
// its exchange.
func LogHandler(to slog.Handler) slog.Handler { return logHandler{to} }

type logHandler struct{ slog.Handler }

func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	if c := fromContext(ctx); c != nil {
		c.mu.Lock()
		c.lines = append(c.lines, r.Clone())
		c.mu.Unlock()
	}
	return h.Handler.Handle(ctx, r)
}

func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}

func (h logHandler) WithGroup(name string) slog.Handler { return logHandler{h.Handler.WithGroup(name)} }

func newLogLine(r slog.Record) traffic.LogLine {
	line := traffic.LogLine{Level: r.Level.String(), Message: r.Message}
	r.Attrs(func(a slog.Attr) bool { line.Attributes = appendAttribute(line.Attributes, "", a); return true })
	return line
}

// appendAttribute appends an attribute of a line of the log. The name of an attribute in a group is group.name.
func appendAttribute(to []traffic.Attribute, prefix string, a slog.Attr) []traffic.Attribute {
	v := a.Value.Resolve()
	if v.Kind() != slog.KindGroup {
		return append(to, traffic.Attribute{Name: prefix + a.Key, Value: v.String()})
	}
	for _, member := range v.Group() {
		to = appendAttribute(to, prefix+a.Key+".", member)
	}
	return to
}
