package health

import (
	"context"
	"sync"

	healthv1 "github.com/parley-rpc/parley/gen/parley/health/v1"
	"github.com/parley-rpc/parley/rpc"
)

const (
	// maxListed is the maximum number of services in the answer of List, as in
	// gRPC.
	maxListed = 100
	// maxWatched is the maximum length in bytes of a watched name without a
	// status, which the server keeps. No longer name fits into the header of a
	// call.
	maxWatched = 16 << 10
)

// Server keeps the statuses of services and reports them: by gRPC's health
// protocol, and as an http.Handler. It is safe for concurrent use.
type Server struct {
	mu       sync.Mutex
	statuses map[string]Status
	changed  chan struct{} // closed, and replaced, when a status changes
	shutdown bool
}

// NewServer returns a Server on which the server as a whole, "", is Serving,
// and no service has a status.
func NewServer() *Server {
	return &Server{statuses: map[string]Status{"": Serving}, changed: make(chan struct{})}
}

// Service returns the service to be registered: srv.Register(status.Service()).
func (s *Server) Service() *rpc.Service {
	return &rpc.Service{Name: ServiceName, Methods: []rpc.ServiceMethod{
		{Method: checkMethod, Handler: rpc.UnaryHandler(s.check)},
		{Method: listMethod, Handler: rpc.UnaryHandler(s.list)},
		{Method: watchMethod, Handler: rpc.ServerStreamHandler(s.watch)},
	}}
}

// Set sets the status of a service, by its full name; "" is the server as a
// whole. ServiceUnknown removes the status. Between Shutdown and Resume, Set
// does nothing.
func (s *Server) Set(service string, status Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shutdown || s.status(service) == status {
		return
	}
	if status == ServiceUnknown {
		delete(s.statuses, service)
	} else {
		s.statuses[service] = status
	}
	s.tell()
}

// Shutdown sets all statuses to NotServing until Resume.
func (s *Server) Shutdown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shutdown = true
	s.setAll(NotServing)
}

// Resume sets all statuses to Serving and enables Set again.
func (s *Server) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shutdown = false
	s.setAll(Serving)
}

// setAll sets all statuses. mu is held.
func (s *Server) setAll(status Status) {
	for service := range s.statuses {
		s.statuses[service] = status
	}
	s.tell()
}

// status returns the status of a service, ServiceUnknown without one. mu is
// held.
func (s *Server) status(service string) Status {
	if status, known := s.statuses[service]; known {
		return status
	}
	return ServiceUnknown
}

// tell wakes the watchers. mu is held.
func (s *Server) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// look returns the status of a service, and a channel that is closed when a
// status changes.
func (s *Server) look(service string) (Status, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status(service), s.changed
}

func (s *Server) check(_ context.Context, req *healthv1.HealthCheckRequest) (*healthv1.HealthCheckResponse, error) {
	status, _ := s.look(req.Service)
	if status == ServiceUnknown {
		return nil, rpc.Errorf(rpc.CodeNotFound, "unknown service %.200q", req.Service)
	}
	return status.response(), nil
}

func (s *Server) list(context.Context, *healthv1.HealthListRequest) (*healthv1.HealthListResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.statuses); n > maxListed {
		return nil, rpc.Errorf(rpc.CodeResourceExhausted, "%d services have a status, at most %d can be listed", n, maxListed)
	}
	res := &healthv1.HealthListResponse{Statuses: make(map[string]*healthv1.HealthCheckResponse, len(s.statuses))}
	for service, status := range s.statuses {
		res.Statuses[service] = status.response()
	}
	return res, nil
}

// watch sends a status and its changes. It queues nothing for a slow watcher,
// which then gets the latest status.
func (s *Server) watch(ctx context.Context, req *healthv1.HealthCheckRequest, out rpc.Sender[healthv1.HealthCheckResponse]) error {
	if len(req.Service) > maxWatched {
		return rpc.Errorf(rpc.CodeInvalidArgument, "a service name of %d bytes exceeds the limit of %d", len(req.Service), maxWatched)
	}
	last, draining := Status(-1), false
	for {
		status, changed := s.look(req.Service)
		if status != last {
			if err := out.Send(status.response()); err != nil {
				return err
			}
			last = status
		}
		if draining {
			return rpc.Errorf(rpc.CodeUnavailable, "the connection is draining: watch on another one")
		}
		select {
		case <-changed:
		case <-rpc.Draining(ctx):
			draining = true
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
