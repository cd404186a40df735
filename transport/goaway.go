package transport

import (
	"errors"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
)

// GoAway announces that the sender will serve no further streams of the peer.
type GoAway struct {
	LastStream uint64 // the highest id of the peer's streams that is served
	Status     uint64 // a status number of the application; 0: none
	Delay      uint64 // milliseconds to wait before reconnecting, see Wait
	Reason     string // for people, at most MaxReason bytes
	Address    string // where to reconnect to; empty: the same place
}

// Notice reports whether g is only a notice: the sender still serves streams,
// and a final GOAWAY follows.
func (g *GoAway) Notice() bool { return (*frame.GoAway)(g).Notice() }

// Wait returns Delay as a time.Duration. A longer delay becomes the longest
// one.
func (g *GoAway) Wait() time.Duration { return (*frame.GoAway)(g).Wait() }

// Announce sends a notice: this end goes away soon. No stream ends by it. An
// acceptor still serves new streams until GoAway, and a dialer that receives
// the notice moves to another session within info.Delay. From a dialer it says
// that the dialer has moved: it opens no more streams, see StopOpening.
// Announce sets LastStream and Status.
func (s *Session) Announce(info GoAway) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	info, err := s.goAway.notice(info)
	if err != nil {
		return err
	}
	if s.side == Dialer {
		s.streams.stopOpening()
	}
	return s.putGoAway(info)
}

// GoAway announces that this end serves the streams that it has, and refuses
// later ones. Streams in progress continue, and this end may still open some.
// It may follow Announce.
//
// With info.Status it says that the session ends now, for that reason: this end
// opens no more streams, and Close must follow. Such a GoAway may follow one
// without a status. GoAway sets LastStream.
func (s *Session) GoAway(info GoAway) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	return s.putFinalGoAway(info)
}

// putFinalGoAway queues a final GOAWAY; mu is held.
func (s *Session) putFinalGoAway(info GoAway) error {
	info, err := s.goAway.final(info, s.streams.lastRemote)
	if err != nil {
		return err
	}
	if info.Status != 0 {
		s.streams.stopOpening()
	}
	return s.putGoAway(info)
}

// putGoAway queues a GOAWAY; mu is held.
func (s *Session) putGoAway(info GoAway) error {
	info.Delay = min(info.Delay, frame.MaxVarint)
	return s.out.putPriority((*frame.GoAway)(&info).Append(nil))
}

// StopOpening says that a dialer's session opens no more streams, because
// another session has taken its place or none is wanted. From now on Open
// returns ErrDraining. A notice tells the peer. Streams in progress continue,
// and the peer may still open some.
func (s *Session) StopOpening() error {
	if s.side != Dialer {
		return errors.New("transport: StopOpening: the session is not the dialer's")
	}
	err := s.Announce(GoAway{})
	if errors.Is(err, ErrDraining) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.streams.stopOpening()
		return nil
	}
	return err
}

// CanOpen reports whether Open can work now: the session has not ended, this
// end has not stopped opening streams, and the peer has not refused further
// ones by a final GOAWAY.
func (s *Session) CanOpen() bool { return !s.streams.stopped.Load() }

// PeerStoppedOpening returns, at an acceptor, a channel that is closed when the
// dialer has said by a GOAWAY that it opens no more streams. At a dialer it is
// never closed.
func (s *Session) PeerStoppedOpening() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.goAway.peerStopped.done()
}

// Draining returns a channel that is closed when either end has announced that
// it goes away.
func (s *Session) Draining() <-chan struct{} { return s.goAway.draining.done() }

// PeerGoAway returns the peer's last GOAWAY, if there was one.
func (s *Session) PeerGoAway() (info GoAway, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.goAway.peer == nil {
		return GoAway{}, false
	}
	return *s.goAway.peer, true
}

func (d dispatcher) handleGoAway(p []byte) error {
	info, err := frame.ParseGoAway(p)
	if err != nil {
		return err
	}
	unserved, err := d.receiveGoAway((*GoAway)(&info))
	if err != nil {
		return err
	}
	for _, st := range unserved {
		st.abort(&ResetError{Code: ResetRefused, Reason: info.Reason, Remote: true}, peerKnows)
	}
	if d.s.cfg.OnGoAway != nil {
		d.s.cfg.OnGoAway(d.s)
	}
	return nil
}

// receiveGoAway records a GOAWAY of the peer, and returns the streams that the
// peer does not serve.
func (d dispatcher) receiveGoAway(info *GoAway) (unserved []*Stream, err error) {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	if err := d.s.goAway.receive(info); err != nil || info.Notice() {
		return nil, err
	}
	d.s.streams.stopOpening()
	for _, x := range d.s.streams.exchanges.above(info.LastStream) {
		d.s.makeStream(x)
	}
	return d.s.streams.localAbove(info.LastStream), nil
}
