package room

import (
	"maps"
	"strings"

	"github.com/parley-rpc/parley/ext/cluster"
)

// presents are the members of all rooms on all nodes. The metadata of a
// connection says which: it has an item for each room and member.
type presents struct {
	conns map[string]presence          // by the client of the directory
	rooms map[string]map[string]person // by room and id
}

// presence is a connection.
type presence struct {
	node cluster.NodeID
	meta map[string]string
}

// person is a member of a room, with one connection, or with several for a while
// after it was cut off.
type person struct {
	name  string
	conns int
}

func newPresents() presents {
	return presents{conns: make(map[string]presence), rooms: make(map[string]map[string]person)}
}

// presentKey returns the key of a member's item. Names of rooms are printable.
func presentKey(room, id string) string { return room + "\n" + id }

// in returns the members of a room, which must not be changed.
func (p *presents) in(room string) map[string]person { return p.rooms[room] }

// set replaces the metadata of a connection, and returns the rooms that change.
func (p *presents) set(client string, node cluster.NodeID, meta map[string]string) (changed map[string]struct{}) {
	changed = make(map[string]struct{})
	before := p.conns[client].meta
	if len(meta) == 0 {
		delete(p.conns, client)
	} else {
		p.conns[client] = presence{node, meta}
	}
	for key, name := range meta {
		if before[key] != name {
			p.add(changed, key, name, 1)
		}
	}
	for key, name := range before {
		if meta[key] != name {
			p.add(changed, key, name, -1)
		}
	}
	return changed
}

// add adds connections to a person.
func (p *presents) add(changed map[string]struct{}, key, name string, conns int) {
	room, id, ok := strings.Cut(key, "\n")
	if !ok {
		return // not a member
	}
	people := p.rooms[room]
	if people == nil {
		people = make(map[string]person)
		p.rooms[room] = people
	}
	one := people[id]
	one.conns += conns
	if conns > 0 {
		one.name = name
	}
	if people[id] = one; one.conns == 0 {
		delete(people, id)
	}
	if len(people) == 0 {
		delete(p.rooms, room)
	}
	changed[room] = struct{}{}
}

// others returns the connections of other nodes than one.
func (p *presents) others(self cluster.NodeID) map[string]presence {
	others := maps.Clone(p.conns)
	maps.DeleteFunc(others, func(_ string, c presence) bool { return c.node == self })
	return others
}
