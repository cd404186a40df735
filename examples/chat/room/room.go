package room

import (
	"maps"
	"slices"
	"sync"
	"time"

	chatv1 "github.com/parley-rpc/parley/gen/parley/chat/v1"
	"github.com/parley-rpc/parley/rpc"
)

const maxMembers = 100 // of one room

// rooms are all rooms that have members.
type rooms struct {
	mu    sync.Mutex
	rooms map[string]*room
}

// room is the members that receive each other's lines.
type room struct {
	name    string
	members map[string]*member
	said    uint64 // lines
}

// member is one Join call.
type member struct {
	name  string
	room  *room
	queue *queue

	typists     chan struct{} // has an item when other members have started or stopped typing
	typingUntil time.Time     // zero while the member does not type
	quiet       *time.Timer   // ends that; nil before the first time
}

// enter adds a member, and returns its first event.
func (rs *rooms) enter(roomName, name string) (*member, *chatv1.Entered, error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.rooms[roomName]
	if r == nil {
		r = &room{name: roomName, members: make(map[string]*member)}
	}
	switch {
	case r.members[name] != nil:
		return nil, nil, rpc.Errorf(rpc.CodeAlreadyExists, "there is a %q in room %q already", name, roomName)
	case len(r.members) == maxMembers:
		return nil, nil, rpc.Errorf(rpc.CodeResourceExhausted, "room %q is full", roomName)
	}
	r.tell(&chatv1.JoinResponse{Event: &chatv1.JoinResponse_Came{Came: &chatv1.Came{Name: name}}})
	m := &member{name: name, room: r, queue: newQueue(), typists: make(chan struct{}, 1)}
	m.typists <- struct{}{} // another member may be typing
	r.members[name] = m
	rs.rooms[roomName] = r
	return m, &chatv1.Entered{Names: slices.Sorted(maps.Keys(r.members)), Said: r.said}, nil
}

// leave ends a membership. The member gets no more events.
func (rs *rooms) leave(m *member) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	m.stopTyping()
	delete(m.room.members, m.name)
	if len(m.room.members) == 0 {
		delete(rs.rooms, m.room.name)
	}
	m.queue.close()
	m.room.tell(&chatv1.JoinResponse{Event: &chatv1.JoinResponse_Left{Left: &chatv1.Left{Name: m.name}}})
}

// say sends a line of one member to all members.
func (rs *rooms) say(m *member, text string) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	m.stopTyping()
	m.room.said++
	said := &chatv1.Said{Name: m.name, Text: text, Number: m.room.said}
	m.room.tell(&chatv1.JoinResponse{Event: &chatv1.JoinResponse_Said{Said: said}})
}

// tell puts an event into every queue. The caller holds the mutex of the rooms,
// so all members get the same order. No queue blocks, so the mutex is held only
// briefly.
func (r *room) tell(ev *chatv1.JoinResponse) {
	for _, m := range r.members {
		m.queue.put(ev)
	}
}
