package rpc_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// diary records an application's events of connections, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
	wrote chan struct{}
}

func newDiary() *diary { return &diary{wrote: make(chan struct{}, 100)} }

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
	d.mu.Unlock()
	d.wrote <- struct{}{}
}

func (d *diary) options() []rpc.Option {
	return []rpc.Option{
		rpc.OnConnect(func(*rpc.Conn) { d.note("connected") }),
		rpc.OnDetached(func(*rpc.Conn) { d.note("away") }),
		rpc.OnResumed(func(*rpc.Conn) { d.note("back") }),
		rpc.OnSessionLost(func(_ *rpc.Conn, err error) { d.note("gap %v", rpc.CodeOf(err)) }),
		rpc.OnDisconnect(func(_ *rpc.Conn, err error) { d.note("disconnected %v", rpc.CodeOf(err)) }),
	}
}

// wants waits for as many lines as it expects, counted from the start.
func (d *diary) wants(t *testing.T, lines ...string) {
	t.Helper()
	for {
		d.mu.Lock()
		got := slices.Clone(d.lines)
		d.mu.Unlock()
		if len(got) >= len(lines) {
			if !slices.Equal(got, lines) {
				t.Fatalf("told %q, want %q", got, lines)
			}
			return
		}
		<-d.wrote
	}
}

func asServerOptions(opts []rpc.Option) (server []rpc.ServerOption) {
	for _, o := range opts {
		server = append(server, o)
	}
	return server
}

func asClientOptions(opts []rpc.Option) (client []rpc.ClientOption) {
	for _, o := range opts {
		client = append(client, o)
	}
	return client
}

// wires are the connections of an HTTP server that have become WebSockets.
type wires struct {
	mu    sync.Mutex
	conns []net.Conn
}

// serveWires serves h on a real socket.
func serveWires(t *testing.T, h http.Handler) (url string, w *wires) {
	t.Helper()
	w = new(wires)
	web := httptest.NewUnstartedServer(h)
	web.Config.ConnState = w.hijacked
	web.Start()
	t.Cleanup(web.Close)
	return "ws" + strings.TrimPrefix(web.URL, "http"), w
}

// hijacked records the connections of an HTTP server that are hijacked.
func (w *wires) hijacked(c net.Conn, s http.ConnState) {
	if s != http.StateHijacked {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns = append(w.conns, c)
}

// cut breaks all connections.
func (w *wires) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}

func TestBothEndsSeeAConnectionDetachedAndResumed(t *testing.T) {
	server, client := newDiary(), newDiary()
	srv := rpc.NewServer(asServerOptions(server.options())...)
	register(srv, download, func(ctx context.Context, s rpc.Stream) error {
		var in wrapperspb.StringValue
		if err := s.Recv(&in); err != nil {
			return err
		}
		for _, word := range []string{"one", "two"} {
			if err := s.Send(text(word)); err != nil {
				return err
			}
			if word == "one" {
				server.wants(t, "connected", "away", "back")
			}
		}
		return nil
	})
	t.Cleanup(func() { _ = srv.Close() })
	url, wires := serveWires(t, srv)
	c := rpc.NewClient(url, asClientOptions(client.options())...)
	t.Cleanup(func() { _ = c.Close() })
	in, err := rpc.CallServerStream[wrapperspb.StringValue, wrapperspb.StringValue](t.Context(), c, download, text(""))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for word, err := range in.All() {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, word.Value); len(got) == 1 {
			wires.cut()
		}
	}
	if !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("got %q", got)
	}
	client.wants(t, "connected", "away", "back")
	_ = c.Close()
	client.wants(t, "connected", "away", "back", "disconnected CANCELED")
	server.wants(t, "connected", "away", "back", "disconnected CANCELED")
}

// resumable is the HELLO of a raw dialer whose session can be resumed.
var resumable = frame.Hello{ResumeWindow: 30_000, MaxStreams: 1024, InitialWindow: 1 << 20, MaxMessage: 1 << 20}

