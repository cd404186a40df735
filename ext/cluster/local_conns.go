package cluster

import (
	"crypto/rand"
	"maps"
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
	early     map[*rpc.Conn]map[string]string // metadata of those that have not joined yet; nil: added, without any
}

type connName struct{ client, session string }

// add adds a connection of a client, and returns the name of its session.
// meta is what keep has kept for it.
func (l *localConns) add(c *rpc.Conn, client string) (session string, meta map[string]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bySession == nil {
		l.bySession, l.named = make(map[string]*rpc.Conn), make(map[*rpc.Conn]connName)
	}
	l.last++
	session = strconv.FormatUint(l.last, 36)
	l.bySession[session], l.named[c] = c, connName{client, session}
	meta = l.early[c]
	if l.early == nil {
		l.early = make(map[*rpc.Conn]map[string]string)
	}
	l.early[c] = nil
	return session, meta
}

// keep keeps metadata for a connection until it has joined. It returns false if
// that has joined, or has been refused.
func (l *localConns) keep(c *rpc.Conn, meta map[string]string) (kept bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, added := l.named[c]
	if _, joining := l.early[c]; added && !joining {
		return false
	}
	if l.early == nil {
		l.early = make(map[*rpc.Conn]map[string]string)
	}
	l.early[c] = make(map[string]string, len(meta))
	maps.Copy(l.early[c], meta)
	return true
}

// joined says that a connection has joined, unless metadata has come meanwhile,
// which it returns.
func (l *localConns) joined(c *rpc.Conn) (meta map[string]string, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if meta = l.early[c]; meta != nil {
		l.early[c] = nil
		return meta, true
	}
	delete(l.early, c)
	return nil, false
}

// refuse says that a connection that was added is not in the directory.
func (l *localConns) refuse(c *rpc.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.bySession, l.named[c].session)
	delete(l.early, c)
	l.named[c] = connName{}
}

// drop forgets the metadata of a connection that has ended.
func (l *localConns) drop(c *rpc.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.early, c)
}

func (l *localConns) remove(c *rpc.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.bySession, l.named[c].session)
	delete(l.named, c)
	delete(l.early, c)
}

// names returns the client of a connection, and the name of its session.
func (l *localConns) names(c *rpc.Conn) (client, session string, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	name := l.named[c]
	return name.client, name.session, name.session != ""
}

// conn returns the connection of a session, or nil.
func (l *localConns) conn(session string) *rpc.Conn {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.bySession[session]
}
