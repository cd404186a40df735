package rpc

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// StartLink serves a link as if it had come by a WebSocket.
func (s *Server) StartLink(l transport.Link) (*Conn, error) {
	c := new(Conn)
	c.link.Store(&linkInfo{peer: Peer{Protocol: "test"}})
	return c, s.startConn(c, l, transport.Acceptor)
}

// StartHandshake serves a link as if it had come by a WebSocket with the
// handshake r.
func (s *Server) StartHandshake(l transport.Link, r *http.Request) error {
	h := handshake{s: s}
	if no := h.admit(r); no != nil {
		if h.release != nil {
			h.release()
		}
		return no
	}
	addr, err := net.ResolveTCPAddr("tcp", r.RemoteAddr)
	if err != nil {
		return err
	}
	return h.start(l, Peer{Protocol: "test", Addr: addr, Header: r.Header})
}

// StartLink makes a link the connection that the client's calls use. It cannot
// make another.
func (c *Client) StartLink(l transport.Link) (*Conn, error) {
	c.DialWith(func(context.Context, string, http.Header) (transport.Link, error) {
		return nil, Errorf(CodeUnavailable, "there is one link only")
	})
	conn := c.subConns[0].newConn(c.urls[0], Peer{Protocol: "test"})
	if err := c.startConn(conn, l, transport.Dialer); err != nil {
		return nil, err
	}
	conn.client.sub.mu.Lock()
	defer conn.client.sub.mu.Unlock()
	conn.client.sub.adopt(conn)
	return conn, nil
}

// DialWith has the client make its links by a function, before the first call.
func (c *Client) DialWith(f func(ctx context.Context, url string, header http.Header) (transport.Link, error)) {
	c.dial = func(ctx context.Context, h dialRequest) (transport.Link, Peer, error) {
		l, err := f(ctx, h.url, h.header)
		return l, Peer{Protocol: "test"}, err
	}
}

// OpenFields is what the header of a call says.
type OpenFields struct {
	Method     string
	Alias      uint64
	Codec      string
	Encoding   string
	Timeout    time.Duration
	HasTimeout bool
	Metadata   Metadata
}

// ParseOpen reads the header of a call.
func ParseOpen(p []byte) (OpenFields, error) {
	b, err := parseOpenBlock(p)
	f := OpenFields{
		Alias: b.alias, Codec: b.codec, Encoding: b.encoding,
		Timeout: b.timeout, HasTimeout: b.hasLimit, Metadata: b.metadata,
	}
	if b.alias == 0 {
		f.Method = b.service + "/" + b.name
	}
	return f, err
}

// ParseHeader reads the header of an answer.
func ParseHeader(p []byte) (encoding string, m Metadata, err error) {
	b, err := parseHeaderBlock(p)
	return b.encoding, b.metadata, err
}

// EndFields is what the end of a call says.
type EndFields struct {
	Code    Code
	Status  *Error // nil: OK
	Alias   uint64
	Trailer Metadata
}

// ParseEnd reads the end of a call.
func ParseEnd(p []byte) (EndFields, error) {
	b, err := parseEndBlock(p)
	f := EndFields{Status: b.status, Alias: b.alias, Trailer: b.metadata}
	if b.status != nil {
		f.Code = b.status.code
	}
	return f, err
}

// IdleWorkers tells how many of a server's goroutines wait for work.
func (s *Server) IdleWorkers() int {
	s.workers.mu.Lock()
	defer s.workers.mu.Unlock()
	return len(s.workers.idle)
}

// Drain announces that this end serves no further calls on a connection.
func (c *Conn) Drain() error { return c.sess.GoAway(transport.GoAway{Reason: "drain"}) }

// MaxIdle is how many workers stay idle forever, and Surplus for how long
// others do.
const (
	MaxIdle = keptIdle
	Surplus = surplusAfter
)

// Connections tells how many connections an endpoint has.
func (e *endpoint) Connections() int {
	return e.conns.count()
}

// SocketAddress is where a request comes from.
var SocketAddress = socketAddress

// NewGzip returns the compression of that name.
func NewGzip() Compressor { return newGzipCompressor() }

// SameIdentity reports whether a handshake may resume the session that another
// began, by the options of the server.
func (s *Server) SameIdentity(began, resuming *http.Request) bool {
	return sameIdentity(s.binding.identity(began, Principal(began.Context())), s.binding.identity(resuming, Principal(resuming.Context())))
}

// IdentityLen is how many bytes the server keeps of who has made a handshake.
func (s *Server) IdentityLen(r *http.Request) int { return len(s.binding.identity(r, "")) }

// Generated code makes these views by the functions that open a call.

func NewSender[T any](s Stream) Sender[T] { return Sender[T]{s} }

func NewReceiver[T any](s Stream) Receiver[T] { return Receiver[T]{s} }

func NewUpload[Req, Res any](s Stream) Upload[Req, Res] { return Upload[Req, Res]{s} }

func NewDuplex[Req, Res any](s Stream) Duplex[Req, Res] { return Duplex[Req, Res]{s} }