// serveResumable makes srv serve a raw dialer whose session can be resumed, and
// returns the server's HELLO.
func serveResumable(t *testing.T, srv *rpc.Server) (*raw, frame.Hello) {
	t.Helper()
	return linkRaw(t, srv, resumable)
}

// linkRaw is like serveResumable, for any HELLO.
func linkRaw(t *testing.T, srv *rpc.Server, hello frame.Hello) (*raw, frame.Hello) {
	t.Helper()
	return exchangeHello(t, hello, func(l transport.Link) error {
		_, err := srv.StartLink(l)
		return err
	})
}

// exchangeHello makes start serve a raw dialer, and returns the server's HELLO.
func exchangeHello(t *testing.T, hello frame.Hello, start func(transport.Link) error) (*raw, frame.Hello) {
	t.Helper()
	d, a := pipe.New(pipe.Config{})
	if err := start(a); err != nil {
		t.Fatal(err)
	}
	p := &raw{t: t, link: d}
	p.write(hello.Append(nil))
	r, err := d.NextReader()
	if err != nil {
		t.Fatal(err)
	}
	if p.rest, err = io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	h, n, err := frame.ParseHeader(p.rest)
	if err != nil || h.Type != frame.TypeHello {
		t.Fatalf("the server begins with %v, %v", h.Type, err)
	}
	got, err := frame.ParseHello(p.rest[n : n+int(h.Length)])
	if err != nil {
		t.Fatal(err)
	}
	p.rest = p.rest[n+int(h.Length):]
	return p, got
}

func TestOnSessionLostIsCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary()
		srv := rpc.NewServer(append(asServerOptions(d.options()), rpc.WithResumption(rpc.Resumption{Window: 20 * time.Second}))...)
		defer srv.Close()
		p, hello := serveResumable(t, srv)
		if hello.ResumeWindow != 20_000 {
			t.Errorf("the server says %d ms", hello.ResumeWindow)
		}
		p.link.Cut()
		d.wants(t, "connected", "away")
		began := time.Now()
		d.wants(t, "connected", "away", "gap UNAVAILABLE", "disconnected UNAVAILABLE")
		if took := time.Since(began); took != 20*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestOrderlyEndIsNoLostSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary()
		srv := rpc.NewServer(asServerOptions(d.options())...)
		defer srv.Close()
		p, _ := serveResumable(t, srv)
		p.link.Close(transport.CloseNormal, "")
		d.wants(t, "connected", "disconnected CANCELED")
	})
}

func TestWithoutResumptionALostLinkIsTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary()
		srv := rpc.NewServer(append(asServerOptions(d.options()), rpc.WithoutResumption())...)
		defer srv.Close()
		p, hello := serveResumable(t, srv)
		if hello.ResumeWindow != 0 || hello.Session != nil {
			t.Errorf("the server says %d ms, session %x", hello.ResumeWindow, hello.Session)
		}
		p.link.Cut()
		d.wants(t, "connected", "gap UNAVAILABLE", "disconnected UNAVAILABLE")
	})
}

func TestMaxDetachedBoundsDetachedConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary()
		srv := rpc.NewServer(append(asServerOptions(d.options()), rpc.WithResumption(rpc.Resumption{MaxDetached: 1}))...)
		defer srv.Close()
		first, _ := serveResumable(t, srv)
		second, _ := serveResumable(t, srv)
		d.wants(t, "connected", "connected")
		first.link.Cut()
		d.wants(t, "connected", "connected", "away")
		second.link.Cut()
		synctest.Wait()
		if srv.Connections() != 1 {
			t.Errorf("%d connections are left", srv.Connections())
		}
	})
}

func TestMalformedResumptionIsRefusedAtConstruction(t *testing.T) {
	for _, r := range []rpc.Resumption{{Window: 25 * time.Hour}, {ReplayLimit: 1}, {ReplayLimit: -1}, {MaxDetached: -1}, {MaxDetachedBytes: -1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v was taken", r)
				}
			}()
			rpc.NewServer(rpc.WithResumption(r))
		}()
	}
}
