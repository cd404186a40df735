package rpc

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// line is a client's way to one server, or to the first of several that answers.
// It connects when a call needs it, and again by itself when the session was lost.
// No goroutine is its own while it is connected.
type line struct {
	c    *Client
	urls []string // in the order in which they are tried

	shown atomic.Int32         // state, for those without mu
	ready atomic.Pointer[Conn] // conn, likewise

	mu       sync.Mutex
	state    State
	conn     *Conn     // new calls are made on it; nil: none
	attempt  *attempt  // under way, or to be made; nil: none
	failures int       // attempts since a session lasted, and sessions that did not last
	err      error     // why there is no connection; nil: nobody wanted one
	until    time.Time // no attempt before: the server has refused this client
	address  string    // where a server that goes away has said to come back to
}

// attempt is a dial that calls wait for, and the delay before it.
type attempt struct {
	done    chan struct{} // closed when conn and err are set
	delayed bool          // its time has not come; guarded by the line's mu
	conn    *Conn
	err     error
}

// patience is whether a call waits for a connection.
type patience int

const (
	failFast patience = iota
	waitForReady
)

// get returns the connection, and makes it if there is none. A call that fails fast
// fails when the attempt under way does, and at once where the next is delayed.
func (l *line) get(ctx context.Context, p patience) (*Conn, error) {
	if conn := l.ready.Load(); conn != nil && conn.usable() {
		return conn, nil
	}
	for {
		l.mu.Lock()
		conn, a, err := l.look(p)
		l.mu.Unlock()
		if err != nil || conn != nil && conn.usable() {
			return conn, err
		}
		var wait <-chan struct{}
		if conn != nil {
			wait = conn.Done()
		} else {
			wait = a.done
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, l.gaveUp(ctx)
		}
		if a != nil && a.err != nil && (p == failFast || !passes(a.err)) {
			return nil, a.err
		}
	}
}

// look returns what a call has to do with: a connection, which may be about to
// end, or an attempt, which it makes if there is none, or an error. mu is held.
func (l *line) look(p patience) (*Conn, *attempt, error) {
	if l.conn != nil && (l.conn.usable() || l.conn.ending()) {
		return l.conn, nil, nil
	}
	l.drop() // if it has ended this moment
	switch a := l.attempt; {
	case l.state == StateShutdown:
		return nil, nil, errClientClosed
	case a != nil && a.delayed && p == failFast, l.err != nil && time.Now().Before(l.until):
		return nil, nil, l.err
	case a == nil:
		l.begin(0)
	}
	return nil, l.attempt, nil
}

// gaveUp is the status of a call that did not get a connection in time.
func (l *line) gaveUp(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		return transportError(ctx.Err())
	}
	return Errorf(CodeOf(ctx.Err()), "%w, waiting for a connection: %w", ctx.Err(), l.err)
}

// enter changes the state; mu is held.
func (l *line) enter(s State) {
	if l.state == StateShutdown {
		return
	}
	l.state = s
	l.shown.Store(int32(s))
	l.c.watchLines()
}

// begin makes an attempt after a delay; mu is held.
func (l *line) begin(delay time.Duration) {
	a := &attempt{done: make(chan struct{}), delayed: delay > 0}
	l.attempt = a
	if a.delayed {
		l.enter(StateTransientFailure)
	} else {
		l.enter(StateConnecting)
	}
	l.c.workers.do(func() { l.run(a, delay) })
}

func (l *line) run(a *attempt, delay time.Duration) {
	sleep(l.c.life, delay)
	l.mu.Lock()
	if a.delayed {
		a.delayed = false
		l.enter(StateConnecting)
	}
	urls := l.urls
	if l.address != "" {
		urls = append([]string{l.address}, urls...)
		l.address = ""
	}
	l.mu.Unlock()

	a.conn, a.err = l.connect(urls)
	l.mu.Lock()
	l.attempt = nil
	if a.err != nil {
		l.failed(a.err)
	} else {
		l.use(a.conn)
	}
	l.mu.Unlock()
	close(a.done)
}

