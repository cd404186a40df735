package transport

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
)

// looks is how often the keepalive looks within its interval. A peer that is
// silent at all but one of them is asked: after three quarters of the interval at
// the earliest, and the whole of it at the latest.
const looks = 4

// watch is what the keepalive has seen when it last looked.
type watch struct {
	arrivals uint64    // bytes that had come
	quiet    int       // looks in a row that have seen no more of them
	asked    time.Time // when a PING was sent because of that; zero: it was not
	batch    uint64    // the batch that was being written, 0: none
	since    time.Time // when it was seen first
}

// helloMissing gives a link up on which the peer has not greeted. Only the
// acceptor gives a code: it owes the dialer nothing.
func (s *Session) helloMissing() {
	select {
	case <-s.greeted:
		return
	default:
	}
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

// patience is how long the peer may take to answer.
func (s *Session) patience() time.Duration { return min(s.cfg.KeepaliveTimeout, s.keepalive()) }

// startKeepalive watches over a link from now on, in place of the time limit for
// the peer's HELLO or for the resumption.
func (s *Session) startKeepalive(a *attachment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || s.at != a || s.detached {
		return
	}
	s.stopTimer()
	w := &watch{arrivals: s.arrivals.Load()}
	s.timer = time.AfterFunc(s.keepalive()/looks, func() { s.keepAlive(a, w) })
}

// keepAlive looks whether the peer is alive: that something comes from it, and
// that no write is stuck for too long. One timer does it, so that the way of a
// message costs a counter and no clock.
func (s *Session) keepAlive(a *attachment, w *watch) {
	now := time.Now()
	s.lookAtReads(w)
	s.lookAtWrites(w, now)
	next := s.keepalive() / looks
	switch {
	case w.batch != 0 && now.Sub(w.since) >= s.cfg.WriteTimeout:
		s.linkFailed(a, &CloseError{Code: CloseAbnormal, Reason: fmt.Sprintf("peer does not read: a write is stuck for %v", now.Sub(w.since))})
	case w.quiet < looks-1:
	case w.asked.IsZero():
		w.asked = now
		next = min(next, s.patience())
		s.ask()
	case now.Sub(w.asked) >= s.patience():
		s.linkFailed(a, &CloseError{Code: CloseAbnormal, Reason: fmt.Sprintf("peer is silent: no answer to PING within %v", s.patience())})
	default:
		next = min(next, s.patience()-now.Sub(w.asked))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && s.at == a && !s.detached {
		s.timer.Reset(next)
	}
}

// lookAtReads looks whether something has come. Where it is quiet the session gives
// back memory that it only keeps in case of need.
func (s *Session) lookAtReads(w *watch) {
	w.quiet++
	if n := s.arrivals.Load(); n != w.arrivals {
		w.arrivals, w.quiet, w.asked = n, 0, time.Time{}
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spares = spares{}
}

func (s *Session) lookAtWrites(w *watch, now time.Time) {
	batch, writing := s.out.progress()
	if !writing {
		batch = 0
	}
	if batch != w.batch {
		w.batch, w.since = batch, now
	}
}

// ask sends a PING that nobody waits for.
func (s *Session) ask() {
	s.mu.Lock()
	_, err := s.putPing()
	s.mu.Unlock()
	s.queued(err)
}

// askAgain sends another PING if a Ping waits: its own may have been lost with the last
// link. One answer ends them all.
func (s *Session) askAgain() {
	s.mu.Lock()
	waiting := len(s.pings) > 0
	s.mu.Unlock()
	if waiting {
		s.ask()
	}
}

// putPing queues a PING; mu is held, so that they go out in the order of their
// numbers.
func (s *Session) putPing() (opaque [frame.PingLen]byte, err error) {
	s.pingSeq++
	binary.BigEndian.PutUint64(opaque[:], s.pingSeq)
	return opaque, s.out.putPassing(frame.Append(nil, frame.Header{Type: frame.TypePing}, opaque[:]))
}

// Ping asks the peer for a sign of life and returns how long it took.
func (s *Session) Ping(ctx context.Context) (time.Duration, error) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return 0, s.err
	}
	start := time.Now()
	opaque, err := s.putPing()
	if err != nil {
		s.mu.Unlock()
		return 0, s.failure(err)
	}
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
	switch {
	case err != nil:
		return err
	case !s.pinged.allow(time.Now(), s.cfg.MaxPings):
		return tooMany("PINGs are sent", s.cfg.MaxPings)
	}
	s.out.putPong(opaque)
	return nil
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
