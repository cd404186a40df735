package rpc

import (
	"hash/maphash"
	"sync"
)

// recentSet remembers recent entries: at least maxRecent, and at most twice as
// many. It stores keyed hashes, since the entries may be credentials.
type recentSet struct {
	mu         sync.Mutex
	seed       maphash.Seed
	young, old map[uint64]struct{}
}

// maxRecent is the size of a generation: 16 to 40 bytes each.
const maxRecent = 32_768

func newRecentSet() *recentSet {
	return &recentSet{seed: maphash.MakeSeed(), young: make(map[uint64]struct{})}
}

// add remembers parts, which form one entry together.
func (r *recentSet) add(parts ...string) {
	h := r.hash(parts)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keep(h)
}

// has reports whether parts were added recently. It counts as adding them
// again.
func (r *recentSet) has(parts ...string) bool {
	h := r.hash(parts)
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.young[h]
	if _, was := r.old[h]; was && !ok {
		r.keep(h)
		ok = true
	}
	return ok
}

// keep adds an entry to the young generation, which becomes the old one when it
// is full.
func (r *recentSet) keep(h uint64) {
	if len(r.young) >= maxRecent {
		r.young, r.old = make(map[uint64]struct{}), r.young
	}
	r.young[h] = struct{}{}
}

func (r *recentSet) hash(parts []string) uint64 {
	var h maphash.Hash
	h.SetSeed(r.seed)
	for _, p := range parts {
		_, _ = h.WriteString(p) // never fails
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}
