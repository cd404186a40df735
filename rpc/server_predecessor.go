package rpc

import (
	"sync"
	"weak"

	"github.com/parley-rpc/parley/transport"
)

// servers are those of this process. A client that has lost a session and comes back to
// another of them has the old session ended there.
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

// remove forgets a server that has no sessions any more.
func (k *serverSet) remove(s *Server) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.all, weak.Make(s))
}

// list returns those that there are, and forgets the others.
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

// endReplaced ends the session that a client has begun another in place of, if another
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
