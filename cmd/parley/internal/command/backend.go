package command

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/pflag"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"

	"github.com/parley-rpc/parley/ext/grpc/proxy"
)

// backends are the gRPC servers of a gateway.
type backends struct {
	targets    []string
	secure     bool
	ca         string
	serverName string
	balancer   string
}

func (b *backends) flags(f *pflag.FlagSet) {
	f.StringArrayVar(&b.targets, "backend", nil, "`target` of a gRPC server, with the prefix PREFIX= for some services only; may be repeated")
	f.BoolVar(&b.secure, "backend-tls", false, "use TLS to the backends")
	f.StringVar(&b.ca, "backend-ca", "", "`file` with the certificates (PEM) of authorities to trust, instead of the system's; with --backend-tls")
	f.StringVar(&b.serverName, "backend-server-name", "", "expected `name` in the backends' certificates; with --backend-tls")
	f.StringVar(&b.balancer, "balancer", "round_robin", "policy for spreading calls over the addresses of a name: round_robin or pick_first")
}

// prefixed is a backend with its prefix of services.
var prefixed = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_.]*)=(.*)$`)

// open creates the connections to the backends. They connect when calls need
// them.
func (b *backends) open() (routes []proxy.Route, closeAll func(), err error) {
	if len(b.targets) == 0 {
		return nil, nil, usagef("--backend is missing: say where calls go, such as --backend dns:///localhost:50051")
	}
	opts, err := b.options()
	if err != nil {
		return nil, nil, err
	}
	var conns []*grpc.ClientConn
	closeAll = func() {
		for _, c := range conns {
			_ = c.Close() // returns an error only when it is closed
		}
	}
	for _, target := range b.targets {
		prefix := ""
		if m := prefixed.FindStringSubmatch(target); m != nil {
			prefix, target = m[1], m[2]
		}
		conn, err := connectBackend(target, opts)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		conns = append(conns, conn)
		routes = append(routes, proxy.Route{Prefix: prefix, Backend: conn})
	}
	return routes, closeAll, nil
}

func connectBackend(target string, opts []grpc.DialOption) (*grpc.ClientConn, error) {
	if scheme, _, ok := strings.Cut(target, "://"); ok && resolver.Get(scheme) == nil {
		return nil, usagef("--backend %s: the scheme %s is unknown: write dns:///host:port", target, scheme)
	}
	conn, err := grpc.NewClient(target, opts...)
	if err != nil {
		return nil, usagef("--backend %s: %w", target, err)
	}
	return conn, nil
}

// Bytes that a backend may send before they are taken, on a stream and on a
// connection. Without these grpc-go has the windows of all streams grow with
// the bandwidth, up to 16 MiB each: clients that do not read what they have
// asked for could fill the memory.
const (
	streamWindow = 256 << 10 // Bytes that a backend may send before they are read, on a stream and on a connection. Otherwise grpc-go lets the windows of all streams grow with the bandwidth, up to 16 MiB each: clients that do not read their responses could fill the memory.
	connWindow   = 4 << 20
)

func (b *backends) options() ([]grpc.DialOption, error) {
	if b.balancer != "round_robin" && b.balancer != "pick_first" {
		return nil, usagef("--balancer %s: use round_robin or pick_first", b.balancer)
	}
	creds := insecure.NewCredentials()
	switch {
	case !b.secure && (b.ca != "" || b.serverName != ""):
		return nil, usagef("--backend-ca and --backend-server-name go with --backend-tls")
	case b.secure:
		var roots *x509.CertPool
		if b.ca != "" {
			var err error
			if roots, err = authorities("--backend-ca", b.ca); err != nil {
				return nil, err
			}
		}
		creds = credentials.NewTLS(&tls.Config{RootCAs: roots, ServerName: b.serverName})
	}
	return []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithDefaultServiceConfig(fmt.Sprintf(`{"loadBalancingConfig": [{%q: {}}]}`, b.balancer)),
		grpc.WithStaticStreamWindowSize(streamWindow), grpc.WithStaticConnWindowSize(connWindow),
	}, nil
}
