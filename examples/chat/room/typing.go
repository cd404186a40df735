package room

import (
	"context"
	"slices"
	"time"

	chatv1 "github.com/parley-rpc/parley/gen/parley/chat/v1"
	"github.com/parley-rpc/parley/gen/parley/chat/v1/chatv1parley"
)

const (
	typingHolds = 6 * time.Second        // a member that says no more of it has stopped
	showPause   = 250 * time.Millisecond // between two calls to one member
)

// types says that a member is typing.
func (rs *rooms) types(m *member) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	began := m.typingUntil.IsZero()
	m.typingUntil = time.Now().Add(typingHolds)
	if m.quiet == nil {
		m.quiet = time.AfterFunc(typingHolds, func() { rs.fallSilent(m) })
	} else {
		m.quiet.Reset(typingHolds)
	}
	if began {
		m.room.typingChanged()
	}
}

// stops says that a member no longer is typing.
func (rs *rooms) stops(m *member) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	m.stopTyping()
}

// fallSilent ends what types has begun, unless it was said again meanwhile.
func (rs *rooms) fallSilent(m *member) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if !time.Now().Before(m.typingUntil) {
		m.stopTyping()
	}
}

// stopTyping is called with the mutex of the rooms held.
func (m *member) stopTyping() {
	if m.typingUntil.IsZero() {
		return
	}
	m.quiet.Stop()
	m.typingUntil = time.Time{}
	m.room.typingChanged()
}

// typingChanged is called with the mutex of the rooms held.
func (r *room) typingChanged() {
	for _, m := range r.members {
		select {
		case m.typists <- struct{}{}:
		default: // is about to look
		}
	}
}

// typingBeside returns who is typing in a member's room, apart from that one.
func (rs *rooms) typingBeside(m *member) []string {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	var names []string
	for name, other := range m.room.members {
		if other != m && !other.typingUntil.IsZero() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// showTyping calls a member whenever another begins or stops to type,
// until ctx ends or the member fails. One call at a time, with what is true by
// then: a member that does not answer costs no more than that.
func (rs *rooms) showTyping(ctx context.Context, m *member, page chatv1parley.MemberServiceClient) {
	var shown []string
	for {
		select {
		case <-m.typists:
		case <-ctx.Done():
			return
		}
		if names := rs.typingBeside(m); !slices.Equal(names, shown) {
			if _, err := page.ShowTyping(ctx, &chatv1.ShowTypingRequest{Room: m.room.name, Names: names}); err != nil {
				return // the member is told of lines all the same
			}
			shown = names
		}
		select {
		case <-time.After(showPause):
		case <-ctx.Done():
			return
		}
	}
}
