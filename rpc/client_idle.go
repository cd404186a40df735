package rpc

import (
	"sync"
	"time"
)

// idleTicks is how many times within its idle timeout a call is looked at.
const idleTicks = 4

// watchIdle ends the call when no message has moved for d. A message costs an
// addition; only the ticks touch the timer.
func (s *clientStream) watchIdle(d time.Duration) (stop func()) {
	var mu sync.Mutex // the timer may be early
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
			s.finish(Errorf(CodeDeadlineExceeded, "idle: no message has moved for %v", d))
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
	}
}

// move counts a message.
func (s *clientStream) countMessage() {
	if s.cfg.idle > 0 {
		s.progress.Add(1)
	}
}
