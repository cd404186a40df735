package health

import (
	"context"
	"sync"

	healthv1 "github.com/parley-rpc/parley/gen/parley/health/v1"
	"github.com/parley-rpc/parley/rpc"
)

const (
	// maxListed is how many services List answers with, as in gRPC.
	maxListed = 100
	// maxWatched is how long, in bytes, a name may be that has no status but is watched:
	// the server keeps it. No longer one fits into the header of a call.
	maxWatched = 16 << 10
)

// Server keeps the statuses of services and tells whoever asks: by gRPC's health
// protocol, and as an http.Handler. It may be used by many goroutines at once.
type Server struct {
	mu       sync.Mutex
	statuses map[string]Status
	changed  chan struct{} // closed, and replaced, when a status changes
	shutdown bool
}

// NewServer returns a Server for which the server as a whole, "", is Serving, and
// which knows of no service.
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

// Set sets the status of a service, by its full name; "" is the server as a whole.
// ServiceUnknown takes the status away. Between Shutdown and Resume Set does nothing.
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

// Shutdown sets all statuses to NotServing, where they stay until Resume.
func (s *Server) Shutdown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shutdown = true
	s.setAll(NotServing)
}

// Resume sets all statuses to Serving, and Set works again.
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

// status returns the status of a service, ServiceUnknown without one. mu is held.
func (s *Server) status(service string) Status {
	if status, known := s.statuses[service]; known {
		return status
	}
	return ServiceUnknown
}

// tell wakes those who watch. mu is held.
func (s *Server) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// look returns the status of a service, and what is closed when one has changed.
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

// watch tells a status and what becomes of it. While a watcher is slow it keeps
// nothing: the watcher is told the latest status then.
func (s *Server) watch(ctx context.Context, req *healthv1.HealthCheckRequest, out rpc.Sender[healthv1.HealthCheckResponse]) error {
	if len(req.Service) > maxWatched {
		return rpc.Errorf(rpc.CodeInvalidArgument, "a service's name of %d bytes cannot be watched, at most %d", len(req.Service), maxWatched)
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
			return rpc.Errorf(rpc.CodeUnavailable, "the connection goes away, watch on another one")
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
