package transport

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/parley-rpc/parley/transport/frame"
)

// watch is what the keepalive has seen when it last looked.
type watch struct {
	arrivals uint64 // reads that had brought something
	batch    uint64 // the batch that was being written
	writing  bool
	asked    bool // a PING was sent because nothing had come
}

// helloMissing gives a link up on which the peer has not greeted. Only the
// acceptor gives a code: it owes the dialer nothing.
func (s *Session) helloMissing() {
	code := CloseProtocolError
	if s.side == Dialer {
		code = CloseAbnormal
	}
	s.fail(protocolError(code, "no HELLO within %v", s.cfg.HelloTimeout))
}

// keepalive returns the shorter of both ends' intervals.
func (s *Session) keepalive() time.Duration {
	return min(s.cfg.Keepalive, time.Duration(s.settings().Keepalive)*time.Millisecond)
}

// patience is how long the peer may take to answer, or a write to end.
func (s *Session) patience() time.Duration { return min(s.cfg.KeepaliveTimeout, s.keepalive()) }

// startKeepalive replaces the time limit for the peer's HELLO.
func (s *Session) startKeepalive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer.Stop() && s.err == nil {
		s.timer = time.AfterFunc(s.keepalive(), s.keepAlive)
	}
}

// keepAlive looks whether the peer is alive: that something has come since it
// last looked, and that no write has been stuck all the while. One timer does
// it, so that the way of a message costs a counter and no clock.
func (s *Session) keepAlive() {
	batch, writing := s.out.progress()
	now := watch{arrivals: s.arrivals.Load(), batch: batch, writing: writing}
	last := s.lastWatch
	silent := now.arrivals == last.arrivals
	next := s.keepalive()
	switch {
	case writing && last.writing && batch == last.batch:
		s.fail(&CloseError{Code: CloseAbnormal, Reason: "peer does not read: a write is stuck"})
		return
	case silent && last.asked:
		s.fail(&CloseError{Code: CloseAbnormal, Reason: fmt.Sprintf("peer is silent: no answer to PING within %v", s.patience())})
		return
	case silent:
		now.asked = true
		s.queued(s.out.putUrgent(frame.Append(nil, frame.Header{Type: frame.TypePing}, make([]byte, frame.PingLen))))
	}
	if now.asked || writing {
		next = s.patience()
	}
	s.lastWatch = now
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.timer.Reset(next)
	}
}

// Ping asks the peer for a sign of life and returns how long it took.
func (s *Session) Ping(ctx context.Context) (time.Duration, error) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return 0, s.err
	}
	s.pingSeq++
	var opaque [frame.PingLen]byte
	binary.BigEndian.PutUint64(opaque[:], s.pingSeq)
	answer := make(chan struct{})
	if s.pings == nil {
		s.pings = make(map[[frame.PingLen]byte]chan struct{})
	}
	s.pings[opaque] = answer
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.pings, opaque)
	}()

	start := time.Now()
	if err := s.out.putUrgent(frame.Append(nil, frame.Header{Type: frame.TypePing}, opaque[:])); err != nil {
		return 0, s.failure(err)
	}
	select {
	case <-answer:
		return time.Since(start), nil
	case <-s.done:
		return 0, s.Err()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (s *Session) takePing(p []byte) error {
	opaque, err := frame.ParsePing(p)
	if err == nil {
		s.out.putPong(opaque)
	}
	return err
}

// takePong ends a Ping, and those before it: of several that wait, the peer need
// answer only the newest.
func (s *Session) takePong(p []byte) error {
	opaque, err := frame.ParsePing(p)
	if err != nil {
		return err
	}
	seq := binary.BigEndian.Uint64(opaque[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	for asked, answer := range s.pings {
		if binary.BigEndian.Uint64(asked[:]) <= seq {
			close(answer)
			delete(s.pings, asked)
		}
	}
	return nil
}
