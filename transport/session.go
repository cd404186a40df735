package transport

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
)

// Session is one end of a parley connection, on which both ends open and accept
// streams. Any goroutine may call its methods.
type Session struct {
	side Side
	cfg  Config

	out       *outbox
	windows   windowBudget
	assembly  assembly
	peer      peerSettings
	acks      acks
	roundTrip roundTrip
	limits    peerLimits
	accepting acceptQueue // guarded by mu

	bytesReceived atomic.Uint64 // from all links
	detached      atomic.Bool   // the link is lost, and the session waits for another; set with mu held
	replyDue      atomic.Bool   // a message has arrived since this end last wrote one inline

	unwanted bool // began in place of one that could not be resumed, and the dialer has sent nothing on it; of the goroutine that reads

	lease        atomic.Pointer[readLease] // by which reading is lent; nil: it is not
	alternations int                       // of the goroutine that reads: messages in a row to each of which this end has replied

	done         chan struct{}  // closed when the session has ended
	resuming     sync.Mutex     // the turn of a link to take the session over; see the package documentation
	closingLinks sync.WaitGroup // lost links that are being closed
	exchangePool sync.Pool      // of *Exchange; a channel of one belongs to the session's testing/synctest bubble

	mu         sync.Mutex
	link       *attachment // in use, or the last one
	timer      *time.Timer // until the peer's HELLO its time limit, then keepalive or, while detached, the time to resume
	streams    streamTable
	pings      pings
	resumption resumption
	goAway     goAwayState
	err        error // why the session has ended
}

// NewSession starts a session on a link, which it owns from then on. It sends
// HELLO and does not wait for the peer's answer.
func NewSession(link Link, side Side, cfg Config) (*Session, error) {
	var err error
	cfg.Parameters, err = cfg.Parameters.withDefaults()
	if err != nil {
		return nil, err
	}
	a := &attachment{link: link}
	s := newSession(cfg, side, a)
	a.s = s
	s.roundTrip.begin(time.Now())
	s.mu.Lock() // the timer may fire at once
	s.timer = time.AfterFunc(cfg.HelloTimeout, s.helloTimeout)
	s.mu.Unlock()
	if side == Dialer {
		a.startWriting(s, s.helloFrame(frame.NoAnswer))
	}
	a.loops.Go(a.read)
	return s, nil
}

// newSession makes a session that does not read or write yet.
func newSession(cfg Config, side Side, a *attachment) *Session {
	s := &Session{
		side: side, cfg: cfg, link: a,
		out:     newOutbox(&cfg, side),
		done:    make(chan struct{}),
		streams: newStreamTable(side),
		goAway:  goAwayState{side: side},
	}
	if cfg.OnStream == nil {
		s.accepting.wake = make(chan struct{}, 1)
	}
	s.windows.init(cfg.MaxBuffered-cfg.MaxStreams*cfg.InitialWindow, cfg.WindowBudget)
	s.assembly.limit, s.assembly.private = uint64(cfg.MaxReassembly), uint64(min(cfg.MaxMessage, privateReassembly))
	s.assembly.shared = cfg.ReassemblyBudget
	s.peer.init()
	return s
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

// Link returns the link that the session is on, or the last one.
func (s *Session) Link() Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link.link
}

// await waits for ready, unless the session or ctx ends first.
func (s *Session) await(ctx context.Context, ready <-chan struct{}) error {
	select {
	case <-ready:
		return nil
	case <-s.done:
		return s.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// initStream makes st the stream of an id.
func (s *Session) initStream(st *Stream, id uint64) *Stream {
	st.s, st.id = s, id
	st.send.window.limit = s.settings().InitialWindow
	st.recv.window = newRecvWindow(uint64(s.cfg.InitialWindow))
	st.open.Store(2)
	return st
}

// isLocal reports whether the id is one of the streams that this end opens.
func (s *Session) isLocal(id uint64) bool { return (id%2 == 1) == (s.side == Dialer) }

// findStream returns the stream of an id, or nil if it has ended; mu is held.
func (s *Session) findStream(id uint64) (*Stream, error) {
	if x := s.streams.exchanges.find(id); x != nil {
		return s.makeStream(x), nil
	}
	if sv := s.streams.served.find(id); sv != nil {
		return s.makeServedStream(sv), nil
	}
	return s.streams.find(id)
}

// allStreams returns all streams, and makes those that are not made yet; mu is
// held.
func (s *Session) allStreams() []*Stream {
	for _, x := range s.streams.exchanges.above(0) {
		s.makeStream(x)
	}
	for _, sv := range s.streams.served.above(0) {
		s.makeServedStream(sv)
	}
	return s.streams.all()
}

// removeStream removes a stream from the table that has ended in both
// directions. endedByPeer says that the last frame of the peer has ended it.
func (s *Session) removeStream(st *Stream, endedByPeer bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams.remove(st, endedByPeer, s.settings().MaxStreams)
}

// queued ends the session if an urgent frame could not be queued with err, and
// has Sessions count what was queued.
func (s *Session) queued(err error) {
	s.updateDetached()
	if isOverflow(err) {
		s.fail(linkError(err))
	}
}
