package rpc

import (
	"errors"
	"net/http"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// Server serves calls on WebSockets, and makes calls to its clients on them. It
// is an http.Handler, to be mounted where clients connect to:
//
//	http.Handle("/rpc", srv)
type Server struct {
	endpoint
	upgrader ws.Upgrader
	origins  []string
}

// NewServer returns a server without services. It panics if an option is
// malformed, as a program with such a mistake should not start.
func NewServer(opts ...ServerOption) *Server {
	s := new(Server)
	s.init()
	for _, o := range opts {
		o.applyServer(s)
	}
	s.upgrader = ws.Upgrader{
		Origins:          s.origins,
		HandshakeTimeout: s.handshakeTimeout,
		ReadLimit:        s.readLimit,
	}
	if err := errors.Join(s.validate(), s.upgrader.Validate()); err != nil {
		panic("rpc: NewServer: " + err.Error())
	}
	return s
}

// Register adds a service. It panics if there is one of that name.
func (s *Server) Register(svc *Service) { s.mux.Register(svc) }

// ServeHTTP upgrades the request to a WebSocket and serves calls on it. It
// returns at once; the connection goes on until either end closes it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.isClosed() {
		http.Error(w, "this server is closed", http.StatusServiceUnavailable)
		return
	}
	link, err := s.upgrader.Upgrade(w, r)
	if err != nil {
		s.log.InfoContext(r.Context(), "parley: handshake refused", "remote", r.RemoteAddr, "error", err)
		return
	}
	peer := Peer{
		Addr:      link.RemoteAddr(),
		LocalAddr: link.LocalAddr(),
		TLS:       link.TLS(),
		Protocol:  link.Subprotocol(),
		Header:    r.Header,
	}
	if _, err := s.start(link, transport.Acceptor, peer); err != nil {
		s.log.InfoContext(r.Context(), "parley: connection refused", "remote", r.RemoteAddr, "error", err)
	}
}

// Close ends all connections with code 1001, which tells clients to come back,
// and waits for their goroutines. Handlers in flight see their contexts canceled
// and are not waited for.
func (s *Server) Close() error {
	s.close(transport.CloseGoingAway, "server closed")
	return nil
}
