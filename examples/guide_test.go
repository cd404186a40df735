package examples_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/parley-rpc/parley/examples/pinger"
	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// These are the snippets of docs/guide.md. TestSnippetsAreRegionsOfPrograms
// compares them.

// start serves srv over HTTP and returns the URL, and a function that ends it.
func start(srv *rpc.Server) (url string, stop func()) {
	web := httptest.NewServer(srv)
	return "ws" + strings.TrimPrefix(web.URL, "http"), func() {
		srv.Close()
		web.Close()
	}
}

// withPing starts a server of PingService and makes a client of it.
func withPing(ping pingv1parley.PingServiceServer) (pingv1parley.PingServiceClient, func()) {
	srv := rpc.NewServer()
	pingv1parley.RegisterPingServiceServer(srv, ping)
	url, stop := start(srv)
	client := rpc.NewClient(url)
	return pingv1parley.NewPingServiceClient(client), func() {
		client.Close()
		stop()
	}
}

// librarian finds nothing, and reports that in three ways.
type librarian struct {
	pingv1parley.UnimplementedPingServiceServer
	books map[string]string
}

var errNoShelf = errors.New("no such shelf")

func (l librarian) Ping(_ context.Context, req *pingv1.PingRequest) (*pingv1.PingResponse, error) {
	//snippet:errorf
	book, ok := l.books[req.Text]
	if !ok {
		return nil, rpc.Errorf(rpc.CodeNotFound, "book %q: %w", req.Text, errNoShelf).
			WithDetail(&pingv1.PingFailure{Hint: "ask for another one"})
	}
	//snippet:end
	return &pingv1.PingResponse{Text: book}, nil
}

func Example_errors() {
	ping, stop := withPing(librarian{})
	defer stop()
	ctx, req := context.Background(), &pingv1.PingRequest{Text: "Emma"}
	//snippet:errors
	_, err := ping.Ping(ctx, req)
	if errors.Is(err, rpc.CodeNotFound) {
		fmt.Println(err)
	}
	var status *rpc.Error
	if errors.As(err, &status) {
		for _, packed := range status.Details() {
			detail, err := packed.UnmarshalNew()
			if failure, ok := detail.(*pingv1.PingFailure); err == nil && ok {
				fmt.Println("hint:", failure.Hint)
			}
		}
	}
	//snippet:end
	// Output:
	// NOT_FOUND: book "Emma": no such shelf
	// hint: ask for another one
}

func Example_deadline() {
	ping, stop := withPing(pinger.Service{})
	defer stop()
	ctx, req := context.Background(), &pingv1.PingRequest{DelayMs: 60_000}
	//snippet:deadline
	_, err := ping.Ping(ctx, req, rpc.WithTimeout(50*time.Millisecond)) // or a ctx with a deadline
	if errors.Is(err, rpc.CodeDeadlineExceeded) {
		fmt.Println("too late")
	}
	//snippet:end
	// Output: too late
}

// registrar responds with metadata.
type registrar struct {
	pingv1parley.UnimplementedPingServiceServer
}

func (registrar) Ping(ctx context.Context, req *pingv1.PingRequest) (*pingv1.PingResponse, error) {
	//snippet:metadata-server
	call := rpc.FromContext(ctx)
	id := call.Header().Get("request-id") // what the caller has sent
	if err := call.SetHeader("served-by", "paris"); err != nil {
		return nil, err
	}
	if err := call.SetTrailer("rows-bin", "\x00\x11"); err != nil {
		return nil, err
	}
	//snippet:end
	return &pingv1.PingResponse{Text: req.Text + " " + id}, nil
}

func Example_metadata() {
	ping, stop := withPing(registrar{})
	defer stop()
	ctx, req := context.Background(), &pingv1.PingRequest{Text: "this is"}
	//snippet:metadata-client
	var header, trailer rpc.Metadata
	res, err := ping.Ping(ctx, req,
		rpc.WithMetadata("request-id", "42"), rpc.ReadHeader(&header), rpc.ReadTrailer(&trailer))
	//snippet:end
	fmt.Println(res.GetText(), err)
	fmt.Printf("%s %q\n", header.Get("served-by"), trailer.Get("rows-bin"))
	// Output:
	// this is 42 <nil>
	// paris "\x00\x11"
}

