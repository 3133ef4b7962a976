package capture

import (
	"cmp"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"serverless-scim/internal/console/traffic"
	"serverless-scim/internal/leniency"
	"serverless-scim/internal/table"
)

// captured collects the data of a request, from which its exchange is made. It is in the context of the request, and contains
// secrets.
type captured struct {
	id, size                  int // of the exchange: its ID, and an estimate of its memory in bytes
	begin                     time.Time
	duration                  time.Duration
	method, host, path, query string
	header, reply             http.Header // neither the server nor package net/http changes them later
	sent                      keptBody
	got                       keptResponse
	fault                     *Fault // that was injected, or nil
	rules                     []leniency.Rule

	mu           sync.Mutex
	lines        []slog.Record
	transactions []table.Images
	items, bytes int // of the transactions: their number, and their size

	once sync.Once
	made *traffic.Exchange
}

// exchange returns the exchange, without secrets.
func (c *captured) exchange() *traffic.Exchange {
	c.once.Do(func() {
		c.made = c.makeExchange()
		c.header, c.reply, c.sent.kept, c.got.kept, c.lines, c.transactions = nil, nil, nil, nil, nil, nil
	})
	return c.made
}

func (c *captured) makeExchange() *traffic.Exchange {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := newMasker(c.header)
	e := &traffic.Exchange{ID: c.id, Begin: c.begin, Duration: c.duration, Method: c.method, Host: c.host,
		Path: m.text(c.path), Query: m.text(c.query), Header: m.header(c.header), Body: m.body(c.sent.kept, c.sent.size),
		Status: c.got.finalStatus(), Reply: m.header(c.reply), Content: m.body(c.got.kept, c.got.size), Rules: c.rules}
	e.Client = traffic.RecognizeClient(e)
	if c.fault != nil {
		e.Fault = c.fault.Action.Label
	}
	for _, r := range c.lines {
		e.Log = append(e.Log, newLogLine(r))
	}
	e.Items = c.changes()
	request := requestAttributes(e.Log)
	e.Tenant, e.RequestID, e.Cost = request["tenant"], request["requestId"], costOf(request)
	return e
}

// client returns the name of the client, as far as it shows before the body is read.
func (c *captured) client() string {
	return traffic.RecognizeClient(&traffic.Exchange{Method: c.method, Path: c.path, Query: c.query, Header: c.header})
}

// requestAttributes returns the attributes of the line "request" of the log.
func requestAttributes(log []traffic.LogLine) map[string]string {
	request := map[string]string{}
	for _, line := range log {
		if line.Message == "request" {
			for _, a := range line.Attributes {
				request[a.Name] = a.Value
			}
		}
	}
	return request
}

// costOf returns the cost in the line "request" of the log.
func costOf(request map[string]string) (c traffic.Cost) {
	c.Calls, _ = strconv.Atoi(request["table.calls"])
	c.RoundTrips, _ = strconv.Atoi(request["table.waits"])
	c.ReadUnits, _ = strconv.ParseFloat(cmp.Or(request["table.readUnits"], "0"), 64)
	c.WriteUnits, _ = strconv.ParseFloat(cmp.Or(request["table.writeUnits"], "0"), 64)
	return c
}
