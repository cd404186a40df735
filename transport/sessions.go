package transport

import (
	"container/list"
	"fmt"
	"sync"

	"github.com/parley-rpc/parley/transport/frame"
)

// Sessions is where an acceptor keeps its sessions, so that links can resume
// them. It bounds what sessions cost whose links are lost: when there are too
// many, or they hold too much, the one that has been gone longest ends. The zero
// value has the default bounds.
//
// Its mutex comes before those of sessions.
type Sessions struct {
	// MaxGone is how many sessions are kept without a link. Default 10,000.
	MaxGone int
	// MaxGoneBytes is how many bytes they keep to be sent, together. Default 256 MiB.
	MaxGoneBytes int

	mu    sync.Mutex
	byID  map[string]*Session
	gone  list.List // of *goneSession, the longest gone first
	place map[*Session]*list.Element
	bytes int
}

type goneSession struct {
	s     *Session
	bytes int // that it keeps to be sent
}

// add keeps a session that has not ended: remove has been called for one that has.
func (k *Sessions) add(s *Session) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s.Err() != nil {
		return
	}
	if k.byID == nil {
		k.byID = make(map[string]*Session)
		k.place = make(map[*Session]*list.Element)
	}
	k.byID[string(s.id)] = s
}

// find returns the session that a HELLO asks to resume, or nil if it may not: the
// peer is told the same whatever the reason. An attempt that a newer one has
// overtaken is an error.
func (k *Sessions) find(hello *frame.Hello, principal string) (*Session, error) {
	if k == nil {
		return nil, nil
	}
	k.mu.Lock()
	s := k.byID[string(hello.Session)]
	k.mu.Unlock()
	if s == nil || s.cfg.Principal != principal || !s.admits(hello.Token) {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if hello.Attempt <= s.attempts {
		return nil, errSuperseded
	}
	return s, nil
}

// Gone tells how many sessions have no link at the moment.
func (k *Sessions) Gone() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.gone.Len()
}

// lost books a session that has no link, unless it has one again by now.
func (k *Sessions) lost(s *Session) {
	k.mu.Lock()
	if k.byID[string(s.id)] == s && k.place[s] == nil && s.Away() {
		k.place[s] = k.gone.PushBack(&goneSession{s: s})
	}
	evicted := k.weigh(s)
	k.mu.Unlock()
	k.dismiss(evicted)
}

// grown books that a session without a link keeps more than before.
func (k *Sessions) grown(s *Session) {
	k.mu.Lock()
	evicted := k.weigh(s)
	k.mu.Unlock()
	k.dismiss(evicted)
}

// weigh books what a session keeps, and takes those out of the books that are too
// many then; mu is held.
func (k *Sessions) weigh(s *Session) (evicted []*Session) {
	e := k.place[s]
	if e == nil {
		return nil
	}
	g := e.Value.(*goneSession)
	size := s.out.unsent()
	k.bytes += size - g.bytes
	g.bytes = size
	for k.gone.Len() > k.maxGone() || k.bytes > k.maxBytes() {
		longest := k.gone.Front().Value.(*goneSession).s
		k.unplace(longest)
		evicted = append(evicted, longest)
	}
	return evicted
}

// dismiss ends sessions that were too many.
func (k *Sessions) dismiss(evicted []*Session) {
	for _, s := range evicted {
		s.fail(&CloseError{Code: CloseAbnormal, Reason: fmt.Sprintf("link lost, and more than %d sessions or %d bytes wait to be resumed", k.maxGone(), k.maxBytes())})
	}
}

// back books a session that has a link again.
func (k *Sessions) back(s *Session) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.unplace(s)
}

// remove forgets a session that has ended.
func (k *Sessions) remove(s *Session) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.unplace(s)
	if k.byID[string(s.id)] == s {
		delete(k.byID, string(s.id))
	}
}

func (k *Sessions) unplace(s *Session) {
	if e := k.place[s]; e != nil {
		k.bytes -= k.gone.Remove(e).(*goneSession).bytes
		delete(k.place, s)
	}
}

func (k *Sessions) maxGone() int {
	if k.MaxGone == 0 {
		return 10_000
	}
	return k.MaxGone
}

func (k *Sessions) maxBytes() int {
	if k.MaxGoneBytes == 0 {
		return 256 << 20
	}
	return k.MaxGoneBytes
}
