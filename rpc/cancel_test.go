package rpc_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// few is the lowest limit of streams, so that a stream that is not released is
// noticed soon.
var few = transport.Parameters{MaxStreams: 16}

// cancellations are the ways in which a caller abandons a call.
var cancellations = []struct {
	name string
	end  func(s rpc.Stream, cancel func())
	only func(m *rpc.Method) bool // nil: all kinds
}{
	{"the context", func(s rpc.Stream, cancel func()) {
		cancel()
		_, _ = recvAll(s) // a unary call checks its context there
	}, nil},
	{"the context, without another word", func(_ rpc.Stream, cancel func()) { cancel() }, func(m *rpc.Method) bool { return m != unary }},
	{"Close", func(s rpc.Stream, _ func()) { s.Close() }, nil},
	{"the context while it is received from", func(s rpc.Stream, cancel func()) {
		go cancel()
		_, _ = recvAll(s)
	}, nil},
	{"leaving a loop", func(s rpc.Stream, _ func()) {
		for _, err := range rpc.NewReceiver[wrapperspb.StringValue](s).All() {
			if err == nil {
				break
			}
		}
	}, func(m *rpc.Method) bool { return m.ServerStreams }},
}

// answering sends its header when it starts, then one response if there may be
// many, and waits for the end of its context.
func answering(ended chan<- error) rpc.Handler {
	return func(ctx context.Context, s rpc.Stream) error {
		_ = s.Call().SendHeader() // if this fails, so does the rest
		if s.Call().Method.ServerStreams {
			if err := s.Send(text("first")); err != nil {
				ended <- err
				return err
			}
		}
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}
}

func TestCancellationTravelsAndFreesTheStream(t *testing.T) {
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		ended := make(chan error, 1)
		services := rpc.NewMux()
		register(services, m, answering(ended))
		p := newPair(t, []rpc.ServerOption{rpc.WithTransport(few)},
			[]rpc.ClientOption{rpc.WithTransport(few), rpc.WithServices(services)},
			func(srv *rpc.Server) { register(srv, m, answering(ended)) })
		for _, caller := range []rpc.Caller{p.client, p.serverConn} {
			for _, c := range cancellations {
				if c.only != nil && !c.only(m) {
					continue
				}
				for range 2*few.MaxStreams + 1 {
					ctx, cancel := context.WithCancel(t.Context())
					s, err := caller.Open(ctx, m)
					if err != nil {
						t.Fatalf("%s: %v", c.name, err)
					}
					if _, err := s.Call().ResponseHeader(); err != nil { // a call that is over when it arrives sends nothing
						t.Fatalf("%s: %v", c.name, err)
					}
					c.end(s, cancel)
					if err := <-ended; rpc.CodeOf(err) != rpc.CodeCanceled {
						t.Fatalf("%s: the handler was told %v", c.name, err)
					}
					cancel()
					s.Close()
				}
			}
		}
		if p.clientConn.Err() != nil || p.serverConn.Err() != nil {
			t.Fatal("the connection has ended")
		}
	})
}

func TestACanceledCallIsOver(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) { registerAll(srv, answering(make(chan error, 100))) })
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		for _, c := range cancellations {
			if c.only != nil && !c.only(m) {
				continue
			}
			ctx, cancel := context.WithCancel(t.Context())
			s, err := p.client.Open(ctx, m)
			if err != nil {
				t.Fatal(err)
			}
			c.end(s, cancel)
			_, err = recvAll(s)
			wantError(t, err, rpc.CodeCanceled)
			wantError(t, s.Send(text("")), rpc.CodeCanceled)
			wantError(t, s.CloseSend(), rpc.CodeCanceled)
			cancel()
		}
	})
}

