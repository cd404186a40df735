package transport

// replayStep is how many bytes a session takes from the budget at once.
const replayStep = 256 << 10

// replayRoom is the room that a session has for frames that may have to be sent
// again: its own, and what it has taken from a budget. It holds nothing of the
// budget at rest. The outbox's mu guards it.
type replayRoom struct {
	own    int     // bytes
	shared *Budget // with other sessions; nil: no bound
	extra  int     // bytes taken from shared
}

// size returns the room that there is, in bytes.
func (r *replayRoom) size() int { return r.own + r.extra }

// reserve makes room for n bytes in all, and reports whether that is possible.
func (r *replayRoom) reserve(n int) bool {
	more := n - r.size()
	if more <= 0 {
		return true
	}
	more = (more + replayStep - 1) / replayStep * replayStep
	if r.shared != nil && !r.shared.take(uint64(more)) {
		return false
	}
	r.extra += more
	return true
}

// giveBack returns what is not needed while n bytes are kept. A little more
// stays, so that data that flows evenly takes and gives nothing.
func (r *replayRoom) giveBack(n int) {
	spare := 0
	if n > r.own {
		spare = n - r.own + 2*replayStep
	} else if n > r.own/2 {
		spare = replayStep
	}
	if r.extra <= spare {
		return
	}
	less := (r.extra - spare) / replayStep * replayStep
	if r.shared != nil {
		r.shared.give(uint64(less))
	}
	r.extra -= less
}
