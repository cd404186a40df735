package room

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/parley-rpc/parley/ext/cluster"
	chatv1 "github.com/parley-rpc/parley/gen/parley/chat/v1"
	"github.com/parley-rpc/parley/rpc"
)

const maxMembers = 100 // of one room

// rooms are the rooms that have members on this node, and the members of all
// rooms on all nodes.
type rooms struct {
	node *cluster.Node
	// setting is held while the presence of a connection of this node changes. It
	// comes before mu in the lock order.
	setting sync.Mutex

	mu       sync.Mutex
	rooms    map[string]*room
	presents presents
}

// room is a room that has members on this node.
type room struct {
	name    string
	members map[*member]struct{}
	typists map[string]*typist // on all nodes, by id
	end     context.CancelFunc // of what is heard from other nodes
}

// member is one Join call on this node.
type member struct {
	id   string
	name string
	room *room
	conn *rpc.Conn
	// client is the name of conn in the directory.
	client string

	shown          map[string]string // the names that the member was told, by ids; for showMembers
	membersChanged chan struct{}     // has an item when members have come or left
	typistsChanged chan struct{}     // has an item when members have started or stopped typing

	typing lastTyping // guarded by rooms.mu
}

func newRooms(node *cluster.Node) *rooms {
	return &rooms{node: node, rooms: make(map[string]*room), presents: newPresents()}
}

func newMember(key, name string) *member {
	return &member{
		id: memberID(key), name: name,
		membersChanged: make(chan struct{}, 1), typistsChanged: make(chan struct{}, 1),
	}
}

// enter adds a member, and returns its first event. If a member with the same
// key is in the room, it is the same one, which was cut off.
func (rs *rooms) enter(conn *rpc.Conn, enter *chatv1.Enter) (*member, *chatv1.Entered, error) {
	rs.setting.Lock()
	defer rs.setting.Unlock()
	m := newMember(enter.Key, enter.Name)
	m.conn = conn
	m.client, _ = Identify(conn)
	if err := rs.admit(m, enter.Room); err != nil {
		return nil, nil, err
	}
	if err := rs.setMeta(conn); err != nil {
		rs.remove(m)
		return nil, nil, err
	}
	return m, &chatv1.Entered{Names: slices.Sorted(maps.Values(m.shown)), Member: m.id}, nil
}

// admit adds a member to this node, and notes for it who is there.
func (rs *rooms) admit(m *member, roomName string) error {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	there := rs.presents.in(roomName)
	for id, p := range there {
		if p.name == m.name && id != m.id {
			return rpc.Errorf(rpc.CodeAlreadyExists, "there is a %q in room %q already", m.name, roomName)
		}
	}
	if len(there) >= maxMembers && there[m.id].conns == 0 {
		return rpc.Errorf(rpc.CodeResourceExhausted, "room %q is full", roomName)
	}
	r := rs.rooms[roomName]
	if r == nil {
		r = &room{name: roomName, members: make(map[*member]struct{}), typists: make(map[string]*typist)}
		rs.rooms[roomName] = r
		rs.hearTyping(r)
	}
	m.room = r
	r.members[m] = struct{}{}
	m.typistsChanged <- struct{}{} // another member may be typing
	rs.setPresent(m.client, func(meta map[string]string) { meta[presentKey(roomName, m.id)] = m.name })
	m.shown = rs.people(roomName)
	return nil
}

// leave ends a membership.
func (rs *rooms) leave(m *member) {
	rs.setting.Lock()
	defer rs.setting.Unlock()
	rs.stops(m)
	rs.remove(m)
	_ = rs.setMeta(m.conn) // less than before always fits
}

// connected tells the directory what a connection did before it was there.
func (rs *rooms) connected(conn *rpc.Conn) {
	rs.setting.Lock()
	defer rs.setting.Unlock()
	_ = rs.setMeta(conn) // enter has told the member
}

// setMeta tells the directory who a connection is. If it is not in the directory
// yet, connected follows. The caller holds setting.
func (rs *rooms) setMeta(conn *rpc.Conn) error {
	err := rs.node.SetMeta(conn, rs.metaOf(conn))
	if errors.Is(err, rpc.CodeNotFound) {
		return nil
	}
	return err
}

// remove removes a member from this node.
func (rs *rooms) remove(m *member) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := m.room
	delete(r.members, m)
	if len(r.members) == 0 {
		delete(rs.rooms, r.name)
		r.end()
		for _, t := range r.typists {
			t.quiet.Stop()
		}
	}
	for other := range r.members {
		if other.id == m.id && other.client == m.client {
			return // another call of the same member
		}
	}
	rs.setPresent(m.client, func(meta map[string]string) { delete(meta, presentKey(r.name, m.id)) })
}

// setPresent changes the presence of a connection of this node. The caller holds
// mu.
func (rs *rooms) setPresent(client string, change func(meta map[string]string)) {
	meta := maps.Clone(rs.presents.conns[client].meta)
	if meta == nil {
		meta = make(map[string]string)
	}
	change(meta)
	rs.update(client, rs.node.ID(), meta)
}

// metaOf returns what the directory has to say about a connection.
func (rs *rooms) metaOf(conn *rpc.Conn) map[string]string {
	client, _ := Identify(conn)
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.presents.conns[client].meta
}

// update notes where the member of a connection is, and wakes the members of
// rooms that it changes. The caller holds mu.
func (rs *rooms) update(client string, node cluster.NodeID, meta map[string]string) {
	for name := range rs.presents.set(client, node, meta) {
		if r := rs.rooms[name]; r != nil {
			for m := range r.members {
				wake(m.membersChanged)
			}
		}
	}
}

// showMembers tells a member who comes and leaves, until ctx ends or the call is
// over. A member that reads slowly is told what has changed in the end.
func (rs *rooms) showMembers(ctx context.Context, m *member, to *sender) error {
	for {
		select {
		case <-m.membersChanged:
		case <-ctx.Done():
			return ctx.Err()
		}
		rs.mu.Lock()
		now := rs.people(m.room.name)
		rs.mu.Unlock()
		for _, res := range changes(m.shown, now) {
			if err := to.send(res); err != nil {
				return err
			}
		}
		m.shown = now
	}
}

// people returns the names of the members of a room by their ids. The caller
// holds mu.
func (rs *rooms) people(room string) map[string]string {
	people := make(map[string]string)
	for id, p := range rs.presents.in(room) {
		people[id] = p.name
	}
	return people
}

// changes returns the events that lead from some people to others.
func changes(before, after map[string]string) (events []*chatv1.JoinResponse) {
	for _, id := range slices.Sorted(maps.Keys(before)) {
		if after[id] == "" {
			events = append(events, &chatv1.JoinResponse{Event: &chatv1.JoinResponse_Left{Left: &chatv1.Left{Name: before[id]}}})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(after)) {
		if before[id] == "" {
			events = append(events, &chatv1.JoinResponse{Event: &chatv1.JoinResponse_Came{Came: &chatv1.Came{Name: after[id]}}})
		}
	}
	return events
}

// memberID returns the id of the member with a key, or a random one.
func memberID(key string) string {
	sum := sha256.Sum256([]byte(cmp.Or(key, rand.Text())))
	return hex.EncodeToString(sum[:8])
}

// wake puts an item into a channel that has room for one.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // there is one
	}
}
