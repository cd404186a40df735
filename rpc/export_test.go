package rpc

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// StartLink serves a link as if it were a WebSocket's.
func (s *Server) StartLink(l transport.Link) (*Conn, error) {
	c := new(Conn)
	c.link.Store(&linkInfo{peer: Peer{Protocol: "test"}})
	return c, s.startConn(c, l, transport.Acceptor)
}

// StartHandshake serves a link as if it were that of a WebSocket with the
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
	return h.start(&countedLink{l, h.release}, Peer{Protocol: "test", Addr: addr, Header: r.Header})
}

// StartLink makes a link the connection of the client's calls. The client
// cannot make another one.
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

// DialWith sets the function with which the client makes its links. It must be
// called before the first call.
func (c *Client) DialWith(f func(ctx context.Context, url string, header http.Header) (transport.Link, error)) {
	c.dial = func(ctx context.Context, h dialRequest) (transport.Link, Peer, error) {
		l, err := f(ctx, h.url, h.header)
		return l, Peer{Protocol: "test"}, err
	}
}

// OpenFields is the fields of a call's header.
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
		Timeout: b.timeout, HasTimeout: b.hasLimit, Metadata: b.metadata.decode(),
	}
	if b.alias == 0 {
		f.Method = b.service + "/" + b.name
	}
	return f, err
}

// ParseHeader reads the header of a response.
func ParseHeader(p []byte) (encoding string, m Metadata, err error) {
	b, err := parseHeaderBlock(p)
	return b.encoding, b.metadata.decode(), err
}

// EndFields is the fields of a call's end.
type EndFields struct {
	Code    Code
	Status  *Error // nil: OK
	Alias   uint64
	Trailer Metadata
}

// ParseEnd reads the end of a call.
func ParseEnd(p []byte) (EndFields, error) {
	b, err := parseEndBlock(p)
	f := EndFields{Status: b.status, Alias: b.alias, Trailer: b.metadata.decode()}
	if b.status != nil {
		f.Code = b.status.code
	}
	return f, err
}

// IdleWorkers returns how many of a server's handler goroutines are idle.
func (s *Server) IdleWorkers() int {
	s.workers.mu.Lock()
	defer s.workers.mu.Unlock()
	return len(s.workers.idle)
}

// StreamsOnly makes an endpoint serve calls on streams from the beginning. It
// must be called before the first connection.
func (e *endpoint) StreamsOnly() { e.streamsOnly = true }

// Drain announces that this end serves no further calls on a connection.
func (c *Conn) Drain() error { return c.sess.GoAway(transport.GoAway{Reason: "drain"}) }

// MaxIdle is how many idle workers are kept forever. Surplus is how long others
// are kept.
const (
	MaxIdle = keptIdle
	Surplus = surplusAfter
)

// Connections returns how many connections an endpoint has.
func (e *endpoint) Connections() int {
	return e.conns.count()
}

// SocketAddress returns the address of a request's peer.
var SocketAddress = socketAddress

// NewGzip returns the gzip compressor.
func NewGzip() Compressor { return newGzipCompressor() }

// SameIdentity reports whether, with the server's options, a handshake may
// resume the session that another one started.
func (s *Server) SameIdentity(began, resuming *http.Request) bool {
	return sameIdentity(s.binding.identity(began, Principal(began.Context())), s.binding.identity(resuming, Principal(resuming.Context())))
}

// IdentityLen returns how many bytes the server keeps of a handshake's
// identity.
func (s *Server) IdentityLen(r *http.Request) int { return len(s.binding.identity(r, "")) }

// Generated code gets these views from the functions that open a call.

func NewSender[T any](s Stream) Sender[T] { return Sender[T]{s} }

func NewReceiver[T any](s Stream) Receiver[T] { return Receiver[T]{s} }

func NewUpload[Req, Res any](s Stream) Upload[Req, Res] { return Upload[Req, Res]{s} }

func NewDuplex[Req, Res any](s Stream) Duplex[Req, Res] { return Duplex[Req, Res]{s} }
