package ws

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gorilla/websocket"

	"github.com/parley-rpc/parley/transport"
)

// Conn is one WebSocket. It implements transport.Link: one goroutine may read
// and one may write at a time, and any goroutine may close.
type Conn struct {
	ws       *websocket.Conn
	in       inbound
	server   bool
	response http.Header

	message   message // what NextReader returns
	readErr   error   // what NextReader returns from now on
	readLimit int64
	await     awaiter

	pong       pong
	peerClosed atomic.Int32 // code of the peer's close frame, 0 without one

	closing  sync.Once
	closeErr error
}

var _ transport.AwaitableLink = (*Conn)(nil)

// maxUnsent is how many bytes the kernel may hold that it has not sent, where
// that can be bounded: two messages of the transport.
const maxUnsent = 128 << 10

// open makes c ready for use on ws, whose connection is c.in.wrap().
func (c *Conn) open(ws *websocket.Conn, readLimit int64) {
	c.ws = ws
	c.message.conn = c
	c.readLimit = readLimit
	c.pong.write = ws.WriteControl
	c.in.detectInjectedClose()
	c.in.watchSocket()
	boundUnsent(c.in.conn)
	ws.SetReadLimit(readLimit)
	ws.SetPingHandler(func(payload string) error {
		c.await.controls++
		return c.pong.answer(payload)
	})
	ws.SetPongHandler(func(string) error {
		c.await.controls++
		return nil
	})
	ws.SetCloseHandler(func(code int, _ string) error {
		c.peerClosed.Store(int32(code)) // Close answers
		return nil
	})
}

// Subprotocol returns the subprotocol that both ends agreed on in the
// handshake.
func (c *Conn) Subprotocol() string { return c.ws.Subprotocol() }

// LocalAddr returns the address of this end's socket.
func (c *Conn) LocalAddr() net.Addr { return c.in.conn.LocalAddr() }

// RemoteAddr returns the address of the peer's socket, or of the proxy between.
func (c *Conn) RemoteAddr() net.Addr { return c.in.conn.RemoteAddr() }

// TLS returns the state of the connection's TLS, or nil without TLS.
func (c *Conn) TLS() *tls.ConnectionState {
	conn, ok := c.in.conn.(interface{ ConnectionState() tls.ConnectionState })
	if !ok {
		return nil
	}
	state := conn.ConnectionState()
	return &state
}

// Response returns the header of the server's response, for a Conn that was
// dialed.
func (c *Conn) Response() http.Header { return c.response }

// NextReader waits for the next binary message, as transport.Link says. If the
// peer closed without a code, the error has CloseNoStatus. If it closed the
// socket without a close frame, the link is lost (io.ErrUnexpectedEOF), as it
// is after Close of this end (net.ErrClosed).
func (c *Conn) NextReader() (io.Reader, error) {
	if c.readErr != nil {
		return nil, c.readErr
	}
	if c.in.closed.Load() {
		return nil, c.readFailed(errClosed)
	}
	if !c.message.large {
		c.in.await() // while much arrives, it is cheaper to read at once
	}
	c.message.large = false
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return nil, c.readFailed(err)
	}
	if kind != websocket.BinaryMessage {
		return nil, c.readFailed(&transport.CloseError{
			Code:   transport.CloseUnsupportedData,
			Reason: "text message: only binary messages are understood",
		})
	}
	c.message.r = r
	c.await.started++
	return &c.message, nil
}

// message is the reader of a message. There is one per Conn.
type message struct {
	conn  *Conn
	r     io.Reader
	large bool // one read has returned more than a read buffer of it
}

func (m *message) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.large = m.large || n > readBufferSize
	if err != nil && err != io.EOF {
		return n, m.conn.readFailed(err)
	}
	if err != nil {
		m.conn.await.finished = m.conn.await.started
	}
	return n, err
}

// readFailed turns an error of gorilla into one of transport.Link and keeps it:
// gorilla must not be read again.
func (c *Conn) readFailed(err error) error {
	var lost *lostError
	var closed *websocket.CloseError
	var fault *transport.CloseError
	switch {
	case c.in.closed.Load():
		err = errClosed
	case errors.As(err, &lost), errors.As(err, &fault):
	case errors.As(err, &closed):
		err = &transport.CloseError{Code: transport.CloseCode(closed.Code), Reason: closed.Text, Remote: true}
	case errors.Is(err, websocket.ErrReadLimit):
		err = &transport.CloseError{
			Code:   transport.CloseMessageTooBig,
			Reason: fmt.Sprintf("message exceeds the limit of %d bytes", c.readLimit),
		}
	default:
		// Every other error of gorilla is one of the framing.
		err = &transport.FramingError{Reason: cutReason(strings.TrimPrefix(err.Error(), "websocket: "))}
	}
	c.readErr = err
	return err
}

// WriteMessage writes one binary message, as transport.Link says. When it
// returns, the kernel has the message; the peer may never receive it.
func (c *Conn) WriteMessage(parts [][]byte) error {
	if err := c.write(parts); err != nil {
		if c.in.closed.Load() || errors.Is(err, websocket.ErrCloseSent) {
			return errClosed
		}
		return &lostError{err}
	}
	return nil
}

func (c *Conn) write(parts [][]byte) error {
	if len(parts) == 1 {
		return c.ws.WriteMessage(websocket.BinaryMessage, parts[0])
	}
	w, err := c.ws.NextWriter(websocket.BinaryMessage)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return w.Close()
}