//snippet:interceptor
func logged(next rpc.Handler) rpc.Handler {
	return func(ctx context.Context, s rpc.Stream) error {
		err := next(ctx, s) // the call, of any kind
		log.Printf("%s: %s", s.Call().Method.Path(), rpc.CodeOf(err))
		return err
	}
}

//snippet:end

//snippet:interceptor-client
func identified(next rpc.Handler) rpc.Handler {
	return func(ctx context.Context, s rpc.Stream) error {
		if err := s.Call().SetHeader("request-id", "43"); err != nil {
			return err
		}
		return next(ctx, s) // returns when the call has ended
	}
}

//snippet:end

func Example_interceptors() {
	log.SetOutput(os.Stdout)
	log.SetFlags(0)
	defer log.SetOutput(os.Stderr)
	//snippet:intercept
	srv := rpc.NewServer(rpc.WithHandlerInterceptors(logged))
	//snippet:end
	pingv1parley.RegisterPingServiceServer(srv, registrar{})
	url, stop := start(srv)
	defer stop()
	//snippet:intercept-client
	client := rpc.NewClient(url, rpc.WithCallInterceptors(identified))
	//snippet:end
	defer client.Close()
	ping := pingv1parley.NewPingServiceClient(client)
	res, err := ping.Ping(context.Background(), &pingv1.PingRequest{Text: "this is"})
	fmt.Println(res.GetText(), err)
	// Output:
	// parley.ping.v1.PingService/Ping: OK
	// this is 43 <nil>
}

func Example_encodings() {
	ping, stop := withPing(pinger.Service{})
	defer stop()
	ctx, req := context.Background(), &pingv1.PingRequest{Text: strings.Repeat("long ", 1000)}
	//snippet:encodings
	res, err := ping.Ping(ctx, req, rpc.WithCompression(rpc.CompressionGzip), rpc.WithCodecName(rpc.CodecJSON))
	//snippet:end
	fmt.Println(len(res.GetText()), err)
	// Output: 5000 <nil>
}

// users are the owners of tokens.
var users = map[string]string{"open sesame": "ada"}

//snippet:authenticate
func authenticate(r *http.Request) (context.Context, error) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	user, ok := users[token] // or verify what is signed
	if !ok {
		return nil, rpc.Errorf(rpc.CodeUnauthenticated, "this server wants a token")
	}
	return rpc.WithPrincipal(r.Context(), user), nil
}

//snippet:end

// greeter greets its caller by name.
type greeter struct {
	pingv1parley.UnimplementedPingServiceServer
}

func (greeter) Ping(ctx context.Context, req *pingv1.PingRequest) (*pingv1.PingResponse, error) {
	//snippet:principal
	text := req.Text + ", " + rpc.Principal(ctx)
	//snippet:end
	return &pingv1.PingResponse{Text: text}, nil
}

// vault is the source of a program's token.
type vault struct{}

func (vault) token(context.Context) (string, error) { return "open sesame", nil }

func Example_authentication() {
	var session vault
	//snippet:authentication
	srv := rpc.NewServer(rpc.WithAuthentication(authenticate))
	//snippet:end
	pingv1parley.RegisterPingServiceServer(srv, greeter{})
	url, stop := start(srv)
	defer stop()
	//snippet:credentials
	client := rpc.NewClient(url, rpc.WithCredentials(func(ctx context.Context) (http.Header, error) {
		token, err := session.token(ctx) // one that is good now
		return http.Header{"Authorization": {"Bearer " + token}}, err
	}))
	//snippet:end
	defer client.Close()
	stranger := rpc.NewClient(url)
	defer stranger.Close()
	for _, c := range []*rpc.Client{client, stranger} {
		res, err := pingv1parley.NewPingServiceClient(c).Ping(context.Background(), &pingv1.PingRequest{Text: "hello"})
		fmt.Println(res.GetText(), rpc.CodeOf(err))
	}
	// Output:
	// hello, ada OK
	//  UNAUTHENTICATED
}

