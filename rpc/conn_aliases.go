package rpc

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// methodAliases are the aliases of methods on one connection.
type methodAliases struct {
	learned learnedAliases // given by the peer
	given   givenAliases   // given by this end
}

// learnedAliases are the aliases that the peer has given to methods.
type learnedAliases struct {
	mu      sync.Mutex // serializes learn
	current atomic.Pointer[map[methodName]uint64]
	last    atomic.Pointer[learnedAlias] // the last one: many connections have one method
}

// learnedAlias is the alias of one method.
type learnedAlias struct {
	method *Method
	alias  uint64
}

type methodName struct{ service, name string }

// maxAliases bounds the memory of a caller with ever new methods, such as a
// proxy.
const maxAliases = 4096

// of returns the method's alias, or 0.
func (a *learnedAliases) of(m *Method) uint64 {
	if last := a.last.Load(); last != nil && last.method == m {
		return last.alias
	}
	known := a.current.Load()
	if known == nil {
		return 0
	}
	return (*known)[methodName{m.Service, m.Name}]
}

func (a *learnedAliases) learn(m *Method, alias uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := make(map[methodName]uint64)
	if known := a.current.Load(); known != nil {
		if len(*known) >= maxAliases {
			return
		}
		maps.Copy(next, *known)
	}
	next[methodName{m.Service, m.Name}] = alias
	a.current.Store(&next)
	a.last.Store(&learnedAlias{m, alias})
}

// givenAliases are the aliases that this end has given on a connection, one bit
// each. Only these may name methods there. Otherwise a caller could try all
// numbers to learn which methods exist, or call one whose name it does not
// know.
type givenAliases struct {
	mu      sync.Mutex // serializes give
	current atomic.Pointer[[]uint64]
}

// has reports whether an alias was given.
func (g *givenAliases) has(alias uint64) bool {
	bits := g.current.Load()
	return bits != nil && alias/64 < uint64(len(*bits)) && (*bits)[alias/64]>>(alias%64)&1 != 0
}

// give records that an alias is about to be given.
func (g *givenAliases) give(alias uint64) {
	if g.has(alias) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	var next []uint64
	if bits := g.current.Load(); bits != nil {
		next = slices.Clone(*bits)
	}
	for uint64(len(next)) <= alias/64 {
		next = append(next, 0)
	}
	next[alias/64] |= 1 << (alias % 64)
	g.current.Store(&next)
}
