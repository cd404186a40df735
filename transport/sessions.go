package transport

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/parley-rpc/parley/internal/frame"
)

// Sessions is where an acceptor keeps its sessions, so that links can resume
// them. It bounds the number of detached sessions, and what they hold. If there
// are too many, it ends the one that has been detached for longest of the owner
// (Config.Owner) with most of them. If they hold too much, it takes the owner
// whose sessions hold most. The zero value has the default bounds.
type Sessions struct {
	// MaxDetached is how many detached sessions are kept. Default 10,000.
	MaxDetached int
	// MaxDetachedBytes is how many bytes they hold together: what is kept to be
	// sent, and what had arrived and was not received when the link was lost.
	// Default 256 MiB.
	MaxDetachedBytes int

	// NewID, if not nil, makes the ids of sessions: 16 to 64 bytes that it has
	// not returned before. An id may say which server keeps the session. It is
	// no secret. It must not block. Default: 16 random bytes.
	NewID func() []byte

	// OnEvict, if not nil, is called with the owner of a session that was ended
	// because there was no room for it. It must not block.
	OnEvict func(owner string)

	mu       sync.Mutex // before those of sessions
	byID     map[string]*Session
	detached detachedSet
}

// newID returns an id for a new session.
func (k *Sessions) newID() ([]byte, error) {
	if k.NewID == nil {
		return random(frame.MinSessionLen), nil
	}
	id := bytes.Clone(k.NewID())
	if len(id) < frame.MinSessionLen || len(id) > frame.MaxSessionLen {
		return nil, &CloseError{
			Code: CloseInternalError, Reason: "the server has made an invalid session id",
			Err: fmt.Errorf("Sessions.NewID: %d bytes, must be %d to %d", len(id), frame.MinSessionLen, frame.MaxSessionLen),
		}
	}
	return id, nil
}

// add keeps a session, unless it has ended: remove was called for one that has.
func (k *Sessions) add(s *Session) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s.Err() != nil {
		return nil
	}
	if k.byID == nil {
		k.byID = make(map[string]*Session)
	}
	id := string(s.resumption.id)
	if k.byID[id] != nil {
		return &CloseError{
			Code: CloseInternalError, Reason: "the server has made an invalid session id",
			Err: fmt.Errorf("Sessions.NewID: %x is the id of another session", id),
		}
	}
	k.byID[id] = s
	return nil
}

// Has reports whether a link may ask to resume the session of an id: the
// session has not ended.
func (k *Sessions) Has(id []byte) bool { return k.get(id) != nil }

// End ends the session of an id as Session.Close does, and reports whether
// there was one.
func (k *Sessions) End(id []byte, code CloseCode, reason string) bool {
	s := k.get(id)
	if s == nil {
		return false
	}
	_ = s.Close(code, reason) // an error means that it has ended before
	return true
}

// find returns the session that a HELLO asks to resume, or nil if it may not:
// the peer gets the same answer whatever the reason. The error says that a
// newer attempt has overtaken this one. The result may change before the link
// has its turn, so adopt checks again.
func (k *Sessions) find(hello *frame.Hello, principal string) (*Session, error) {
	if k == nil {
		return nil, nil
	}
	s := k.get(hello.Session)
	if s == nil {
		return nil, nil
	}
	s.mu.Lock()
	ok, err := s.mayResume(hello)
	s.mu.Unlock()
	if (ok || err != nil) && s.cfg.belongsTo(principal) {
		return s, err
	}
	return nil, nil
}

// get returns the session of an id, or nil.
func (k *Sessions) get(id []byte) *Session {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.byID[string(id)]
}

// Detached returns how many sessions are detached at the moment.
func (k *Sessions) Detached() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.detached.len()
}

// Shrink ends detached sessions until at most n are left, as if MaxDetached
// were n.
func (k *Sessions) Shrink(n int) {
	k.mu.Lock()
	var evicted []*Session
	for k.detached.len() > n {
		evicted = append(evicted, k.detached.evict(&k.detached.most))
	}
	k.mu.Unlock()
	for _, s := range evicted {
		k.end(s, fmt.Sprintf("more than %d sessions are detached", n))
	}
}

// addDetached counts a session as detached, unless it has a link again, and
// what it holds that was not received.
func (k *Sessions) addDetached(s *Session) {
	unread := s.unread()
	k.mu.Lock()
	e := k.detached.place[s]
	if e == nil && k.byID[string(s.resumption.id)] == s && s.Detached() {
		e = k.detached.add(s)
	}
	if e != nil {
		e.unread = unread
	}
	evicted := k.weigh(s)
	k.mu.Unlock()
	k.evictAll(evicted)
}

// updateDetached records that a detached session holds more than before.
func (k *Sessions) updateDetached(s *Session) {
	k.mu.Lock()
	evicted := k.weigh(s)
	k.mu.Unlock()
	k.evictAll(evicted)
}

// weigh records what a session holds, and removes and returns those that are
// too many then; mu is held.
func (k *Sessions) weigh(s *Session) (evicted []*Session) {
	e := k.detached.place[s]
	if e == nil {
		return nil
	}
	k.detached.weigh(e, e.unread+s.out.heldBytes())
	for k.detached.len() > k.maxDetached() {
		evicted = append(evicted, k.detached.evict(&k.detached.most))
	}
	for k.detached.bytes > k.maxBytes() {
		evicted = append(evicted, k.detached.evict(&k.detached.heavy))
	}
	return evicted
}

// evictAll ends sessions that were too many.
func (k *Sessions) evictAll(evicted []*Session) {
	for _, s := range evicted {
		k.end(s, fmt.Sprintf("more than %d sessions or %d bytes are detached", k.maxDetached(), k.maxBytes()))
	}
}

// end ends a session because there is no room for it.
func (k *Sessions) end(s *Session, reason string) {
	if s.Evict(reason) && k.OnEvict != nil {
		k.OnEvict(s.cfg.owner())
	}
}

// removeDetached says that a session has a link again.
func (k *Sessions) removeDetached(s *Session) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.detached.remove(s)
}

// remove forgets a session that has ended.
func (k *Sessions) remove(s *Session) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.detached.remove(s)
	if k.byID[string(s.resumption.id)] == s {
		delete(k.byID, string(s.resumption.id))
	}
}

func (k *Sessions) maxDetached() int {
	if k.MaxDetached == 0 {
		return 10_000
	}
	return k.MaxDetached
}

func (k *Sessions) maxBytes() int {
	if k.MaxDetachedBytes == 0 {
		return 256 << 20
	}
	return k.MaxDetachedBytes
}
