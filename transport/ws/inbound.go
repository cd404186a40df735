package ws

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// inbound is the receiving half of a connection. gorilla reads it through
// readConn. So errors of the network (*lostError) differ from those of the
// framing, and Close can take the receiving half over.
type inbound struct {
	conn   net.Conn
	closed atomic.Bool // set by Close: gorilla reads nothing more

	readable readable // of the reader goroutine

	mu       sync.Mutex     // held while reading conn, or waiting for something to read
	budget   int64          // bytes that may still be read, or unlimited
	detector *closeDetector // nil where it is not possible to read without waiting
	held     []byte         // what was read ahead
	drained  bool           // the latest read of a socket returned all that had arrived
}

const unlimited = -1

var errBudget = errors.New("response header too large")

func (in *inbound) read(p []byte) (int, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed.Load() {
		return 0, &lostError{errClosed}
	}
	if in.budget != unlimited {
		if in.budget == 0 {
			return 0, &lostError{errBudget}
		}
		p = p[:min(int64(len(p)), in.budget)]
	}
	n, err := in.next(p)
	if in.budget != unlimited {
		in.budget -= int64(n)
	}
	if err != nil {
		return n, in.lost(err)
	}
	if in.detector != nil && in.injected(p[:n]) {
		return 0, in.lost(io.EOF)
	}
	return n, nil
}

// next reads the next bytes: those that were read ahead, or those of the
// connection.
func (in *inbound) next(p []byte) (n int, err error) {
	if len(in.held) > 0 {
		n = copy(p, in.held)
		if in.held = in.held[n:]; len(in.held) == 0 {
			in.held = nil
		}
		return n, nil
	}
	if n, err = in.readable.take(p); n > 0 || err != nil {
		in.drained = in.readable.drained()
		return n, err
	}
	n, err = in.conn.Read(p)
	in.drained = n < len(p) && bottom(in.conn) == in.conn // TLS returns one record at a time
	return n, err
}

// injectedWait is how long the end of a connection may take after a close frame
// that a proxy has put into the middle of another frame. The proxy ends the
// connection at once.
const injectedWait = 100 * time.Millisecond

// detectInjectedClose makes read look for close frames in the middle of other
// frames, if the connection is one of the kernel's, with or without TLS.
func (in *inbound) detectInjectedClose() {
	switch bottom(in.conn).(type) {
	case *net.TCPConn, *net.UnixConn:
		in.mu.Lock()
		defer in.mu.Unlock()
		in.detector = new(closeDetector)
	}
}

// injected follows what was read, and reports whether a message in it looks
// complete only because of a close frame that a proxy has put into it. It reads
// ahead only if the bytes may be that, and waits only if they can be nothing
// else.
func (in *inbound) injected(chunk []byte) bool {
	s := in.detector.follow(chunk)
	if len(in.held) > 0 {
		return false // what follows was examined
	}
	for s != nil {
		if !s.complete && in.drained {
			return false // a proxy sends a close frame in one piece
		}
		b, err := in.readAhead(s.complete)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return false
		case err != nil:
			return s.complete
		case len(b) == 0 || !s.more(b):
			return false
		}
	}
	return false
}

// readAhead reads what has arrived, and keeps it to be read again. It waits for
// bytes only if wait is true.
func (in *inbound) readAhead(wait bool) ([]byte, error) {
	buf := make([]byte, maxClose)
	n, err := in.readable.take(buf)
	switch {
	case n > 0 || err != nil:
	case wait:
		n, err = in.readUntil(buf, time.Now().Add(injectedWait))
	case bottom(in.conn) == in.conn:
		n, err = readNow(in.conn, buf)
	default: // the rest of the same TLS record is there
		n, err = in.readUntil(buf, time.Unix(1, 0))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
	}
	in.held = append(in.held, buf[:n]...)
	if n > 0 {
		err = nil
	}
	return buf[:n], err
}

// readUntil reads with a deadline.
func (in *inbound) readUntil(buf []byte, end time.Time) (n int, err error) {
	_ = in.conn.SetReadDeadline(end)
	n, err = in.conn.Read(buf)
	in.clearDeadline()
	return n, err
}

// clearDeadline removes the read deadline, unless shut has set one.
func (in *inbound) clearDeadline() {
	_ = in.conn.SetReadDeadline(time.Time{})
	if in.closed.Load() { // shut may have set one meanwhile
		_ = in.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

func (in *inbound) lost(err error) error {
	switch {
	case in.closed.Load():
		err = errClosed
	case errors.Is(err, io.EOF):
		err = errNoCloseFrame
	}
	return &lostError{err}
}

// setBudget limits how much may be read: n bytes, or unlimited.
func (in *inbound) setBudget(n int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.budget = n
}

// shut makes the read in progress, if any, and all later reads fail.
func (in *inbound) shut() {
	in.closed.Store(true)
	_ = in.conn.SetReadDeadline(time.Unix(1, 0))
}

// drainLimits bound what is read from a peer after the close frame was sent.
type drainLimits struct {
	free int // bytes that are read at any rate
	rate int // bytes a second of those that follow
}

var (
	// politeDrain is for what was on its way when the close frame was sent.
	politeDrain = drainLimits{free: 256 << 10, rate: 8 << 20}
	// strictDrain is for a peer that has broken the rules and may continue: to
	// end a flood must not cost more than the flood.
	strictDrain = drainLimits{free: 16 << 10, rate: 64 << 10}
)

// drain reads and drops bytes until the peer has closed its half or
// closeDrainWait is over. A socket that is closed with unread bytes resets the
// connection, and the reset may overtake the close frame. It must be called after
// shut. It calls answered once, when something has come from the peer or
// closeAnswerWait is over.
func (in *inbound) drain(c drainLimits, answered func()) {
	in.mu.Lock()
	defer in.mu.Unlock()
	conn := bottom(in.conn)
	start := time.Now()
	end := start.Add(closeDrainWait)
	_ = conn.SetReadDeadline(start.Add(closeAnswerWait))
	buf := make([]byte, min(c.free, 16<<10))
	n, err := conn.Read(buf)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return
	}
	answered()
	_ = conn.SetReadDeadline(end)
	for total := n; ; {
		if n, err = conn.Read(buf); err != nil {
			return
		}
		if total += n; total > c.free {
			time.Sleep(min(time.Duration(n)*time.Second/time.Duration(c.rate), time.Until(end)))
		}
	}
}

// readConn is the connection that gorilla uses: it reads through the inbound.
type readConn struct {
	net.Conn
	in *inbound
}

func (c readConn) Read(p []byte) (int, error) { return c.in.read(p) }

// readTCPConn is readConn for TCP. It embeds the concrete type because
// net.Buffers uses writev only on a connection with the unexported method that
// *net.TCPConn promotes.
type readTCPConn struct {
	*net.TCPConn
	in *inbound
}

func (c readTCPConn) Read(p []byte) (int, error) { return c.in.read(p) }

func (in *inbound) wrap() net.Conn {
	if tcp, ok := in.conn.(*net.TCPConn); ok {
		return readTCPConn{tcp, in}
	}
	return readConn{in.conn, in}
}

// bottom returns the connection under the TLS of conn, or under that of a
// proxy. It can be closed at once; a tls.Conn first takes up to five seconds to
// send its alert.
func bottom(conn net.Conn) net.Conn {
	for {
		c, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return conn
		}
		conn = c.NetConn()
	}
}