func Example_servers() {
	//snippet:leave
	srv := rpc.NewServer(
		rpc.WithDrain(rpc.Drain{Spread: 5 * time.Second}),   // clients move over 5 s
		rpc.WithMaxConnectionAge(time.Hour, 10*time.Minute), // and all move from time to time
		rpc.WithLimits(rpc.Limits{MaxConnections: 10_000}))  // of all connections together
	//snippet:end
	pingv1parley.RegisterPingServiceServer(srv, pinger.Service{})
	first, stop := start(srv)
	defer stop()
	other := rpc.NewServer()
	pingv1parley.RegisterPingServiceServer(other, pinger.Service{})
	second, stopOther := start(other)
	defer stopOther()
	//snippet:servers
	client := rpc.NewClient(first, rpc.WithURLs(second), rpc.WithBalancer(rpc.RoundRobin))
	//snippet:end
	defer client.Close()
	ping := pingv1parley.NewPingServiceClient(client)
	for range 2 {
		//snippet:wait
		_, err := ping.Ping(context.Background(), &pingv1.PingRequest{}, rpc.WithWaitForReady(), rpc.WithTimeout(time.Minute))
		//snippet:end
		fmt.Println(rpc.CodeOf(err))
	}
	// Output:
	// OK
	// OK
}

func Example_limits() {
	//snippet:limits
	srv := rpc.NewServer(rpc.WithTransport(transport.Parameters{
		MaxMessage: 64 << 10,         // bytes of one message; default 4 MiB
		MaxStreams: 100,              // calls of one client at once; default 1024
		Keepalive:  10 * time.Second, // of silence before a PING; default 15 s
	}))
	//snippet:end
	pingv1parley.RegisterPingServiceServer(srv, pinger.Service{})
	url, stop := start(srv)
	defer stop()
	client := rpc.NewClient(url)
	defer client.Close()
	ping := pingv1parley.NewPingServiceClient(client)
	_, err := ping.Ping(context.Background(), &pingv1.PingRequest{Text: strings.Repeat("x", 65<<10)})
	fmt.Println(rpc.CodeOf(err))
	_, err = ping.Ping(context.Background(), &pingv1.PingRequest{}) // the connection lives
	fmt.Println(rpc.CodeOf(err))
	// Output:
	// RESOURCE_EXHAUSTED
	// OK
}

func Example_origins() {
	//snippet:origins
	srv := rpc.NewServer(rpc.WithOrigins("https://app.example.com", "https://*.example.org"))
	//snippet:end
	url, stop := start(srv)
	defer stop()
	for _, origin := range []string{"https://app.example.com", "https://a.example.org", "https://evil.example"} {
		// Only browsers send an Origin; here a client pretends to be one.
		conn, err := rpc.Dial(context.Background(), url, rpc.WithHTTPHeader(http.Header{"Origin": {origin}}))
		fmt.Println(origin, rpc.CodeOf(err))
		if err == nil {
			conn.Close()
		}
	}
	// Output:
	// https://app.example.com OK
	// https://a.example.org OK
	// https://evil.example PERMISSION_DENIED
}

func Example_tls() {
	srv := rpc.NewServer()
	web := httptest.NewUnstartedServer(srv)
	web.EnableHTTP2 = true // as an http.Server with TLS does by itself
	web.StartTLS()
	defer web.Close()
	defer srv.Close()
	authorities := x509.NewCertPool()
	authorities.AddCert(web.Certificate())
	url := "wss" + strings.TrimPrefix(web.URL, "https")
	rtt, err := ask(context.Background(), url, authorities)
	fmt.Println(rtt > 0, err)
	// Output: true <nil>
}

func ask(ctx context.Context, url string, authorities *x509.CertPool) (time.Duration, error) {
	//snippet:dial
	conn, err := rpc.Dial(ctx, url, rpc.WithTLS(&tls.Config{RootCAs: authorities}))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	return conn.Ping(ctx) // asks for a sign of life
	//snippet:end
}
