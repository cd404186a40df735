package room

// maxNumbers bounds the members whose numbers are known.
const maxNumbers = 1024

// numbers has the highest number of the lines of each member, by its id.
type numbers map[string]uint64

// add reports whether a line is the first one with its number, and remembers it.
func (n numbers) add(member string, number uint64) bool {
	if number == 0 {
		return true
	}
	if number <= n[member] {
		return false
	}
	if len(n) >= maxNumbers && n[member] == 0 {
		for other := range n { // any one
			delete(n, other)
			break
		}
	}
	n[member] = number
	return true
}
