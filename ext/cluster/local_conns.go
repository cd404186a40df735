package cluster

import (
	"crypto/rand"
	"strconv"
	"sync"

	"github.com/parley-rpc/parley/rpc"
)

// newSessionID returns an id that names its node: 8 bytes of it, and 16 random
// ones.
func newSessionID(node NodeID) []byte {
	id := make([]byte, len(node)+16)
	_, _ = rand.Read(id[copy(id, node[:]):]) // never fails
	return id
}

// ownerOf returns the node that has made the id of a session.
func ownerOf(session []byte) (node NodeID, ok bool) {
	if len(session) != len(node)+16 {
		return node, false
	}
	copy(node[:], session)
	return node, true
}

// localConns are the connections of clients to this node, by the names of their
// sessions in the directory.
type localConns struct {
	mu        sync.RWMutex
	last      uint64
	bySession map[string]*rpc.Conn
	named     map[*rpc.Conn]connName
}

type connName struct{ client, session string }

// add adds a connection of a client, and returns the name of its session.
func (l *localConns) add(c *rpc.Conn, client string) (session string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bySession == nil {
		l.bySession, l.named = make(map[string]*rpc.Conn), make(map[*rpc.Conn]connName)
	}
	l.last++
	session = strconv.FormatUint(l.last, 36)
	l.bySession[session], l.named[c] = c, connName{client, session}
	return session
}

func (l *localConns) remove(c *rpc.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.bySession, l.named[c].session)
	delete(l.named, c)
}

// names returns the client of a connection, and the name of its session.
func (l *localConns) names(c *rpc.Conn) (client, session string, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	name, ok := l.named[c]
	return name.client, name.session, ok
}

// conn returns the connection of a session, or nil.
func (l *localConns) conn(session string) *rpc.Conn {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.bySession[session]
}
