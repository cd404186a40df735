package rpc

import (
	"context"
	"sync"
	"weak"

	"github.com/parley-rpc/parley/transport"
)

// servers are the servers of this process. If a client loses a session and
// reconnects to another of them, that server ends the old session.
var servers serverSet

type serverSet struct {
	mu  sync.Mutex
	all map[weak.Pointer[Server]]struct{}
}

func (k *serverSet) add(s *Server) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all == nil {
		k.all = make(map[weak.Pointer[Server]]struct{})
	}
	k.all[weak.Make(s)] = struct{}{}
}

// remove removes a server that has no sessions left.
func (k *serverSet) remove(s *Server) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.all, weak.Make(s))
}

// list returns the servers that exist, and removes collected ones.
func (k *serverSet) list() []*Server {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := make([]*Server, 0, len(k.all))
	for p := range k.all {
		if s := p.Value(); s != nil {
			all = append(all, s)
		} else {
			delete(k.all, p)
		}
	}
	return all
}

// endPredecessor ends the session that a new session replaces, if another
// server of this process has it. It does not block.
func (s *Server) endPredecessor(r transport.Predecessor, principal string) {
	s.workers.runFunc(func() { endPredecessor(r, principal) })
}

// endPredecessor ends a session that a server of this process has, and reports
// whether there was one.
func endPredecessor(r transport.Predecessor, principal string) bool {
	for _, other := range servers.list() {
		if other.sessions.EndPredecessor(r, principal) {
			return true
		}
	}
	return false
}

// OnUnknownPredecessor registers f to be called when c, a new connection,
// replaces one that its client has lost and given up, and that no server of this
// process has. Another process may have it, and ends it by
// Server.EndPredecessor. The client has not proved that the lost connection was
// its own; its token is a secret. f may block.
func OnUnknownPredecessor(f func(c *Conn, lost transport.Predecessor)) ServerOption {
	return serverOption(func(s *Server) {
		s.predecessorOf = func(c *Conn) func(transport.Predecessor, string) {
			return func(r transport.Predecessor, principal string) {
				s.workers.runFunc(func() {
					if !endPredecessor(r, principal) {
						c.started.Wait()
						f(c, r)
					}
				})
			}
		}
	})
}

// EndPredecessor ends a connection of this server whose client has replaced it
// by another, at a server that has called a function of OnUnknownPredecessor. It
// reports whether it has. ctx has the principal of the new connection
// (WithPrincipal), and peer describes its client: they must be such that a link
// of theirs may resume the lost connection, and the token must be its own. Calls
// on it fail with CodeUnavailable.
func (s *Server) EndPredecessor(ctx context.Context, peer Peer, lost transport.Predecessor) bool {
	return s.sessions.EndPredecessor(lost, s.binding.identity(peer.request(ctx), Principal(ctx)))
}
