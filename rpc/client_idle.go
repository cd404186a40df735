package rpc

import (
	"sync"
	"time"
)

// idleTicks is how many times per idle timeout a call is checked.
const idleTicks = 4

// watchIdle ends the call when no message has moved for d. A message costs one
// atomic addition; only the ticks touch the timer.
func (s *clientStream) watchIdle(d time.Duration) (stop func()) {
	var mu sync.Mutex // the timer may fire before it is assigned
	var timer *time.Timer
	var seen uint64
	quiet, stopped := 0, false
	tick := func() (expired bool) {
		mu.Lock()
		defer mu.Unlock()
		quiet++
		if now := s.progress.Load(); now != seen {
			seen, quiet = now, 0
		}
		if quiet < idleTicks && !stopped {
			timer.Reset(max(1, d/idleTicks))
		}
		return quiet >= idleTicks && !stopped
	}
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(max(1, d/idleTicks), func() {
		if tick() {
			s.finish(Errorf(CodeDeadlineExceeded, "idle: no message for %v", d))
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
	}
}

// countMessage counts a message for the idle timeout.
func (s *clientStream) countMessage() {
	if s.cfg.idle > 0 {
		s.progress.Add(1)
	}
}
