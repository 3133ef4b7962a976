package console

import (
	"sync"

	"serverless-scim/internal/replay/record"
)

// A recording is the traffic between two points in time. There is at most one. It is kept until it is discarded.
type recording struct {
	mu       sync.Mutex
	recorder *record.Recorder // nil: there is no recording
	stopped  bool
}

// active returns the recorder, or nil if traffic is not recorded now.
func (x *recording) active() *record.Recorder {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.stopped {
		return nil
	}
	return x.recorder
}

func (x *recording) state() (recorder *record.Recorder, stopped bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.recorder, x.stopped
}

func (x *recording) set(recorder *record.Recorder, stopped bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.recorder, x.stopped = recorder, stopped
}
