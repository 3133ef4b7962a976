package capture

import (
	"sync"

	"serverless-scim/internal/console/traffic"
)

// exchanges keeps the last exchanges.
type exchanges struct {
	mu        sync.Mutex
	last      int // ID of the newest
	list      []*captured
	bytes     int
	listeners map[chan func() *traffic.Exchange]bool
}

const (
	maxExchanges     = 500
	maxExchangeBytes = 64 << 20
)

// add adds an exchange, and drops the oldest ones that do not fit.
func (x *exchanges) add(c *captured) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.last++
	c.id, c.size = x.last, sizeOf(c)
	x.list, x.bytes = append(x.list, c), x.bytes+c.size
	for len(x.list) > maxExchanges || x.bytes > maxExchangeBytes && len(x.list) > 1 {
		x.bytes -= x.list[0].size
		x.list[0], x.list = nil, x.list[1:]
	}
	for l := range x.listeners {
		select {
		case l <- c.exchange:
		default: // the browser does not read, and would not show more than the newest anyway
		}
	}
}

// sizeOf estimates the memory of an exchange.
func sizeOf(c *captured) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return 4096 + len(c.sent.kept) + len(c.got.kept) + 2*c.bytes
}

func (x *exchanges) snapshot() []*captured {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]*captured(nil), x.list...)
}

// Exchanges returns the exchanges, the newest first.
func (t *Traffic) Exchanges() []*traffic.Exchange {
	kept := t.exchanges.snapshot()
	list := make([]*traffic.Exchange, len(kept))
	for i, c := range kept {
		list[len(kept)-1-i] = c.exchange()
	}
	return list
}

// Find returns the exchange with an ID, or nil.
func (t *Traffic) Find(id int) *traffic.Exchange {
	for _, c := range t.exchanges.snapshot() {
		if c.id == id {
			return c.exchange()
		}
	}
	return nil
}

// FindRequest returns the ID of the exchange with a request ID, or 0.
func (t *Traffic) FindRequest(request string) int {
	for _, e := range t.Exchanges() {
		if request != "" && e.RequestID == request {
			return e.ID
		}
	}
	return 0
}

// Clear drops all exchanges.
func (t *Traffic) Clear() {
	t.exchanges.mu.Lock()
	defer t.exchanges.mu.Unlock()
	t.exchanges.list, t.exchanges.bytes = nil, 0
}

// Listen returns a channel of functions that return the new exchanges, and a function that ends the delivery.
func (t *Traffic) Listen() (<-chan func() *traffic.Exchange, func()) {
	l, x := make(chan func() *traffic.Exchange, maxExchanges), &t.exchanges
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.listeners == nil {
		x.listeners = map[chan func() *traffic.Exchange]bool{}
	}
	x.listeners[l] = true
	return l, func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		delete(x.listeners, l)
	}
}
