package console

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"serverless-scim/internal/console/traffic"
	"serverless-scim/internal/leniency"
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

// Capture returns a handler that records each exchange of the SCIM handler h.
func (c *Console) Capture(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, fault := c.capture(h, w, r); fault != nil && fault.Action.closes {
			panic(http.ErrAbortHandler) // closes the connection
		}
	})
}

// capture serves a request and returns the exchange, and the fault that was injected into it, or nil.
func (c *Console) capture(h http.Handler, w http.ResponseWriter, r *http.Request) (*traffic.Exchange, *fault) {
	e := &traffic.Exchange{Begin: c.Now(), Method: r.Method, Host: r.Host, Path: strings.TrimPrefix(r.URL.Path, c.BasePath), Query: r.URL.RawQuery}
	own := &capture{}
	ctx, rules := leniency.Collect(context.WithValue(r.Context(), captureKey{}, own))
	e.Header = newMasker(r.Header).header(r.Header)
	e.Client = traffic.RecognizeClient(e) // a fault may select by it; the body is not read yet
	recorder, limit := c.recording.active(), maxBodyBytes
	if recorder != nil {
		limit = maxRecordedBodyBytes
	}
	sent := &recordedBody{ReadCloser: r.Body, limit: limit}
	got := &recordedResponse{ResponseWriter: w, limit: limit}
	r = r.WithContext(ctx)
	r.Body = sent
	fault := c.faults.take(e)
	if fault == nil {
		h.ServeHTTP(got, r)
	} else {
		e.Fault = fault.Action.Label
		fault.inject(got, r, h)
	}
	e.Duration = c.Now().Sub(e.Begin)
	c.complete(e, r, own, sent, got)
	e.Rules = rules()
	e.Sentence = traffic.Describe(e)
	c.exchanges.add(e)
	if recorder != nil && fault == nil {
		recordExchange(recorder, e, r, sent, got)
	}
	return e, fault
}

// complete adds to an exchange what was captured, without secrets.
func (c *Console) complete(e *traffic.Exchange, r *http.Request, own *capture, sent *recordedBody, got *recordedResponse) {
	m := newMasker(r.Header)
	e.Body = m.body(sent.kept.Bytes(), sent.size)
	e.Client = traffic.RecognizeClient(e)
	e.Reply, e.Content, e.Status = m.header(got.Header()), m.body(got.kept.Bytes(), got.size), max(got.status, http.StatusOK)
	e.Path, e.Query = m.text(e.Path), m.text(e.Query)
	own.mu.Lock()
	defer own.mu.Unlock()
	e.Log, e.Items = own.log, own.items
	e.Tenant, e.RequestID = own.request["tenant"], own.request["requestId"]
	e.Cost = costOf(own.request)
}

// A recordedBody is the body of a request of which a part is kept.
type recordedBody struct {
	io.ReadCloser
	limit int
	kept  bytes.Buffer
	size  int
}

func (b *recordedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	keep(&b.kept, p[:n], b.limit)
	b.size += n
	return n, err
}

// A recordedResponse is a response of which a part is kept.
type recordedResponse struct {
	http.ResponseWriter
	limit  int
	kept   bytes.Buffer
	size   int
	status int
}

func (w *recordedResponse) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recordedResponse) Write(p []byte) (int, error) {
	keep(&w.kept, p, w.limit)
	w.size += len(p)
	return w.ResponseWriter.Write(p)
}

// Unwrap returns the wrapped writer to http.ResponseController.
func (w *recordedResponse) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func keep(b *bytes.Buffer, p []byte, limit int) {
	b.Write(p[:min(len(p), limit-b.Len())])
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

// Write reads the items before it writes them. Another request may change an item in between; then the exchange shows the
// item as it was before both.
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

// exchanges keeps the last exchanges.
type exchanges struct {
	mu        sync.Mutex
	last      int // ID of the newest
	list      []*traffic.Exchange
	bytes     int
	listeners map[chan *traffic.Exchange]bool
}

const (
	maxExchanges     = 500
	maxExchangeBytes = 64 << 20
)

// add adds an exchange, and drops the oldest ones that do not fit.
func (x *exchanges) add(e *traffic.Exchange) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.last++
	e.ID = x.last
	x.list, x.bytes = append(x.list, e), x.bytes+sizeOf(e)
	for len(x.list) > maxExchanges || x.bytes > maxExchangeBytes && len(x.list) > 1 {
		x.bytes -= sizeOf(x.list[0])
		x.list = x.list[1:]
	}
	for l := range x.listeners {
		select {
		case l <- e:
		default: // the browser does not read, and would not show more than the newest anyway
		}
	}
}

// sizeOf estimates the memory of an exchange.
func sizeOf(e *traffic.Exchange) int {
	n := 4096 + len(e.Body.Text) + len(e.Content.Text)
	for _, i := range e.Items {
		n += 2 * (table.ItemSize(i.Old) + table.ItemSize(i.New))
	}
	return n
}

// snapshot returns the exchanges, the newest first.
func (x *exchanges) snapshot() []*traffic.Exchange {
	x.mu.Lock()
	defer x.mu.Unlock()
	list := make([]*traffic.Exchange, 0, len(x.list))
	for i := len(x.list) - 1; i >= 0; i-- {
		list = append(list, x.list[i])
	}
	return list
}

// find returns the exchange with an ID, or nil.
func (x *exchanges) find(id int) *traffic.Exchange {
	for _, e := range x.snapshot() {
		if e.ID == id {
			return e
		}
	}
	return nil
}

func (x *exchanges) clear() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.list, x.bytes = nil, 0
}

// listen returns a channel of new exchanges, and a function that ends it.
func (x *exchanges) listen() (<-chan *traffic.Exchange, func()) {
	l := make(chan *traffic.Exchange, maxExchanges)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.listeners == nil {
		x.listeners = map[chan *traffic.Exchange]bool{}
	}
	x.listeners[l] = true
	return l, func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		delete(x.listeners, l)
	}
}
