package rpc

import (
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// refusals counts the handshakes that were refused.
type refusals struct {
	mu       sync.Mutex
	all      uint64
	unlogged int       // since the last that was logged
	quiet    time.Time // until when none is logged
}

// note counts a refusal. It reports whether that is to be logged, and how many were not
// since the last one that was.
func (r *refusals) add(now time.Time) (unlogged int, loud bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all++
	if now.Before(r.quiet) {
		r.unlogged++
		return 0, false
	}
	unlogged, r.unlogged, r.quiet = r.unlogged, 0, now.Add(time.Second)
	return unlogged, true
}

func (r *refusals) count() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all
}

// logRefusal logs that a handshake was refused: one of a second at level Info, with how
// many were not logged before it, and the others at level Debug, so that no client fills
// the log. Server.Stats has the number of all.
func (s *Server) logRefusal(r *http.Request, reason error) {
	level, more := slog.LevelDebug, []any{"peer", r.RemoteAddr, "reason", reason}
	if unlogged, loud := s.refusals.add(time.Now()); loud {
		level = slog.LevelInfo
		if unlogged > 0 {
			more = append(more, "unlogged", unlogged)
		}
	}
	s.log.Log(r.Context(), level, "parley: connection refused", more...)
}