// connect starts a session with the first server that answers.
func (l *line) connect(urls []string) (conn *Conn, err error) {
	for _, u := range urls {
		link, peer, failed := l.c.link(u)
		if failed == nil {
			conn = &Conn{peer: peer, line: l, url: u, since: time.Now()}
			if failed = l.c.startConn(conn, link, transport.Dialer); failed == nil {
				return conn, nil
			}
		}
		if err == nil || passes(failed) || !passes(err) {
			err = failed
		}
	}
	return nil, err
}

// use has new calls made on a connection; mu is held.
func (l *line) use(conn *Conn) {
	l.conn, l.err = conn, nil
	l.ready.Store(conn)
	if conn.away {
		l.enter(StateResuming)
	} else {
		l.enter(StateReady)
	}
	if !conn.usable() && !conn.ending() {
		l.drop()
	}
}

// failed books an attempt that has failed, and makes the next unless the server
// has refused this client. mu is held.
func (l *line) failed(err error) {
	l.failures++
	l.comeBack(err, passes(err), backoff(l.failures))
}

// comeBack makes an attempt by itself after a delay, or leaves that to the next
// call, which is told err before the delay is over. mu is held.
func (l *line) comeBack(err error, byItself bool, delay time.Duration) {
	l.err = err
	switch {
	case l.c.life.Err() != nil:
	case byItself && !l.c.single:
		l.begin(delay)
	default:
		l.until = time.Now().Add(delay)
		l.enter(StateTransientFailure)
	}
}

// lost is told that the link of a connection is lost. It returns the number of
// the loss.
func (l *line) lost(conn *Conn) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	conn.away = true
	conn.losses++
	if l.conn == conn {
		l.enter(StateResuming)
	}
	return conn.losses
}

// resumed is told that a loss has been made good. There may be the next by now.
func (l *line) resumed(conn *Conn, loss int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if conn.losses != loss {
		return
	}
	conn.away = false
	if l.conn == conn {
		l.enter(StateReady)
	}
}

// changed is told that a connection goes away or has ended.
func (l *line) changed(conn *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == conn && !conn.usable() && !conn.ending() {
		l.drop()
	}
}

// drop has no new calls made on the connection, which goes away or has ended, and
// decides when to come back. mu is held.
func (l *line) drop() {
	conn := l.conn
	if conn == nil {
		return
	}
	l.conn = nil
	l.ready.Store(nil)
	if time.Since(conn.since) >= mostDelay {
		l.failures = 0
	}
	before := l.failures
	if time.Since(conn.since) < mostDelay {
		l.failures++
	}
	var closed *transport.CloseError
	ended := errors.As(conn.sess.Err(), &closed)
	info, _ := conn.sess.GoneAway()
	pause := min(time.Duration(info.Delay)*time.Millisecond, mostLonger)
	switch {
	case !ended:
		l.address = acceptable(conn.url, info.Address)
		l.comeBack(Errorf(CodeUnavailable, "the server goes away: %s", info.Reason), true, max(pause, backoff(before)))
		conn.retire()
	case closed.Code == transport.CloseNormal:
		l.failures = 0
		l.enter(StateIdle)
	default:
		back := comebackAfter(closed.Code)
		l.comeBack(conn.Err(), back != stayClosed, max(pause, back.delay(before)))
	}
}

// close ends the use of the line, of a client that has ended, and waits for an
// attempt that is under way.
func (l *line) close() {
	l.mu.Lock()
	l.enter(StateShutdown)
	a := l.attempt
	l.mu.Unlock()
	if a != nil {
		<-a.done
	}
}

// passes tells whether the reason for which there is no connection may pass.
func passes(err error) bool { return CodeOf(err) == CodeUnavailable }

// acceptable returns the address that a server has named, if it is on the server
// that was dialled: credentials must not be led elsewhere (PROTOCOL.md, section
// "Address").
func acceptable(dialled, address string) string {
	from, err := url.Parse(dialled)
	to, toErr := url.Parse(address)
	if err != nil || toErr != nil || from.Scheme != to.Scheme || to.User != nil ||
		from.Hostname() != to.Hostname() || port(from) != port(to) {
		return ""
	}
	return address
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "wss" || u.Scheme == "https" {
		return "443"
	}
	return "80"
}
