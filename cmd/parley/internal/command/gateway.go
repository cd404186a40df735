package command

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/parley-rpc/parley/ext/grpc/proxy"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/rpc/health"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// gateway is a WebSocket server in front of gRPC servers.
type gateway struct {
	listen, path string
	cert, key    string
	origins      []string
	hosts        []string
	secureOrigin bool
	headers      proxy.HeaderRules
	proxies      []string
	drain        time.Duration
	maxAge       time.Duration
	webSockets   bool // only: no calls by HTTP
	backends     backends
	identity     identity
	cluster      gatewayCluster

	transport transport.Parameters
	limits    rpc.Limits
}

func (p *program) gatewayCommand() *cobra.Command {
	var g gateway
	c := &cobra.Command{
		Use:   "gateway --backend [PREFIX=]TARGET",
		Short: "Serve WebSockets and HTTP in front of gRPC servers",
		Long: `gateway forwards calls to gRPC servers, as bytes: all four kinds, metadata, deadlines,
cancellation and statuses. So browsers reach services in any language.

Beside WebSockets it takes calls by HTTP: of Connect (JSON or binary), gRPC and gRPC-Web, at
/SERVICE/METHOD and under the path of the WebSockets. For JSON a backend needs its
reflection, unless it knows JSON.

A backend is a target of grpc-go, such as dns:///host:50051; calls are spread over all
addresses of the name. With PREFIX= it serves the service or package of that name; the
longest matching prefix applies.

Gateways with the same --nats are a cluster: a connection that is lost at one of them
resumes at any other, behind any load balancer. Each needs --cluster-listen, and all have
a secret, in $` + secretVariable + ` or --cluster-secret-file.

The gateway serves grpc.health.v1 itself, and answers GET /healthz. On SIGTERM it
reports NOT_SERVING, tells clients to move, and waits for calls in flight.`,
		Example: `  parley gateway --listen :8080 --backend dns:///localhost:50051
  parley gateway --backend acme.users=dns:///users:50051 --backend acme=dns:///rest:50051
  parley gateway --backend dns:///users:50051 --nats nats://10.0.0.5:4222 --cluster-listen 10.0.0.7:7443`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return p.serve(c.Context(), &g) },
	}
	f := c.Flags()
	f.StringVar(&g.listen, "listen", ":8080", "`address` to listen on")
	f.StringVar(&g.path, "path", "/rpc", "path of the endpoint")
	f.BoolVar(&g.webSockets, "websockets-only", false, "do not take calls of Connect, gRPC and gRPC-Web by HTTP")
	f.StringVar(&g.cert, "cert", "", "`file` with the certificate (PEM), for TLS")
	f.StringVar(&g.key, "key", "", "`file` with the certificate's key (PEM)")
	f.StringArrayVar(&g.origins, "origin", nil, "`pattern` of further origins whose pages may connect, such as https://*.example.com")
	f.StringArrayVar(&g.hosts, "host", nil, "`name` by which pages may reach the gateway, such as rpc.example.com or *.example.com; * for all (default all, over loopback localhost)")
	f.BoolVar(&g.secureOrigin, "secure-origin", false, "browsers use TLS only, which a proxy terminates: pages of the gateway's own origin come from https")
	f.StringArrayVar(&g.headers.Forward, "forward", nil, "`header` of the handshake to forward to backends as metadata, such as authorization or cookie; calls cannot set it")
	f.StringArrayVar(&g.headers.Allow, "allow-metadata", nil, "`key` of calls to pass on, such as x-forwarded-host or x-forwarded-*, even if proxies set it or a shorter --deny-metadata matches")
	f.StringArrayVar(&g.headers.Deny, "deny-metadata", nil, "`key` of calls to remove, such as x-internal-*; * for all")
	f.BoolVar(&g.headers.CallAuthorization, "call-authorization", false, "the authorization of a call replaces that of the handshake, even if --forward names authorization or cookie")
	f.DurationVar(&g.drain, "drain", 25*time.Second, "how long calls in flight may take when the gateway shuts down")
	f.DurationVar(&g.maxAge, "max-connection-age", 0, "age at which clients are told to reconnect; 0: never")
	f.IntVar(&g.limits.MaxConnections, "max-connections", 0, "maximum number of connections (default 50000)")
	f.IntVar(&g.limits.MaxConnectionsPerAddress, "max-connections-per-address", 0, "maximum number of connections from one address (default: no limit)")
	f.StringArrayVar(&g.proxies, "trusted-proxy", nil, "`network` of proxies whose X-Forwarded-For is trusted, such as 10.0.0.0/8: limits by address apply to the clients behind them")
	f.IntVar(&g.transport.MaxStreams, "max-streams", 0, "maximum number of concurrent calls on one connection (default 1024)")
	f.IntVar(&g.transport.MaxMessage, "max-message", 0, "maximum `bytes` of a message in either direction (default 4 MiB)")
	g.identity.flags(f)
	g.cluster.flags(f)
	g.backends.flags(f)
	return c
}

