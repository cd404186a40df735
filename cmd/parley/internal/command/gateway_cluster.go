package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/pflag"

	"github.com/parley-rpc/parley/ext/cluster"
	"github.com/parley-rpc/parley/ext/cluster/natsbus"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/rpc/health"
	"github.com/parley-rpc/parley/transport/ws"
)

// Environment variables, for what other users of the machine must not see.
const (
	natsVariable   = "PARLEY_NATS"
	secretVariable = "PARLEY_CLUSTER_SECRET"
)

// minClusterSecret is the length in bytes of the shortest secret.
const minClusterSecret = 16

// gatewayCluster configures how a gateway joins others.
type gatewayCluster struct {
	nats, credentials string
	name              string
	listen, advertise string
	secretFile        string
}

const defaultClusterName = "parley-gateway"

func (c *gatewayCluster) flags(f *pflag.FlagSet) {
	f.StringVar(&c.nats, "nats", "", "`URL` of the NATS server that joins the gateways of a cluster, such as nats://10.0.0.5:4222; several with commas between them (default $"+natsVariable+"; none: this gateway is alone)")
	f.StringVar(&c.credentials, "nats-credentials", "", "`file` with the credentials (.creds) for NATS")
	f.StringVar(&c.name, "cluster-name", defaultClusterName, "`name` of the cluster: gateways of one name on one NATS server are one cluster")
	f.StringVar(&c.listen, "cluster-listen", "", "`address` to listen on for the other gateways, which clients must not reach, such as 10.0.0.7:7443")
	f.StringVar(&c.advertise, "cluster-advertise", "", "`URL` at which the other gateways reach --cluster-listen (default: ws:// and its address)")
	f.StringVar(&c.secretFile, "cluster-secret-file", "", "`file` with the secret that all gateways of the cluster have, at least 16 bytes (default $"+secretVariable+")")
}

// clusterMember is a gateway's place in a cluster. Nil: the gateway is alone.
type clusterMember struct {
	node   *cluster.Node
	bus    *natsbus.Bus
	nc     *nats.Conn
	web    *http.Server
	served chan struct{}
}

// answerTime is how long the other gateways may take to answer one that joins.
// Before that it does not know whose the sessions of links are.
const answerTime = 250 * time.Millisecond

