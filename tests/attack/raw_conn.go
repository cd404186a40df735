package main

import (
	"context"
	"io"
	"net/http"
	"sync"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/tests/internal/rig"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// generous is a HELLO that lets the server send as much as it likes.
var generous = frame.Hello{MaxStreams: 1 << 20, InitialWindow: 1 << 40, MaxMessage: 1 << 30}

// rawConn is a connection on which an attacker writes frames itself.
type rawConn struct {
	link *ws.Conn
	mu   sync.Mutex
	why  error // why the link has ended
	over chan struct{}
}

// dial makes a link as a user; "" is an anonymous one.
func dial(ctx context.Context, addr, name string) (*ws.Conn, error) {
	d := new(ws.Dialer)
	if name != "" {
		d.Header = http.Header{"Authorization": {"Bearer " + name}}
	}
	return d.Dial(ctx, "ws://"+addr+rig.Path)
}

// meet connects and sends HELLO. It reads and drops what the server sends,
// unless the connection is deaf.
func meet(ctx context.Context, addr string, hello frame.Hello, deaf deafness) (*rawConn, error) {
	link, err := dial(ctx, addr, "")
	if err != nil {
		return nil, err
	}
	f := &rawConn{link: link, over: make(chan struct{})}
	context.AfterFunc(ctx, func() { _ = link.Close(1006, "") })
	if deaf == hears {
		go f.read()
	}
	return f, link.WriteMessage([][]byte{hello.Append(nil)})
}

// deafness says whether a rawConn reads.
type deafness int

const (
	hears deafness = iota
	isDeaf
)

func (f *rawConn) read() {
	defer close(f.over)
	for {
		r, err := f.link.NextReader()
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if err != nil {
			f.mu.Lock()
			f.why = err
			f.mu.Unlock()
			return
		}
	}
}

// end waits for the server to end the link, and returns why it did.
func (f *rawConn) end() error {
	<-f.over
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.why
}

// write sends frames until a write fails, and returns why the server ended the
// link.
func (f *rawConn) write(next func() []byte, count func()) error {
	defer f.link.Close(1006, "") //nolint:errcheck // nothing to lose
	for {
		if err := f.link.WriteMessage([][]byte{next()}); err != nil {
			return f.end()
		}
		count()
	}
}

// session starts an anonymous session.
func session(ctx context.Context, addr string) (*transport.Session, error) {
	link, err := dial(ctx, addr, "")
	if err != nil {
		return nil, err
	}
	return transport.NewSession(link, transport.Dialer, transport.Config{})
}

// untilOver waits for the end of ctx, or of a session.
func untilOver(ctx context.Context, s *transport.Session) error {
	select {
	case <-s.Done():
		return s.Err()
	case <-ctx.Done():
		return nil
	}
}

// eachFrame calls f with the frames of a message.
func eachFrame(msg []byte, f func(h frame.Header, payload []byte) error) error {
	for len(msg) > 0 {
		h, n, err := frame.ParseHeader(msg)
		if err != nil {
			return err
		}
		end := n + int(h.Length) // the server sends whole frames
		if err := f(h, msg[n:end]); err != nil {
			return err
		}
		msg = msg[end:]
	}
	return nil
}
