package rpc

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Mux is a set of services. A Server has one; a Client serves one that it is
// given with WithServices. Services may be added while it is in use.
type Mux struct {
	mu      sync.Mutex // serializes changes
	current atomic.Pointer[registry]
}

// registry is a state of a Mux; it never changes.
type registry struct {
	services map[string]map[string]int // service, method: index into methods
	methods  []ServiceMethod
	unknown  Handler // of methods that are not there; nil: none
}

// NewMux returns a Mux without services.
func NewMux() *Mux {
	m := new(Mux)
	m.current.Store(&registry{services: map[string]map[string]int{}})
	return m
}

// Register adds a service. It panics if there is one of that name.
func (m *Mux) Register(s *Service) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.current.Load()
	if _, ok := old.services[s.Name]; ok {
		panic(fmt.Sprintf("rpc: service %s is registered twice", s.Name))
	}
	next := &registry{
		services: make(map[string]map[string]int, len(old.services)+1),
		methods:  append(old.methods[:len(old.methods):len(old.methods)], s.Methods...),
		unknown:  old.unknown,
	}
	for name, methods := range old.services {
		next.services[name] = methods
	}
	methods := make(map[string]int, len(s.Methods))
	for i, sm := range s.Methods {
		methods[sm.Method.Name] = len(old.methods) + i
	}
	next.services[s.Name] = methods
	m.current.Store(next)
}

// Services returns the names of the services, in order.
func (m *Mux) Services() []string {
	return slices.Sorted(maps.Keys(m.current.Load().services))
}

// HandleUnknown has h serve the methods that nobody has registered, in place of an
// earlier such handler. FromContext(ctx).Method has the names that the caller has
// used, which may be any; the kind is not known here, so h may receive and send any
// number of messages. Messages can be received and sent as *Raw, and for them the
// call's codec (Call.CodecName) need not be known. What is compressed must be by a
// compression that is known.
//
// Without such a handler these calls fail with CodeUnimplemented.
func (m *Mux) HandleUnknown(h Handler) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := *m.current.Load()
	next.unknown = h
	m.current.Store(&next)
}

// find returns the method that a call names, and the alias by which it may be
// named from then on. The alias is 0 for a method that was not registered, which
// only the handler for those serves: nothing is kept of its name. An alias in b was given.
func (m *Mux) find(b *openBlock) (sm *ServiceMethod, alias uint64, err error) {
	r := m.current.Load()
	if b.alias != 0 {
		return &r.methods[b.alias-1], b.alias, nil
	}
	methods, ok := r.services[b.service]
	if i, ok := methods[b.name]; ok {
		return &r.methods[i], uint64(i) + 1, nil
	}
	switch {
	case r.unknown != nil && b.service != "" && b.name != "":
		m := &Method{Service: b.service, Name: b.name, ClientStreams: true, ServerStreams: true}
		return &ServiceMethod{Method: m, Handler: r.unknown}, 0, nil
	case !ok:
		return nil, 0, Errorf(CodeUnimplemented, "unknown service %.200s", b.service)
	}
	return nil, 0, Errorf(CodeUnimplemented, "unknown method %.200s of service %.200s", b.name, b.service)
}