// TestHandlersAreCanceledWhenTheConnectionEnds ends connections while both ends
// serve calls of all kinds.
func TestHandlersAreCanceledWhenTheConnectionEnds(t *testing.T) {
	for _, c := range []struct {
		name           string
		end            func(p *pair)
		client, server rpc.Code // what callers see there
	}{
		{"the client is closed", func(p *pair) { p.client.Close() }, rpc.CodeCanceled, rpc.CodeCanceled},
		{"the client's connection is closed", func(p *pair) { p.clientConn.Close() }, rpc.CodeCanceled, rpc.CodeCanceled},
		{"the server's connection is closed", func(p *pair) { p.serverConn.Close() }, rpc.CodeCanceled, rpc.CodeCanceled},
		{"the server is closed", func(p *pair) { p.srv.Close() }, rpc.CodeUnavailable, rpc.CodeUnavailable},
		{"the link is lost", func(p *pair) { p.dialer.Cut() }, rpc.CodeUnavailable, rpc.CodeUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			started, ended := make(chan struct{}, 8), make(chan error, 8)
			services := rpc.NewMux()
			registerAll(services, waiting(started, ended))
			p := newPair(t, []rpc.ServerOption{rpc.WithoutResumption()}, []rpc.ClientOption{rpc.WithServices(services)},
				func(srv *rpc.Server) { registerAll(srv, waiting(started, ended)) })
			var calls []<-chan outcome
			for _, caller := range []rpc.Caller{p.clientConn, p.serverConn} {
				for _, m := range kinds {
					calls = append(calls, start(func() ([]string, error) { return converse(t.Context(), caller, m, []string{""}) }))
					<-started
				}
			}
			c.end(p)
			for i, call := range calls {
				got := <-call
				want := c.client
				if i >= len(kinds) {
					want = c.server
				}
				wantError(t, got.err, want)
				if err := <-ended; !errors.Is(err, context.Canceled) {
					t.Errorf("a handler's context ended with %v", err)
				}
			}
			<-p.clientConn.Done()
			<-p.serverConn.Done()
			wantError(t, p.clientConn.Err(), c.client)
			_, err := p.clientConn.Open(t.Context(), unary)
			wantError(t, err, c.client)
			_, err = p.clientConn.Ping(t.Context())
			wantError(t, err, c.client)
		})
	}
}

// TestACallThatWaitsForItsTurnEndsWithItsContext makes more calls than may be
// open.
func TestACallThatWaitsForItsTurnEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 100)
		p := newPair(t, []rpc.ServerOption{rpc.WithTransport(few)}, nil, func(srv *rpc.Server) { register(srv, bidi, answering(ended)) })
		var open []rpc.Stream
		for range few.MaxStreams {
			s, err := p.client.Open(t.Context(), bidi)
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, s)
		}
		begin := time.Now()
		_, err := p.client.Open(t.Context(), bidi, rpc.WithTimeout(time.Second))
		wantError(t, err, rpc.CodeDeadlineExceeded)
		if took := time.Since(begin); took != time.Second {
			t.Errorf("it waited %v", took)
		}
		waiting := start(func() ([]string, error) {
			return converse(t.Context(), p.client, bidi, nil, rpc.WithTimeout(time.Minute))
		})
		synctest.Wait()
		open[0].Close()
		synctest.Wait()
		if len(ended) != 1 {
			t.Fatalf("%d handlers have ended", len(ended))
		}
		for _, s := range open {
			s.Close()
		}
		got := <-waiting // it had its turn, and then its deadline passed
		wantError(t, got.err, rpc.CodeDeadlineExceeded)
	})
}

// TestACanceledCallDoesNotHarmOthers cancels calls among others that go on.
func TestACanceledCallDoesNotHarmOthers(t *testing.T) {
	url, srv := serve(t)
	ended := make(chan error, 100)
	register(srv, download, answering(ended))
	register(srv, bidi, echo)
	client := rpc.NewClient(url)
	defer client.Close()
	s, err := client.Open(t.Context(), bidi)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		lost, err := client.Open(ctx, download)
		if err != nil {
			t.Fatal(err)
		}
		if err := lost.Send(text("")); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := s.Send(text("a")); err != nil {
			t.Fatal(err)
		}
		if err := s.Recv(new(wrapperspb.StringValue)); err != nil {
			t.Fatal(err)
		}
		lost.Close()
	}
}
