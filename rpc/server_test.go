package rpc_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

func TestCloseEndsCallsInFlightAndRefusesHandshakes(t *testing.T) {
	started, ended := make(chan struct{}, 4), make(chan error, 4)
	url, srv := serve(t)
	registerAll(srv, waiting(started, ended))
	conn := dial(t, url)
	var calls []<-chan outcome
	for _, m := range kinds {
		calls = append(calls, start(func() ([]string, error) { return converse(t.Context(), conn, m, []string{""}) }))
		<-started
	}
	for range 2 {
		if err := srv.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, call := range calls {
		got := <-call
		wantError(t, got.err, rpc.CodeUnavailable)
		if !strings.Contains(got.err.Error(), "server closed") {
			t.Errorf("%v does not say why", got.err)
		}
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("a handler's context ended with %v", err)
		}
	}
	res, err := http.Get("http" + strings.TrimPrefix(url, "ws"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), "shutting down") {
		t.Fatalf("a handshake gets %d %q", res.StatusCode, body)
	}
	_, err = rpc.Dial(t.Context(), url)
	wantError(t, err, rpc.CodeUnavailable)
}

func TestCloseDoesNotWaitForHandlers(t *testing.T) {
	goOn, done := make(chan struct{}), make(chan error, 1)
	started := make(chan struct{})
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		register(srv, bidi, func(ctx context.Context, s rpc.Stream) error {
			close(started)
			<-goOn // whatever the state of ctx
			done <- s.Send(text("too late"))
			return nil
		})
	})
	s, err := p.client.Open(t.Context(), bidi)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	<-started
	if err := p.srv.Close(); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	if err := <-done; rpc.CodeOf(err) == rpc.CodeOK {
		t.Fatalf("the handler's Send: %v", err)
	}
}

// closer closes a server when its connection is taken over.
type closer struct {
	http.ResponseWriter
	srv *rpc.Server
}

func (c closer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c.srv.Close()
	return http.NewResponseController(c.ResponseWriter).Hijack()
}

func TestHandshakeDuringCloseIsAnsweredWithRetry(t *testing.T) {
	var log journal
	srv := newPinger(t, rpc.WithLogger(log.logger()))
	served := make(chan struct{})
	url := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(served)
		srv.ServeHTTP(closer{w, srv}, r)
	}))
	link, err := new(ws.Dialer).Dial(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close(transport.CloseNormal, "")
	for err == nil {
		_, err = link.NextReader()
	}
	<-served
	var closed *transport.CloseError
	if !errors.As(err, &closed) || closed.Code != transport.CloseGoingAway {
		t.Errorf("got %v", err)
	}
	if lines := log.lines(t); len(lines) != 1 || lines[0]["msg"] != "parley: connection refused" {
		t.Errorf("logged %v", lines)
	}
}

func TestAServiceIsRegisteredOnce(t *testing.T) {
	for name, r := range map[string]rpc.Registrar{"server": rpc.NewServer(), "mux": rpc.NewMux()} {
		t.Run(name, func(t *testing.T) {
			register(r, unary, echo)
			wantPanic(t, unary.Service, func() { register(r, unary, echo) })
			register(r, bidi, echo) // the server goes on
		})
	}
}

// wantPanic expects f to panic with a text that contains says.
func wantPanic(t *testing.T, says string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if r, _ := recover().(string); !strings.Contains(r, says) {
			t.Errorf("panicked with %q, want something of %q", r, says)
		}
	}()
	f()
}

func TestServicesMayBeAddedWhileTheServerServes(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) { register(srv, unary, echo) })
	_, err := converse(t.Context(), p.client, bidi, []string{"a"})
	wantError(t, err, rpc.CodeUnimplemented)
	for range 2 {
		if _, err := converse(t.Context(), p.client, unary, []string{"a"}); err != nil {
			t.Fatal(err)
		}
	}
	register(p.srv, bidi, echo)
	for _, m := range []*rpc.Method{unary, bidi} { // aliases stay what they are
		if _, err := converse(t.Context(), p.client, m, []string{"a"}); err != nil {
			t.Fatal(err)
		}
	}
}

// badName is a codec and a compressor with an invalid name.
type badName struct {
	rpc.Codec
	rpc.Compressor
}

func (badName) Name() string { return "no name" }

// badOptions are the invalid options of both ends.
var badOptions = []struct {
	says   string
	option rpc.Option
}{
	{"MaxStreams", rpc.WithTransport(transport.Parameters{MaxStreams: -1})},
	{"MaxMessage", rpc.WithTransport(transport.Parameters{MaxMessage: 1})},
	{"Keepalive", rpc.WithTransport(transport.Parameters{Keepalive: time.Hour})},
	{"ReadLimit", rpc.WithReadLimit(-1)},
	{"WithReadLimit", rpc.WithReadLimit(1000)},
	{"HandshakeTimeout", rpc.WithHandshakeTimeout(-1)},
	{"WithLogger", rpc.WithLogger(nil)},
	{"WithHandlerInterceptors", rpc.WithHandlerInterceptors(nil)},
	{"WithCallInterceptors", rpc.WithCallInterceptors(nil)},
	{"WithCodec", rpc.WithCodec(nil)},
	{"WithCodec", rpc.WithCodec(badName{})},
	{"WithCompressor", rpc.WithCompressor(nil)},
	{"WithCompressor", rpc.WithCompressor(badName{})},
}

