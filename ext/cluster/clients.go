package cluster

import "slices"

// clientsPage returns the connections of up to limit clients of this node that
// come after a name, sorted by name, the newest first for each. more reports
// whether there are further ones, after the last name.
func (d *directory) clientsPage(after string, limit int) (page []Presence, more bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	names, more := pageOfNames(d.clients, after, limit)
	for _, name := range names {
		for _, s := range slices.Backward(d.clients[name].sessions) {
			page = append(page, d.presence(name, s))
		}
	}
	return page, more
}

// pageOfNames returns the first limit keys after a name, sorted.
func pageOfNames[V any](clients map[string]V, after string, limit int) (names []string, more bool) {
	for name := range clients {
		if name > after {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if len(names) > limit {
		return names[:limit], true
	}
	return names, false
}
