package cluster

import (
	"iter"
	"maps"
	"slices"
)

// pages ranges over the connections of the clients of this node, sorted by name,
// the newest first for each, in pages of some clients. A client that joins
// meanwhile may be missing.
func (d *directory) pages(clients int) iter.Seq[[]Presence] {
	return func(yield func([]Presence) bool) {
		d.mu.Lock()
		names := slices.AppendSeq(make([]string, 0, len(d.clients)), maps.Keys(d.clients))
		d.mu.Unlock()
		slices.Sort(names)
		for chunk := range slices.Chunk(names, clients) {
			if page := d.page(chunk); len(page) > 0 && !yield(page) {
				return
			}
		}
	}
}

// page returns the connections of some clients.
func (d *directory) page(names []string) (page []Presence) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range names {
		c := d.clients[name]
		if c == nil {
			continue // it has left since
		}
		for _, s := range slices.Backward(c.sessions) {
			page = append(page, d.presence(name, s))
		}
	}
	return page
}