func TestABadOptionOfAServerPanicsAndIsNamed(t *testing.T) {
	for _, c := range badOptions {
		wantPanic(t, c.says, func() { rpc.NewServer(c.option) })
	}
	wantPanic(t, "Origins", func() { rpc.NewServer(rpc.WithOrigins("https://*.*.example")) })
	wantPanic(t, "Hosts[1]", func() { rpc.NewServer(rpc.WithHosts("example.com"), rpc.WithHosts("https://example.com")) })
}

func TestABadOptionOfAClientFailsItsCallsAndIsNamed(t *testing.T) {
	type clientOption struct {
		says   string
		option rpc.ClientOption
	}
	options := []clientOption{
		{"WithServices", rpc.WithServices(nil)},
		{"Sec-Websocket-Key", rpc.WithHTTPHeader(http.Header{"Sec-Websocket-Key": {"x"}})},
	}
	for _, c := range badOptions {
		options = append(options, clientOption{c.says, c.option})
	}
	for _, c := range options {
		client := rpc.NewClient(unused+"/?token=secret", c.option)
		_, err := rpc.Dial(t.Context(), unused+"/?token=secret", c.option)
		for _, err := range []error{ping(t.Context(), client), err} {
			wantError(t, err, rpc.CodeInvalidArgument)
			if !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v, want something of %q", err, c.says)
			}
		}
		client.Close()
	}
}

func TestAServerIsAHandlerAmongOthers(t *testing.T) {
	var log journal
	routes := http.NewServeMux()
	routes.Handle("/rpc", newPinger(t, rpc.WithLogger(log.logger())))
	routes.HandleFunc("/hello", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	url := listen(t, routes)
	if err := ping(t.Context(), dial(t, url+"/rpc")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]struct {
		status int
		says   string
	}{
		"/hello": {200, "hello"},
		"/rpc":   {426, "WebSocket endpoint"},
	} {
		res, err := http.Get("http" + strings.TrimPrefix(url, "ws") + path)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(res.Body); res.StatusCode != want.status || !strings.Contains(string(body), want.says) {
			t.Errorf("%s: %d %q", path, res.StatusCode, body)
		}
		res.Body.Close()
	}
	if lines := log.lines(t); len(lines) != 1 || lines[0]["msg"] != "parley: connection refused" {
		t.Errorf("logged %v", lines)
	}
}

func TestOptionsDoNotLeakBetweenServers(t *testing.T) {
	var r record
	shared := make([]rpc.ServerOption, 0, 8) // capacity into which an append could write
	shared = append(shared, rpc.WithLogger(slog.New(slog.DiscardHandler)), rpc.WithHandlerInterceptors(r.recording("shared")))
	first := rpc.NewServer(append(shared, rpc.WithHandlerInterceptors(r.recording("first")), rpc.WithCodec(badCodec{}))...)
	second := rpc.NewServer(append(shared, rpc.WithHandlerInterceptors(r.recording("second")))...)
	register(first, unary, echo)
	for srv, want := range map[*rpc.Server]string{first: "first", second: "second"} {
		p := connectPipe(t, srv, rpc.NewClient("ws://in.memory", rpc.WithCodec(badCodec{})))
		if srv == second {
			_, err := converse(t.Context(), p.client, unary, []string{"a"})
			wantError(t, err, rpc.CodeUnimplemented)
			register(second, unary, echo)
			_, err = converse(t.Context(), p.client, unary, []string{"a"}, rpc.WithCodecName("bad"))
			wantError(t, err, rpc.CodeUnimplemented)
		}
		if _, err := converse(t.Context(), p.client, unary, []string{"a"}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(r.take(), ", "); got != "shared before, "+want+" before, "+want+" behind OK, shared behind OK" {
			t.Errorf("%s: %s", want, got)
		}
	}
}

func TestTLSIsShownToBothEnds(t *testing.T) {
	states := make(chan *tls.ConnectionState, 1)
	srv := newPinger(t, rpc.OnConnect(func(c *rpc.Conn) { states <- c.Peer().TLS }))
	web := httptest.NewUnstartedServer(srv)
	web.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0) // about the handshake that must fail
	web.StartTLS()
	t.Cleanup(web.Close)
	url := "wss" + strings.TrimPrefix(web.URL, "https")
	_, err := rpc.Dial(t.Context(), url)
	wantError(t, err, rpc.CodeUnavailable) // the certificate is not trusted
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		t.Errorf("got %v", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	conn := dial(t, url, rpc.WithTLS(&tls.Config{RootCAs: roots}))
	if err := ping(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	if state := <-states; state == nil || conn.Peer().TLS == nil || !state.HandshakeComplete {
		t.Fatalf("the server sees %v, the client %v", state, conn.Peer().TLS)
	}
}

func TestTheFirstOfManyMessagesOfTheWebSocketIsWithinTheReadLimit(t *testing.T) {
	limit := rpc.WithReadLimit(131_088) // the least
	conn := dial(t, listen(t, newPinger(t, limit)), limit)
	client := pingv1parley.NewPingServiceClient(conn)
	res, err := client.Ping(t.Context(), &pingv1.PingRequest{Text: strings.Repeat("x", 3<<20)})
	if err != nil || len(res.Text) != 3<<20 {
		t.Fatalf("%d bytes, %v", len(res.GetText()), err)
	}
}

func TestAHandshakeThatTakesTooLongFails(t *testing.T) {
	goOn := make(chan struct{})
	defer close(goOn)
	url := listen(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-goOn }))
	_, err := rpc.Dial(t.Context(), url, rpc.WithHandshakeTimeout(20*time.Millisecond))
	wantError(t, err, rpc.CodeUnavailable)
}
