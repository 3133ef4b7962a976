package console

import (
	"sync"

	"serverless-scim/internal/console/traffic"
	"serverless-scim/internal/table"
)

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

// idOf returns the ID of the exchange with a request ID, or 0.
func (x *exchanges) idOf(request string) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.list {
		if request != "" && e.RequestID == request {
			return e.ID
		}
	}
	return 0
}
