package transport

import (
	"fmt"
	"time"
)

// checksPerInterval is how often the keepalive checks a link in each interval.
// If all checks but one saw no traffic, it sends a PING: after three quarters
// of the interval at the earliest, after all of it at the latest.
const checksPerInterval = 4

// liveness is what the keepalive knows about one link. Its owner calls check
// with counters, so that a message costs a counter and no clock.
type liveness struct {
	interval     time.Duration // silence after which the peer is asked for a sign of life
	pongTimeout  time.Duration // how long the answer may take
	writeTimeout time.Duration // how long one write may take

	received     uint64    // bytes, at the last check
	quiet        int       // checks in a row that saw no new bytes
	pinged       time.Time // when a PING was sent because of that; zero: it was not
	batch        uint64    // the batch that was being written at the last check; 0: none
	writingSince time.Time // when a check first saw that batch
}

// checkResult is what a check of a link has found.
type checkResult struct {
	next  time.Duration // when to check again
	quiet bool          // nothing has arrived since the last check
	ping  bool          // send a PING
	lost  *CloseError   // non-nil: the link is lost
}

// check compares the counters with those of the last check. received counts the
// bytes that have arrived, and batch numbers the write in progress, 0 if there
// is none.
func (l *liveness) check(now time.Time, received, batch uint64) checkResult {
	l.quiet++
	if received != l.received {
		l.received, l.quiet, l.pinged = received, 0, time.Time{}
	}
	if batch != l.batch {
		l.batch, l.writingSince = batch, now
	}
	result := checkResult{next: l.interval / checksPerInterval, quiet: l.quiet > 0}
	switch writing := now.Sub(l.writingSince); {
	case l.batch != 0 && writing >= l.writeTimeout:
		result.lost = &CloseError{Code: CloseAbnormal, Reason: fmt.Sprintf("the peer does not read: a write is not done after %v", writing)}
	case l.quiet < checksPerInterval-1:
	case l.pinged.IsZero():
		l.pinged = now
		result.ping = true
		result.next = min(result.next, l.pongTimeout)
	case now.Sub(l.pinged) >= l.pongTimeout:
		result.lost = &CloseError{Code: CloseAbnormal, Reason: fmt.Sprintf("no PONG within %v", l.pongTimeout)}
	default:
		result.next = min(result.next, l.pongTimeout-now.Sub(l.pinged))
	}
	return result
}

// helloTimeout ends the session if the peer has sent no HELLO. Only the
// acceptor closes the link with a code that blames the peer.
func (s *Session) helloTimeout() {
	if s.peer.hasArrived() {
		return
	}
	code := CloseProtocolError
	if s.side == Dialer {
		code = CloseAbnormal
	}
	s.fail(protocolError(code, "no HELLO within %v", s.cfg.HelloTimeout))
}

// startKeepalive checks a link from now on. The session's timer has no other
// use while there is a link and the peer has sent HELLO.
func (s *Session) startKeepalive(a *attachment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || s.link != a || s.detached.Load() {
		return
	}
	s.stopTimer()
	interval := min(s.cfg.Keepalive, time.Duration(s.settings().Keepalive)*time.Millisecond)
	m := &linkMonitor{s: s, a: a, liveness: liveness{
		interval:     interval,
		pongTimeout:  min(s.cfg.KeepaliveTimeout, interval),
		writeTimeout: s.cfg.WriteTimeout,
		received:     s.bytesReceived.Load(),
	}}
	s.timer = time.AfterFunc(interval/checksPerInterval, m.run)
}

// linkMonitor checks one link of a session whenever the session's timer fires.
type linkMonitor struct {
	s        *Session
	a        *attachment
	liveness liveness
}

// run checks that bytes arrive from the peer, and that no write takes too long.
func (m *linkMonitor) run() {
	s := m.s
	result := m.liveness.check(time.Now(), s.bytesReceived.Load(), s.out.writingBatch())
	if result.quiet {
		s.releaseStreamPool()
	}
	if result.lost != nil {
		s.linkFailed(m.a, result.lost)
		return
	}
	if result.ping {
		s.sendPing()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && s.link == m.a && !s.detached.Load() {
		s.timer.Reset(result.next)
	}
}
