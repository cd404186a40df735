package transport

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
)

// Session is what streams live on: one end of a parley connection. Both ends
// open and accept. All methods may be called from any goroutine.
type Session struct {
	side   Side
	cfg    Config
	out    *outbox
	budget budget

	assembly assembly

	peer          peerSettings
	acks          acks
	limits        peerLimits
	bytesReceived atomic.Uint64 // from all links
	done          chan struct{} // closed when the session has ended
	drained       chan struct{} // closed when either end has announced that it goes away

	adrift   atomic.Bool  // as away
	shut     atomic.Bool  // this end opens no more streams; set with mu held
	live     atomic.Int32 // streams in the table
	turn     atomic.Bool  // a message has come since this end last wrote one of its own
	resuming sync.Mutex   // the turn of a link to take the session over; see the package documentation

	closing sync.WaitGroup // of links that are given up

	mu        sync.Mutex
	at        *attachment        // to the link in use, or the last one
	detached  bool               // the link is lost
	timer     *time.Timer        // before the peer's HELLO its time limit, then keepalive, or while away the time to resume
	id        []byte             // of a session that can be resumed
	token     []byte             // for the next resumption
	spare     []byte             // at an acceptor: the token before, until the dialer is known to have the next
	attempts  uint64             // of the dialer to resume
	streams   map[uint64]*Stream // nil if there are none, maybe
	spares    spares
	nextID    uint64        // of the next stream that this end opens
	lastPeer  uint64        // the highest id that the peer has opened
	opened    int           // streams that this end has opened and that go on, or may open
	accepted  int           // streams in the table that the peer opened
	inUse     int           // streams that the peer opened and that are not closed at this end
	opening   waitlist      // for a stream that this end may open
	arrived   []*Stream     // streams that wait for Accept
	accept    chan struct{} // wakes an Accept; nil with OnStream
	pings     pings
	idle      chan struct{} // closed when no stream is open or in use; nil while nobody waits for that
	resumeFor time.Duration // how long the session is kept without a link; 0: not. Set by the peer's HELLO

	leaving leaving
	err     error // why the session has ended
}

// NewSession starts a session on a link: it greets the peer and goes on without
// waiting for its answer. The session owns the link from here on.
func NewSession(link Link, side Side, cfg Config) (*Session, error) {
	var err error
	cfg.Parameters, err = cfg.Parameters.withDefaults()
	if err != nil {
		return nil, err
	}
	a := &attachment{link: link}
	s := newSession(cfg, side, a)
	a.s = s
	s.mu.Lock() // the timer may be early
	s.timer = time.AfterFunc(cfg.HelloTimeout, s.helloTimeout)
	s.mu.Unlock()
	if side == Dialer {
		a.beginWriting(s, s.hello(frame.NoAnswer))
	}
	a.loops.Go(a.read)
	return s, nil
}

// newSession makes a session that has not begun.
func newSession(cfg Config, side Side, a *attachment) *Session {
	s := &Session{
		side: side, cfg: cfg, at: a,
		out:     newOutbox(&cfg, side),
		done:    make(chan struct{}),
		drained: make(chan struct{}),
		nextID:  firstID(side),
	}
	if cfg.OnStream == nil {
		s.accept = make(chan struct{}, 1)
	}
	s.budget.shared = cfg.WindowBudget
	s.budget.left.Store(int64(cfg.MaxBuffered - cfg.MaxStreams*cfg.InitialWindow))
	s.assembly.limit, s.assembly.own = uint64(cfg.MaxReassembly), uint64(min(cfg.MaxMessage, ownUnfinished))
	s.assembly.shared = cfg.ReassemblyBudget
	s.peer.init()
	return s
}

func firstID(side Side) uint64 {
	if side == Dialer {
		return 1
	}
	return 2
}

// enter makes st the stream of an id and enters it into the table; mu is held.
func (s *Session) enter(st *Stream, id uint64) *Stream {
	st.s, st.id = s, id
	st.send.window.limit = s.settings().InitialWindow
	st.recv.window = newRecvWindow(uint64(s.cfg.InitialWindow))
	st.open.Store(2)
	if s.streams == nil {
		s.streams = make(map[uint64]*Stream)
	}
	s.streams[id] = st
	s.live.Add(1)
	return st
}

// author tells who writes a message that is about to be queued. It is the caller on the only
// stream, where the peer's turn and this end's alternate: nobody else has anything to add to
// the batch then, and the caller's next message waits for an answer.
func (s *Session) author() author {
	if s.live.Load() <= 1 && s.turn.Swap(false) {
		return byCaller
	}
	return byWriter
}

