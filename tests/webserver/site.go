package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/examples/pinger"
	parleyconnect "github.com/parley-rpc/parley/ext/connect"
	agentv1 "github.com/parley-rpc/parley/gen/parley/agent/v1"
	"github.com/parley-rpc/parley/gen/parley/agent/v1/agentv1parley"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// site is the endpoints and pages of the server.
type site struct {
	origin string
	files  string
	sent   atomic.Int64
	open   atomic.Int64
	auth   endpoint
	brief  endpoint
	large  endpoint

	mu       sync.Mutex
	current  endpoint // serves /rpc
	draining sync.WaitGroup
}

func newSite(origin, files string) *site {
	s := &site{origin: origin, files: files}
	s.current = s.server()
	s.auth = s.server(rpc.WithAuthentication(authenticate))
	s.brief = s.server(rpc.WithoutResumption())
	s.large = s.server(rpc.WithTransport(transport.Parameters{MaxMessage: 16 << 20}))
	return s
}

// endpoint is a server of WebSockets, and its services over HTTP.
type endpoint struct {
	*rpc.Server
	calls *parleyconnect.Handler
}

func (s *site) server(opts ...rpc.ServerOption) endpoint {
	if s.origin != "" {
		opts = append(opts, rpc.WithOrigins(s.origin))
	}
	srv := rpc.NewServer(append(opts, rpc.WithHandlerInterceptors(s.count, echo),
		rpc.OnConnect(func(*rpc.Conn) { s.open.Add(1) }),
		rpc.OnDisconnect(func(*rpc.Conn, error) { s.open.Add(-1) }),
		rpc.WithLogger(slog.New(slog.DiscardHandler)))...)
	pingv1parley.RegisterPingServiceServer(srv, pinger.Service{})
	agentv1parley.RegisterHubServiceServer(srv, hub{})
	return endpoint{srv, parleyconnect.NewHandler(srv)}
}

func (s *site) handler() http.Handler {
	mux := http.NewServeMux()
	now := func() endpoint {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.current
	}
	mux.HandleFunc("/rpc", func(w http.ResponseWriter, r *http.Request) { now().ServeHTTP(w, r) })
	mux.Handle("/rpc/", http.StripPrefix("/rpc", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now().calls.ServeHTTP(w, r)
	})))
	mux.Handle("/auth", s.auth)
	mux.Handle("/auth/", http.StripPrefix("/auth", s.auth.calls))
	mux.Handle("/brief", s.brief)
	mux.Handle("/large", s.large)
	mux.HandleFunc("POST /drain", func(http.ResponseWriter, *http.Request) { s.drain() })
	mux.HandleFunc("GET /sent", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, s.sent.Load()) })
	mux.HandleFunc("GET /open", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, s.open.Load()) })
	if s.files != "" {
		mux.Handle("/", http.FileServer(http.Dir(s.files)))
	}
	return mux
}

// drain replaces the server with another one.
func (s *site) drain() {
	s.mu.Lock()
	old := s.current
	s.current = s.server()
	s.mu.Unlock()
	s.draining.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = old.Shutdown(ctx) // calls that are not over in time fail, as on any server
	})
}

func (s *site) close() error {
	s.draining.Wait()
	return errors.Join(s.current.Close(), s.auth.Close(), s.brief.Close(), s.large.Close())
}

// count counts the messages that handlers send in streams.
func (s *site) count(next rpc.Handler) rpc.Handler {
	return func(ctx context.Context, st rpc.Stream) error { return next(ctx, counted{st, &s.sent}) }
}

type counted struct {
	rpc.Stream
	sent *atomic.Int64
}

func (c counted) Send(msg any) error {
	err := c.Stream.Send(msg)
	if err == nil && c.Call().Method.ServerStreams {
		c.sent.Add(1)
	}
	return err
}

// echo returns metadata that begins with "echo-", as header and as trailer.
func echo(next rpc.Handler) rpc.Handler {
	return func(ctx context.Context, st rpc.Stream) error {
		call := st.Call()
		for key, values := range call.Header() {
			if !strings.HasPrefix(key, "echo-") {
				continue
			}
			if err := errors.Join(call.SetHeader(key, values...), call.SetTrailer("trailer-"+key, values...)); err != nil {
				return err
			}
		}
		return next(ctx, st)
	}
}

// hub calls the device that has called it.
type hub struct {
	agentv1parley.UnimplementedHubServiceServer
}

func (hub) ListAgents(ctx context.Context, _ *agentv1.ListAgentsRequest) (*agentv1.ListAgentsResponse, error) {
	said, err := device(ctx).Describe(ctx, &agentv1.DescribeRequest{}, rpc.WithTimeout(5*time.Second))
	if err != nil {
		return nil, err
	}
	return &agentv1.ListAgentsResponse{Agents: []*agentv1.Agent{{Name: "caller", Description: said}}}, nil
}

func (hub) WatchAgent(ctx context.Context, req *agentv1.WatchAgentRequest, out rpc.Sender[agentv1.WatchAgentResponse]) error {
	readings, err := device(ctx).Watch(ctx, req.GetWatch())
	if err != nil {
		return err
	}
	for r, err := range readings.All() {
		if err != nil {
			return err
		}
		if err := out.Send(&agentv1.WatchAgentResponse{Reading: r.Reading}); err != nil {
			return err
		}
	}
	return nil
}

func device(ctx context.Context) agentv1parley.AgentServiceClient {
	return agentv1parley.NewAgentServiceClient(rpc.FromContext(ctx).Conn)
}
