package server

import (
	"flag"
	"testing"
	"time"

	"serverless-scim/internal/token"
)

var rotation = flag.Duration("rotation", 0, "how long tokens are rotated under load by the real clock; 0: ten minutes of a clock of the test")

// Okta sends 25 requests a second to two instances. Its token is rotated again and again, and it is given the new one in
// the midst of the overlap. No request is lost, and an old token ends in the very second.
func TestRotationLosesNoRequest(t *testing.T) {
	t.Parallel()
	c, k := timed(t)
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
	const overlap = 10 // seconds, of which the first half passes before Okta has the new token
	list, err := store.Tokens(t.Context(), "test")
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	id, before := list[0].ID, "" // of the newest token and of the one that it took the place of
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
			if before != "" {
				if err := store.Revoke(t.Context(), "test", before); err != nil {
					t.Fatal(err)
				}
			}
			before, id = id, issued.ID
			end = now + overlap
		case now >= end-overlap/2:
			current = next
		}
		for i := range 25 {
			pause()
			requests++
			if got := status(current, i); got != 200 {
				t.Fatalf("%d s before the end of the overlap: %d", end-k.Load(), got)
			}
			sent := k.Load()
			if got := status(old, i); sent == k.Load() && (got == 200) != (sent < end) {
				t.Fatalf("%d s before its end the old token gets %d", end-sent, got)
			}
		}
	}
	t.Logf("%d requests", requests)
}
