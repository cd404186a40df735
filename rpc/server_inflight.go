package rpc

import (
	"sync/atomic"

	"github.com/parley-rpc/parley/transport"
)

// inflightCalls counts the calls that an endpoint serves on all connections.
type inflightCalls struct {
	limit int64 // 0: none
	all   atomic.Int64
}

// acquire counts a call, unless it exceeds the limit. own counts the calls of
// its connection, which may not have more than are left for others. So a part
// of the limit is free for a new connection, however many connections have
// taken all they can.
func (s *inflightCalls) acquire(own *atomic.Int64) *transport.ResetError {
	if s.limit == 0 {
		return nil
	}
	if all, mine := s.all.Add(1), own.Add(1); mine-1 <= s.limit-all {
		return nil
	}
	s.release(own)
	return &transport.ResetError{Code: transport.ResetRefused, Reason: "the server has reached its limit of concurrent calls"}
}

// release ends the counting of a call.
func (s *inflightCalls) release(own *atomic.Int64) {
	if s.limit == 0 {
		return
	}
	s.all.Add(-1)
	own.Add(-1)
}
