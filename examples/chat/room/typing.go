package room

import (
	"context"
	"slices"
	"time"

	"github.com/parley-rpc/parley/ext/cluster"
	chatv1 "github.com/parley-rpc/parley/gen/parley/chat/v1"
	"github.com/parley-rpc/parley/gen/parley/chat/v1/chatv1parley"
)

const (
	typingHolds  = 6 * time.Second        // without a renewal, a member has stopped typing
	typingRenews = time.Second            // between two renewals that the other nodes are told
	showPause    = 250 * time.Millisecond // between two calls to one member
)

// lastTyping is the last change that a member has told the others.
type lastTyping struct {
	typing bool
	at     time.Time
}

// typist is a member of a room that is typing, on any node.
type typist struct {
	name  string
	until time.Time
	quiet *time.Timer // ends it
}

// typing returns the topic of who is typing in a room.
func (rs *rooms) typing(room string) *cluster.Topic[*chatv1.TypingChange] {
	return cluster.TopicOf[*chatv1.TypingChange](rs.node, "typing/"+room)
}

// types tells all nodes that a member is typing.
func (rs *rooms) types(m *member) {
	rs.tellTyping(m, lastTyping{true, time.Now()})
}

// stops tells all nodes that a member is no longer typing.
func (rs *rooms) stops(m *member) {
	rs.tellTyping(m, lastTyping{false, time.Now()})
}

func (rs *rooms) tellTyping(m *member, now lastTyping) {
	rs.mu.Lock()
	before := m.typing
	isNews := now.typing != before.typing || now.typing && now.at.Sub(before.at) >= typingRenews
	if isNews {
		m.typing = now
	}
	rs.mu.Unlock()
	if !isNews {
		return
	}
	change := &chatv1.TypingChange{Member: m.id, Name: m.name, Typing: now.typing}
	_ = rs.typing(m.room.name).Publish(context.Background(), change) // if it is lost, the next one says so
}

// hearTyping begins to note who is typing in a room, until its end is called. The
// caller holds mu.
func (rs *rooms) hearTyping(r *room) {
	ctx, end := context.WithCancel(context.Background())
	r.end = end
	go func() {
		for d, err := range rs.typing(r.name).Subscribe(ctx, "") {
			if err != nil {
				return // the room shows nothing of typing
			}
			if d.Message != nil {
				rs.heardTyping(r, d.Message)
			}
		}
	}()
}

// heardTyping notes a change.
func (rs *rooms) heardTyping(r *room, change *chatv1.TypingChange) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	t := r.typists[change.Member]
	switch {
	case rs.rooms[r.name] != r: // it has no members any more
	case !change.Typing:
		r.stopTyping(change.Member)
	case t == nil:
		t = &typist{name: change.Name, until: time.Now().Add(typingHolds)}
		t.quiet = time.AfterFunc(typingHolds, func() { rs.fallSilent(r, change.Member) })
		r.typists[change.Member] = t
		r.wakeTypists()
	default:
		t.until = time.Now().Add(typingHolds)
		t.quiet.Reset(typingHolds)
	}
}

// fallSilent ends what was heard, unless it was renewed meanwhile.
func (rs *rooms) fallSilent(r *room, id string) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if t := r.typists[id]; t != nil && !time.Now().Before(t.until) {
		r.stopTyping(id)
	}
}

// stopTyping is called with the mutex of the rooms held.
func (r *room) stopTyping(id string) {
	if t := r.typists[id]; t != nil {
		t.quiet.Stop()
		delete(r.typists, id)
		r.wakeTypists()
	}
}

// wakeTypists is called with the mutex of the rooms held.
func (r *room) wakeTypists() {
	for m := range r.members {
		wake(m.typistsChanged)
	}
}

// typingBeside returns who is typing in a member's room, except the member
// itself.
func (rs *rooms) typingBeside(m *member) []string {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	var names []string
	for id, t := range m.room.typists {
		if id != m.id {
			names = append(names, t.name)
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
		case <-m.typistsChanged:
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
