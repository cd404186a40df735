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

// Notice reports whether g is only a notice: streams go on being served for now,
// and a final GOAWAY follows.
func (g *GoAway) Notice() bool { return (*frame.GoAway)(g).Notice() }

// Wait returns Delay as a time.Duration; one that is longer becomes the longest.
func (g *GoAway) Wait() time.Duration { return (*frame.GoAway)(g).Wait() }

// maxGoAways is how many GOAWAYs the peer may send in a session.
const maxGoAways = 100

// leaving is what both ends of a session have said about its end. The session's mu
// guards it.
type leaving struct {
	peer      *GoAway       // what the peer has announced last
	count     int           // how often it has
	announced bool          // this end has sent a notice
	final     bool          // this end has sent the GOAWAY after which it serves no new streams
	over      bool          // and one with a status: the session ends
	last      uint64        // what that said: the highest id of the peer's streams that is served
	drained   bool          // Session.drained is closed
	moved     chan struct{} // closed when the dialer opens no more; nil while nothing waits for that
	lastWord  chan struct{} // closed when the peer has said its last word; as moved
}

// Announce tells the peer that this end goes away soon: a notice, as GOAWAY has
// it. Nothing ends by it. An acceptor goes on to serve new streams until GoAway;
// a dialer that gets the notice is to move to another session within info.Delay.
// From a dialer it says that it has moved: it opens no more streams, see
// StopOpening.
// LastStream and Status are filled in.
func (s *Session) Announce(info GoAway) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return s.err
	case s.leaving.announced || s.leaving.final:
		return ErrDraining
	}
	s.leaving.announced = true
	if s.side == Dialer {
		s.shutOpening()
	}
	info.LastStream, info.Status = frame.MaxVarint, 0
	return s.sayGoAway(info)
}

// GoAway announces that this end serves no streams beyond those that it has, and
// refuses later ones. Streams under way go on, and this end may still open some.
// It may follow Announce. With info.Status it says that the session ends now, for
// that cause: this end opens no more streams, and Close is to follow. That may
// follow a GoAway without. LastStream is filled in.
func (s *Session) GoAway(info GoAway) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return s.err
	case s.leaving.over || s.leaving.final && info.Status == 0:
		return ErrDraining
	}
	return s.sayFinal(info)
}

// sayFinal sends a final GOAWAY; mu is held.
func (s *Session) sayFinal(info GoAway) error {
	if !s.leaving.final {
		s.leaving.final, s.leaving.last = true, s.lastPeer
	}
	info.LastStream = s.leaving.last
	info.Status = min(info.Status, frame.MaxVarint)
	if info.Status != 0 {
		s.leaving.over = true
		s.shutOpening()
	}
	return s.sayGoAway(info)
}

// sayGoAway sends a GOAWAY; mu is held.
func (s *Session) sayGoAway(info GoAway) error {
	info.Delay = min(info.Delay, frame.MaxVarint)
	s.noteDraining()
	return s.out.putPriority((*frame.GoAway)(&info).Append(nil))
}

// StopOpening says that this end of a dialer's session opens no more streams, because
// another session has taken its place or none is wanted: Open returns ErrDraining
// from now on, and the peer is told by a notice. Streams under way go on, and the
// peer may still open some.
func (s *Session) StopOpening() error {
	if s.side != Dialer {
		return errors.New("transport: StopOpening: the session is not the dialer's")
	}
	err := s.Announce(GoAway{})
	if errors.Is(err, ErrDraining) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.shutOpening()
		return nil
	}
	return err
}

// CanOpen reports whether Open can work now: the session has not ended, this end
// has not stopped opening, and the peer has not refused further streams by a GOAWAY that is
// more than a notice.
func (s *Session) CanOpen() bool { return !s.shut.Load() }

// PeerStoppedOpening returns, at an acceptor, a channel that is closed when the dialer has said by
// a GOAWAY that it opens no more streams. At a dialer it is never closed.
func (s *Session) PeerStoppedOpening() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving.moved == nil {
		s.leaving.moved = make(chan struct{})
		if s.leaving.peer != nil {
			s.noteMoved()
		}
	}
	return s.leaving.moved
}

// noteMoved closes what PeerStoppedOpening has returned; mu is held. It is called once.
func (s *Session) noteMoved() {
	if s.side == Acceptor && s.leaving.moved != nil {
		close(s.leaving.moved)
	}
}

// Draining returns a channel that is closed when either end has announced that it
// goes away.
func (s *Session) Draining() <-chan struct{} { return s.drained }

// noteDraining closes what Draining returns; mu is held.
func (s *Session) noteDraining() {
	if !s.leaving.drained {
		s.leaving.drained = true
		close(s.drained)
	}
}

// PeerGoAway returns what the peer has announced last, if it goes away.
func (s *Session) PeerGoAway() (info GoAway, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving.peer == nil {
		return GoAway{}, false
	}
	return *s.leaving.peer, true
}

// departed reports whether the peer serves no further streams: its last GOAWAY is more
// than a notice. mu is held.
func (s *Session) departed() bool { return s.leaving.peer != nil && !s.leaving.peer.Notice() }

// ended reports whether the peer has said that the session ends now; mu is held.
func (s *Session) ended() bool { return s.leaving.peer != nil && s.leaving.peer.Status != 0 }

// whenDeparted returns what is closed when the peer has said its last word, or at once
// if it has not announced one.
func (s *Session) whenDeparted() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving.peer == nil || s.departed() {
		ready := make(chan struct{})
		close(ready)
		return ready
	}
	if s.leaving.lastWord == nil {
		s.leaving.lastWord = make(chan struct{})
	}
	return s.leaving.lastWord
}

// shutOpening has this end open no more streams; mu is held.
func (s *Session) shutOpening() {
	s.shut.Store(true)
	s.opening.dismiss()
}

func (s *Session) takeGoAway(p []byte) error {
	info, err := frame.ParseGoAway(p)
	if err != nil {
		return err
	}
	s.mu.Lock()
	unserved, err := s.noteGoAway((*GoAway)(&info))
	s.mu.Unlock()
	if err != nil {
		return err
	}
	for _, st := range unserved {
		st.abort(&ResetError{Code: ResetRefused, Reason: info.Reason, Remote: true}, peerKnows)
	}
	if s.cfg.OnGoAway != nil {
		s.cfg.OnGoAway(s)
	}
	return nil
}

// noteGoAway books what the peer announces, and returns the streams that it will not
// serve; mu is held.
func (s *Session) noteGoAway(info *GoAway) (unserved []*Stream, err error) {
	l := &s.leaving
	l.count++
	switch {
	case l.peer != nil && info.LastStream > l.peer.LastStream:
		return nil, errors.New("raises the last stream")
	case l.count > maxGoAways:
		return nil, &CloseError{Code: CloseRefusal + refusalExhausted, Reason: "too many GOAWAYs"}
	}
	if l.peer == nil {
		s.noteMoved()
	}
	l.peer = info
	s.noteDraining()
	if info.Notice() {
		return nil, nil
	}
	s.shutOpening()
	if l.lastWord != nil {
		close(l.lastWord)
		l.lastWord = nil
	}
	for id, st := range s.streams {
		if st.opener && id > info.LastStream {
			unserved = append(unserved, st)
		}
	}
	return unserved, nil
}
