package console

import (
	"context"
	"log/slog"
	"sync"

	"serverless-scim/internal/console/traffic"
	"serverless-scim/internal/table"
)

// A capture collects what the parts of the server do for one request. It is in the context of the request.
type capture struct {
	mu           sync.Mutex
	log          []traffic.LogLine
	items        []traffic.ItemChange
	transactions int
	request      map[string]string // attributes of the line "request" of the log
}

type captureKey struct{}

func captureOf(ctx context.Context) *capture {
	c, _ := ctx.Value(captureKey{}).(*capture)
	return c
}

// LogHandler returns a handler that passes lines of the log to another handler, and adds those of a captured request to
// its exchange.
func (c *Console) LogHandler(to slog.Handler) slog.Handler { return logHandler{to} }

type logHandler struct{ slog.Handler }

func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	if own := captureOf(ctx); own != nil {
		own.addLine(r)
	}
	return h.Handler.Handle(ctx, r)
}

func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}

func (h logHandler) WithGroup(name string) slog.Handler { return logHandler{h.Handler.WithGroup(name)} }

func (c *capture) addLine(r slog.Record) {
	line := traffic.LogLine{Level: r.Level.String(), Message: r.Message}
	r.Attrs(func(a slog.Attr) bool { line.Attributes = appendAttribute(line.Attributes, "", a); return true })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = append(c.log, line)
	if r.Message == "request" {
		c.request = map[string]string{}
		for _, a := range line.Attributes {
			c.request[a.Name] = a.Value
		}
	}
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

// Table returns a table that adds the writes of a captured request to its exchange.
func (c *Console) Table(t table.Table) table.Table { return capturedTable{t} }

type capturedTable struct{ table.Table }

// maxKeptItems is the number of items of an exchange that are kept.
const maxKeptItems = 200

// Write reads the items before it writes them. Another request may change an item in between. The exchange then shows the
// item before both changes.
func (t capturedTable) Write(ctx context.Context, writes ...table.Write) error {
	own := captureOf(ctx)
	if own == nil {
		return t.Table.Write(ctx, writes...)
	}
	before := t.readBefore(ctx, writes)
	err := t.Table.Write(ctx, writes...)
	if err == nil {
		own.addWrites(writes, before)
	}
	return err
}

// readBefore returns the items that the writes may change. It does not read those that must not exist.
func (t capturedTable) readBefore(ctx context.Context, writes []table.Write) map[table.Key]table.Item {
	var keys []table.Key
	for _, w := range writes[:min(len(writes), maxKeptItems)] {
		p, isPut := w.(table.Put)
		_, isCheck := w.(table.ConditionCheck)
		if !isCheck && (!isPut || len(p.If) == 0) {
			keys = append(keys, w.Target())
		}
	}
	ctx, _ = table.WithUsage(ctx) // the request does not pay for this read
	items, _ := t.Get(ctx, nil, keys...)
	before := make(map[table.Key]table.Item, len(items))
	for _, it := range items {
		before[it.Key()] = it
	}
	return before
}

func (c *capture) addWrites(writes []table.Write, before map[table.Key]table.Item) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.transactions++
	for _, w := range writes {
		if len(c.items) == maxKeptItems {
			return
		}
		i := traffic.ItemChange{Key: w.Target(), Old: before[w.Target()], Transaction: c.transactions}
		switch w := w.(type) {
		case table.Put:
			i.New = w.Item
		case table.Update:
			i.New, _ = w.Apply(i.Old)
		case table.ConditionCheck:
			continue
		}
		c.items = append(c.items, i)
	}
}
