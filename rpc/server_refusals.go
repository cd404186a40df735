package rpc

import (
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// refusals counts the refused handshakes.
type refusals struct {
	mu         sync.Mutex
	all        uint64
	suppressed int       // since the last logged one
	quiet      time.Time // none is logged before
}

// add counts a refusal. It reports whether to log it, and how many were not
// logged since the last logged one.
func (r *refusals) add(now time.Time) (suppressed int, loud bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all++
	if now.Before(r.quiet) {
		r.suppressed++
		return 0, false
	}
	suppressed, r.suppressed, r.quiet = r.suppressed, 0, now.Add(time.Second)
	return suppressed, true
}

func (r *refusals) count() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all
}

// logRefusal logs a refused handshake: one per second at level Info, with the
// number of those not logged before it, and the others at level Debug, so that
// no client fills the log. Server.Stats has the total.
func (s *Server) logRefusal(r *http.Request, reason error) {
	level, more := slog.LevelDebug, []any{"peer", r.RemoteAddr, "reason", reason}
	if suppressed, loud := s.refusals.add(time.Now()); loud {
		level = slog.LevelInfo
		if suppressed > 0 {
			more = append(more, "suppressed", suppressed)
		}
	}
	s.log.Log(r.Context(), level, "parley: connection refused", more...)
}