// Accept waits for the next stream that the peer opens. It returns the session's
// error when the session has ended.
func (s *Session) Accept(ctx context.Context) (*Stream, error) {
	for {
		s.mu.Lock()
		if len(s.arrived) > 0 {
			st := s.arrived[0]
			s.arrived[0] = nil
			s.arrived = s.arrived[1:]
			if len(s.arrived) > 0 {
				s.wakeAccept()
			}
			s.mu.Unlock()
			return st, nil
		}
		s.mu.Unlock()
		select {
		case <-s.accept:
		case <-s.done:
			return nil, s.Err()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *Session) wakeAccept() {
	select {
	case s.accept <- struct{}{}:
	default:
	}
}

// Done is closed when the session has ended.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err returns why the session has ended, nil while it has not: a *CloseError.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// failure returns why the session has ended, or err if it has not.
func (s *Session) failure(err error) error {
	if ended := s.Err(); ended != nil {
		return ended
	}
	return err
}

// Close ends the session: what is queued is still written, for a second at the
// most, then the link is closed with code and reason. Streams that have not
// ended fail at both ends. It returns when the session's goroutines have ended.
//
// With CloseGoingAway and CloseServiceRestart it first says by GOAWAY that the session
// ends, with the status UNAVAILABLE, unless that was said: without it the peer has to
// think that a proxy between has closed the link.
func (s *Session) Close(code CloseCode, reason string) error {
	if code == CloseGoingAway || code == CloseServiceRestart {
		_ = s.GoAway(GoAway{Status: refusalUnavailable, Reason: reason}) // else that was said, or the session has ended
	}
	first := s.end(&CloseError{Code: code, Reason: reason})
	s.mu.Lock()
	a := s.at
	if first {
		s.timer = time.AfterFunc(closeFlush, func() { s.closeEnded(a) })
	}
	s.mu.Unlock()
	if first && !s.out.writes(a) {
		s.closeEnded(a) // nobody else does
	}
	a.loops.Wait()
	s.closing.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopTimer()
	return nil
}

// stopTimer stops the timer, which a session has as soon as it has begun; mu is held.
func (s *Session) stopTimer() {
	if s.timer != nil {
		s.timer.Stop()
	}
}

// closeFlush is how long Close waits for the peer to take what is queued.
const closeFlush = time.Second

// Link returns the link that the session is on, or the last one.
func (s *Session) Link() Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at.link
}

// fail ends the session at once: what is queued is dropped.
func (s *Session) fail(err *CloseError) { s.failIf(err, always) }

// failIf is fail if the condition holds, as for endIf. It reports whether it has ended
// the session.
func (s *Session) failIf(err *CloseError, holds func() bool) bool {
	if !s.endIf(err, holds) {
		return false
	}
	s.out.discard()
	s.mu.Lock()
	a := s.at
	s.mu.Unlock()
	s.closeEnded(a)
	return true
}

// end ends the session with err, and tells whether it is the first to do so. The
// writer goes on until the queue is empty.
func (s *Session) end(err *CloseError) bool { return s.endIf(err, always) }

func always() bool { return true }

// endIf is end if the condition holds, which is asked with mu held: nothing comes
// between the two.
func (s *Session) endIf(err *CloseError, holds func() bool) bool {
	s.mu.Lock()
	if s.err != nil || !holds() {
		s.mu.Unlock()
		return false
	}
	s.err = err
	s.stopTimer()
	s.shutOpening()
	streams := slices.Collect(maps.Values(s.streams))
	s.mu.Unlock()

	s.acks.stop()
	s.out.close(err)
	close(s.done)
	for _, st := range streams {
		st.abort(err, peerKnows)
	}
	if s.cfg.Sessions != nil {
		s.cfg.Sessions.remove(s)
	}
	if s.cfg.OnEnd != nil {
		s.cfg.OnEnd(err)
	}
	return true
}

// queued ends the session if an urgent frame could not be queued.
func (s *Session) queued(err error) {
	s.kept()
	if errors.Is(err, errFlood) || errors.Is(err, errUnacknowledged) {
		s.fail(linkError(err))
	}
}

// closeEnded tells the peer why the session has ended, if it has, and ends the link.
func (s *Session) closeEnded(a *attachment) {
	var why *CloseError
	if errors.As(s.Err(), &why) {
		s.out.discard()
		_ = a.link.Close(why.onWire()) // the session has ended whatever comes of it
	}
}

// forget takes a stream out of the table that has ended in both directions.
func (s *Session) forget(st *Stream, byPeer bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, st.id)
	s.live.Add(-1)
	s.noteIdle()
	if st.opener {
		s.opened--
		s.grantSlots()
	} else {
		s.accepted--
	}
	st.forgotten, st.endedByPeer = true, byPeer
	s.recycle(st)
}

// leftInbound books that a stream of the peer is not used here any more; mu is held.
func (s *Session) leftInbound(st *Stream) {
	if !st.opener {
		s.inUse--
		s.noteIdle()
	}
}
