package rpc

import (
	"cmp"
	"errors"
	"net/http"
	"slices"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// Server serves calls on WebSockets, and makes calls to its clients on them. It
// is an http.Handler, to be mounted where clients connect:
//
//	http.Handle("/rpc", srv)
type Server struct {
	endpoint
	upgrader ws.Upgrader
	drain    Drain

	authenticate Authenticator
	binding      binding
	limits       Limits
	admission    admission
	handshakes   *handshakeQueue // of handshakes
	recent       *recentSet      // accepted credentials, and addresses that had connections
	refusals     refusals
	churn        churn
}

// NewServer returns a server without services. It panics if an option is
// invalid, since a program with such a mistake should not start.
func NewServer(opts ...ServerOption) *Server {
	s := new(Server)
	s.init()
	for _, o := range opts {
		o.applyServer(s)
	}
	s.upgrader.HandshakeTimeout, s.upgrader.ReadLimit = s.handshakeTimeout, s.readLimit
	s.sessions.MaxDetached, s.sessions.MaxDetachedBytes = s.resumption.MaxDetached, s.resumption.MaxDetachedBytes
	if err := errors.Join(s.validate(), s.upgrader.Validate(), s.maxAge.validate(), s.limits.withDefaults()); err != nil {
		panic("rpc: NewServer: " + err.Error())
	}
	s.handshakes, s.recent = newHandshakeQueue(s.limits.MaxHandshakesPerSecond), newRecentSet()
	s.onUnknownPredecessor = s.endPredecessor
	s.makeRoom = s.endDetached
	s.sessions.OnEvict = s.churn.ended
	s.detached.counts = s.limits.MaxConnectionsPerAddress > 0
	servers.add(s)
	s.inflight.limit = int64(s.limits.MaxCalls)
	s.boundMessages(s.limits.MaxMessageMemory)
	if s.transport.WindowBudget == nil {
		s.transport.WindowBudget = transport.NewBudget(s.limits.MaxWindowMemory)
	}
	if s.transport.ReplayBudget == nil {
		s.transport.ReplayBudget = transport.NewBudget(s.limits.MaxReplayMemory)
	}
	return s
}

// Register adds a service. It panics if a service of that name is registered.
func (s *Server) Register(svc *Service) { s.mux.Register(svc) }

// Services returns the sorted names of the services.
func (s *Server) Services() []string { return s.mux.Services() }

// HandleUnknown registers h for methods that are not registered, as
// Mux.HandleUnknown does.
func (s *Server) HandleUnknown(h Handler) { s.mux.HandleUnknown(h) }

// ServeHTTP upgrades the request to a WebSocket and serves calls on it. It
// returns at once; the connection lasts until either end closes it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := handshake{s: s}
	l, err := h.upgrade(w, r)
	if err != nil {
		return // it was answered and logged
	}
	if err := h.start(l.Link, l.peer); err != nil { // the connection does not retain l
		s.logRefusal(r, err)
	}
}

// Conns returns the connections that have begun and have not ended, detached
// ones too, in the order of their IDs: those between OnConnect and OnDisconnect.
func (s *Server) Conns() []*Conn {
	conns := slices.DeleteFunc(s.conns.snapshot(), func(c *Conn) bool { return !c.isOpen() })
	slices.SortFunc(conns, func(a, b *Conn) int { return cmp.Compare(a.id, b.id) })
	return conns
}

// HasSession reports whether there is a connection whose Conn.SessionID is id,
// detached or not: whether a link may ask this server to resume it.
func (s *Server) HasSession(id []byte) bool { return s.sessions.Has(id) }

// EndSession ends the connection whose Conn.SessionID is id, detached or not,
// as Conn.Close does. It reports whether there was one.
func (s *Server) EndSession(id []byte) bool {
	return s.sessions.End(id, transport.CloseNormal, "closed by the application")
}

// Close ends all connections with code 1001, after which clients reconnect, and
// waits for their goroutines. Calls in flight fail with CodeUnavailable. The
// contexts of handlers are canceled, but Close does not wait for handlers.
// Shutdown lets calls finish.
func (s *Server) Close() error {
	s.close(transport.CloseGoingAway, "server closed")
	servers.remove(s)
	return nil
}
