package capture

import (
	"testing"
	"time"
)

// The list has at most 500 exchanges and 64 MB, the newest ones.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	traffic := New(time.Now, "")
	for range 1200 {
		traffic.exchanges.add(&captured{})
	}
	if list := traffic.Exchanges(); len(list) != maxExchanges || list[0].ID != 1200 {
		t.Errorf("%d exchanges, the newest is %d", len(list), list[0].ID)
	}
	body := make([]byte, MaxBodyBytes)
	for range 1200 {
		traffic.exchanges.add(&captured{sent: keptBody{kept: body}, got: keptResponse{kept: body}})
	}
	if x := &traffic.exchanges; x.bytes > maxExchangeBytes || len(x.list) < 100 {
		t.Errorf("%d exchanges have %d bytes", len(x.list), x.bytes)
	}
}
