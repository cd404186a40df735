package rpc

import (
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
	s.workers.runFunc(func() {
		for _, other := range servers.list() {
			if other.sessions.EndPredecessor(r, principal) {
				return
			}
		}
	})
}