// serve runs the gateway until ctx ends.
func (p *program) serve(ctx context.Context, g *gateway) error {
	routes, closeBackends, err := g.backends.open()
	if err != nil {
		return err
	}
	defer closeBackends()
	log := p.logger()
	if err := g.check(); err != nil {
		return err
	}
	member, err := g.cluster.join(ctx, log)
	if err != nil {
		return err
	}
	defer member.close()
	srv, err := g.server(routes, log, member.options())
	if err != nil {
		return err
	}
	status := health.NewServer()
	srv.Register(status.Service())
	web, err := g.web(member.handler(srv, status), g.calls(srv), status, log)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", g.listen)
	if err != nil {
		return usagef("--listen: %w", err)
	}
	served := make(chan error, 1)
	scheme := "ws"
	if web.TLSConfig != nil {
		scheme = "wss"
		go func() { served <- web.ServeTLS(ws.Pace(web, listener), "", "") }()
	} else {
		go func() { served <- web.Serve(ws.Pace(web, listener)) }()
	}
	log.Info("serving", "url", scheme+"://"+listener.Addr().String()+g.path, "backends", g.backends.targets)
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}

	status.Shutdown()
	log.Info("draining", "timeout", g.drain)
	drainCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.drain)
	defer cancel()
	if err := errors.Join(member.shutdown(drainCtx, srv), web.Shutdown(drainCtx)); err != nil {
		log.Warn("calls in flight were cut off", "error", err)
		_ = web.Close() // what is left of it
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	log.Info("stopped")
	return nil
}

// server returns the WebSocket server.
func (g *gateway) server(routes []proxy.Route, log *slog.Logger, more []rpc.ServerOption) (*rpc.Server, error) {
	pass, err := proxy.New(proxy.Config{
		Routes: routes, MaxMessage: g.transport.MaxMessage, Headers: g.headers, Metadata: forwardAddresses,
		Describe: new(backendSchemas).describe,
	})
	if err != nil {
		return nil, usagef("--backend: %w", err)
	}
	if g.limits.Address, err = addressBehind(g.proxies); err != nil {
		return nil, err
	}
	omitted := leftOut{log: log, names: g.headers.Forward}
	opts := append(append(more, g.identity.options(g.headers.Forward)...),
		rpc.WithLogger(log), rpc.WithTransport(g.transport), rpc.WithLimits(g.limits),
		rpc.WithOrigins(g.origins...), rpc.WithHosts(g.hosts...), rpc.OnConnect(omitted.look))
	if g.secureOrigin {
		opts = append(opts, rpc.WithSecureOrigin())
	}
	if g.maxAge > 0 {
		opts = append(opts, rpc.WithMaxConnectionAge(g.maxAge, g.drain))
	}
	srv := rpc.NewServer(opts...)
	srv.HandleUnknown(pass.Handle)
	return srv, nil
}

// check returns an error for an invalid flag. rpc.NewServer would panic.
func (g *gateway) check() error {
	if err := errors.Join(g.transport.Validate(), (&ws.Upgrader{Origins: g.origins, Hosts: g.hosts}).Validate()); err != nil {
		return usagef("%w", err)
	}
	for _, name := range g.headers.Forward {
		if !proxy.ValidKey(name) {
			return usagef("--forward %s: gRPC has no such metadata, or has it for itself", name)
		}
	}
	for flag, patterns := range map[string][]string{"--allow-metadata": g.headers.Allow, "--deny-metadata": g.headers.Deny} {
		for _, pattern := range patterns {
			if !proxy.ValidPattern(pattern) {
				return usagef("%s %s: write a key of metadata, or its beginning and a *, such as x-internal-*", flag, pattern)
			}
		}
	}
	if min(g.limits.MaxConnections, g.limits.MaxConnectionsPerAddress) < 0 || min(g.drain, g.maxAge) < 0 {
		return usagef("--max-connections, --max-connections-per-address, --drain and --max-connection-age must not be negative")
	}
	return g.identity.validate()
}

// healthPath is where load balancers ask by HTTP.
const healthPath = "/healthz"

const (
	// idleTimeout is how long a connection may wait for its next request; the
	// upgrade ends it. Load balancers keep connections for 60 s, and must be
	// the ones to close them.
	idleTimeout = 2 * time.Minute
	// maxHeaderBytes is the limit for a request's headers, as in most proxies.
	maxHeaderBytes = 32 << 10
)

// web returns the HTTP server for the endpoint of WebSockets and for calls by
// HTTP, with TLS if there is a certificate.
func (g *gateway) web(endpoint, calls, status http.Handler, log *slog.Logger) (*http.Server, error) {
	if !strings.HasPrefix(g.path, "/") || g.path == healthPath {
		return nil, usagef("--path %s: it must begin with / and not be %s", g.path, healthPath)
	}
	web := &http.Server{
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	web.Protocols = new(http.Protocols)
	web.Protocols.SetHTTP1(true)
	web.Protocols.SetHTTP2(true)
	web.Protocols.SetUnencryptedHTTP2(true) // gRPC behind a proxy that terminates TLS
	web.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case healthPath:
			status.ServeHTTP(w, r)
		case g.path:
			endpoint.ServeHTTP(w, g.identity.identified(r))
		default:
			calls.ServeHTTP(w, g.identity.identified(r))
		}
	})
	if g.cert == "" && g.key == "" {
		return web, nil
	}
	own, err := ownCertificate(g.cert, g.key)
	if err != nil {
		return nil, err
	}
	web.TLSConfig = &tls.Config{Certificates: []tls.Certificate{own}}
	return web, nil
}

// logger returns the program's logger.
func (p *program) logger() *slog.Logger {
	if p.json() {
		return slog.New(slog.NewJSONHandler(p.Err, nil))
	}
	return slog.New(slog.NewTextHandler(p.Err, nil))
}