// join joins the cluster. It returns nil without --nats.
func (c *gatewayCluster) join(ctx context.Context, log *slog.Logger) (*clusterMember, error) {
	servers := cmp.Or(c.nats, os.Getenv(natsVariable))
	if servers == "" {
		if c.listen != "" || c.advertise != "" || c.secretFile != "" || c.credentials != "" || c.name != defaultClusterName {
			return nil, usagef("--cluster-listen, --cluster-advertise, --cluster-name, --cluster-secret-file and --nats-credentials go with --nats")
		}
		return nil, nil
	}
	secret, err := c.check()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", c.listen)
	if err != nil {
		return nil, usagef("--cluster-listen: %w", err)
	}
	m := &clusterMember{served: make(chan struct{})}
	if err := c.connect(m, servers, secret, listener.Addr(), log); err != nil {
		_ = listener.Close()
		return nil, err
	}
	m.web = &http.Server{
		Handler: m.node.NodeHandler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	go func() {
		defer close(m.served)
		if err := m.web.Serve(ws.Pace(m.web, listener)); !errors.Is(err, http.ErrServerClosed) {
			log.Error("other gateways cannot connect any more", "error", err)
		}
	}()
	select {
	case <-time.After(answerTime):
	case <-ctx.Done():
	}
	log.Info("joined a cluster", "name", c.name, "advertise", c.advertised(listener.Addr()), "others", len(m.node.Nodes()))
	return m, nil
}

// check returns the secret, or an error for an invalid flag.
func (c *gatewayCluster) check() (secret string, err error) {
	for server := range strings.SplitSeq(c.nats, ",") {
		if u, err := url.Parse(server); err == nil && u.User != nil {
			return "", usagef("--nats: other users of this machine can read passwords of the command line: set %s, or use --nats-credentials", natsVariable)
		}
	}
	if err := cluster.CheckSubject(c.name); err != nil || strings.Contains(c.name, ".") {
		return "", usagef("--cluster-name %s: use letters, digits, - and _", c.name)
	}
	if c.listen == "" {
		return "", usagef("--cluster-listen is missing: with --nats the other gateways need an address of this one, such as 10.0.0.7:7443")
	}
	host, _, err := net.SplitHostPort(c.listen)
	if err != nil {
		return "", usagef("--cluster-listen %s: write an address and a port, such as 10.0.0.7:7443", c.listen)
	}
	ip, err := netip.ParseAddr(host)
	if c.advertise == "" && (err != nil || ip.IsUnspecified()) {
		return "", usagef("--cluster-advertise is missing: say at which URL the other gateways reach --cluster-listen %s, such as ws://10.0.0.7:7443", c.listen)
	}
	return c.secret()
}

// secret reads the secret of the cluster.
func (c *gatewayCluster) secret() (string, error) {
	secret := os.Getenv(secretVariable)
	if c.secretFile != "" {
		b, err := os.ReadFile(c.secretFile)
		if err != nil {
			return "", usagef("--cluster-secret-file: %w", err)
		}
		secret = strings.TrimSpace(string(b))
	}
	switch n := len(secret); {
	case n == 0:
		return "", usagef("the secret of the cluster is missing: set %s, or use --cluster-secret-file", secretVariable)
	case n < minClusterSecret:
		return "", usagef("the secret of the cluster has %d bytes: it must have at least %d", n, minClusterSecret)
	}
	return secret, nil
}

func (c *gatewayCluster) advertised(listening net.Addr) string {
	return cmp.Or(c.advertise, "ws://"+listening.String())
}

// connect connects to NATS and starts the node.
func (c *gatewayCluster) connect(m *clusterMember, servers, secret string, listening net.Addr, log *slog.Logger) (err error) {
	opts := []nats.Option{
		nats.Name("parley gateway"), nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { log.Warn("NATS is away", "error", err) }),
		nats.ReconnectHandler(func(*nats.Conn) { log.Info("NATS is back") }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { log.Warn("NATS", "error", err) }),
	}
	if c.credentials != "" {
		opts = append(opts, nats.UserCredentials(c.credentials))
	}
	if m.nc, err = nats.Connect(servers, opts...); err != nil {
		return failure{exitUnreachable, fmt.Errorf("--nats: %w", err)}
	}
	m.bus = natsbus.New(m.nc)
	m.node, err = cluster.New(cluster.Config{
		Bus: m.bus, Prefix: c.name, Advertise: c.advertised(listening), Logger: log,
		Credentials: cluster.Credentials{Secret: secret},
		Identify:    func(*rpc.Conn) (string, bool) { return "", false }, // nothing looks for clients of a gateway
	})
	if err != nil {
		_ = m.bus.Close()
		m.nc.Close()
		return usagef("--nats: %w", err)
	}
	return nil
}

// options returns the options of the server for clients.
func (m *clusterMember) options() []rpc.ServerOption {
	if m == nil {
		return nil
	}
	return m.node.ServerOptions()
}

// handler returns what accepts clients, and reports the health of the cluster.
func (m *clusterMember) handler(srv *rpc.Server, status *health.Server) http.Handler {
	if m == nil {
		return srv
	}
	m.node.ReportHealth(status)
	return m.node.Handler(srv)
}

// shutdown shuts the server down, whose clients move to other gateways.
func (m *clusterMember) shutdown(ctx context.Context, srv *rpc.Server) error {
	if m == nil {
		return srv.Shutdown(ctx)
	}
	return m.node.Shutdown(ctx)
}

// close leaves the cluster.
func (m *clusterMember) close() {
	if m == nil {
		return
	}
	m.node.Close()
	_ = m.web.Close() // the node has left
	<-m.served
	_ = m.bus.Close() // the connection ends, too
	m.nc.Close()
}
