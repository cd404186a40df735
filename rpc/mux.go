package rpc

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Mux is a set of services. Each Server has one; a Client serves the one that
// WithServices sets. Services may be added while it is in use.
type Mux struct {
	mu      sync.Mutex // serializes changes
	current atomic.Pointer[registry]
}

// registry is an immutable state of a Mux.
type registry struct {
	services map[string]map[string]int // service, method: index into methods
	methods  []ServiceMethod
	unknown  Handler // of methods that are not registered; nil: none
}

// NewMux returns a Mux without services.
func NewMux() *Mux {
	m := new(Mux)
	m.current.Store(&registry{services: map[string]map[string]int{}})
	return m
}

// Register adds a service. It panics if a service of that name is registered.
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

// Services returns the sorted names of the services.
func (m *Mux) Services() []string {
	return slices.Sorted(maps.Keys(m.current.Load().services))
}

// HandleUnknown registers h for methods that are not registered, and replaces
// an earlier such handler. FromContext(ctx).Method has the names that the
// caller has used, which may be any. The kind of the method is unknown, so h
// may receive and send any number of messages. It may use *Raw messages, for
// which the call's codec (Call.CodecName) need not be known. The compression of
// messages must be known.
//
// Without such a handler these calls fail with CodeUnimplemented.
func (m *Mux) HandleUnknown(h Handler) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := *m.current.Load()
	next.unknown = h
	m.current.Store(&next)
}

// find returns the method that a call names, and its alias for later calls. The
// alias is 0 for a method that is not registered: its name is not kept. An
// alias in b must have been given.
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
		var u struct { // one allocation
			ServiceMethod
			m Method
		}
		u.m = Method{Service: b.service, Name: b.name, ClientStreams: true, ServerStreams: true}
		u.Method, u.Handler = &u.m, r.unknown
		return &u.ServiceMethod, 0, nil
	case !ok:
		return nil, 0, Errorf(CodeUnimplemented, "unknown service %.200s", b.service)
	}
	return nil, 0, Errorf(CodeUnimplemented, "unknown method %.200s of service %.200s", b.name, b.service)
}
