package server

import (
	"flag"
	"testing"
	"time"

	"serverless-scim/internal/token"
)

var rotation = flag.Duration("rotation", 0, "how long to rotate tokens under load by the real clock; 0 means ten minutes of a simulated clock")

// A client sends 25 requests a second to two instances. Its token is rotated repeatedly, and the client gets the new
// token in the middle of the overlap. No request fails, and an old token expires in the exact second.
func TestRotationInterruptsNoRequest(t *testing.T) {
	t.Parallel()
	c, k := newClientWithClock(t)
	length, pause := 10*time.Minute, func() {}
	if *rotation > 0 {
		length, pause = *rotation, func() { time.Sleep(40 * time.Millisecond); k.Store(time.Now().Unix()) }
		pause()
	}
	clients := [2]*client{c, {TB: t, log: c.log}}
	store := token.Store{Table: c.config.Tokens.Table, Now: k.now}
	clients[1].config = c.config
	clients[1].config.Tokens = &token.Store{Table: store.Table, Now: k.now}
	clients[1].handler = New(clients[1].config)
	const overlap = 10 // seconds; the client gets the new token after the first half
	list, err := store.Tokens(t.Context(), "test")
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	id, replacedID := list[0].ID, "" // of the newest token and of the token that it replaced
	old, current, next, end, requests := "", c.secret, "", int64(0), 0
	status := func(secret string, i int) int {
		clients[i%2].secret = secret
		return clients[i%2].do("GET", "/Users?count=0", "").status
	}
	for start := k.Load(); k.Load()-start < int64(length.Seconds()); k.Add(1 - min(1, int64(*rotation))) {
		switch now := k.Load(); {
		case now >= end:
			next, old = token.New("test"), current
			issued, err := store.Rotate(t.Context(), "test", id, next, overlap*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if replacedID != "" {
				if err := store.Revoke(t.Context(), "test", replacedID); err != nil {
					t.Fatal(err)
				}
			}
			replacedID, id = id, issued.ID
			end = now + overlap
		case now >= end-overlap/2:
			current = next
		}
		for i := range 25 {
			pause()
			requests++
			if got := status(current, i); got != 200 {
				t.Fatalf("%d s before the end of the overlap the client gets %d", end-k.Load(), got)
			}
			sent := k.Load()
			if got := status(old, i); sent == k.Load() && (got == 200) != (sent < end) {
				t.Fatalf("%d s before its expiry the old token gets %d", end-sent, got)
			}
		}
	}
	t.Logf("%d requests", requests)
}
