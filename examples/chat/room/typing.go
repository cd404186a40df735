package room

import (
	"context"
	"slices"
	"time"

	chatv1 "github.com/parley-rpc/parley/gen/parley/chat/v1"
	"github.com/parley-rpc/parley/gen/parley/chat/v1/chatv1parley"
)

const (
	typingHolds = 6 * time.Second        // without a renewal, a member has stopped typing
	showPause   = 250 * time.Millisecond // between two calls to one member
)

// types records that a member is typing.
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

// stops records that a member is no longer typing.
func (rs *rooms) stops(m *member) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	m.stopTyping()
}

// fallSilent ends what types has started, unless it was renewed meanwhile.
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
		default: // the member is about to look
		}
	}
}

// typingBeside returns who is typing in a member's room, except the member
// itself.
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

// showTyping calls a member whenever another one starts or stops typing, until
// ctx ends or a call fails. It makes one call at a time, with the state at that
// time, so a member that does not respond costs one call.
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
				return // the member still gets lines
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
