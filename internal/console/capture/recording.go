package capture

import (
	"sync"

	"serverless-scim/internal/replay/record"
)

// A Recording is the traffic between two points in time. There is at most one. It is kept until it is discarded.
type Recording struct {
	mu       sync.Mutex
	recorder *record.Recorder // nil: there is no recording
	stopped  bool
}

// active returns the recorder, or nil if traffic is not recorded now.
func (x *Recording) active() *record.Recorder {
	if recorder, stopped := x.State(); !stopped {
		return recorder
	}
	return nil
}

// State returns the recorder, or nil if there is no recording, and reports whether the recording has stopped.
func (x *Recording) State() (recorder *record.Recorder, stopped bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.recorder, x.stopped
}

// Start starts a recording with a new recorder. It discards the previous one.
func (x *Recording) Start(recorder *record.Recorder) { x.set(recorder, false) }

// Stop stops the recording, which is kept.
func (x *Recording) Stop() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.stopped = true
}

// Discard drops the recording.
func (x *Recording) Discard() { x.set(nil, false) }

func (x *Recording) set(recorder *record.Recorder, stopped bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.recorder, x.stopped = recorder, stopped
}
