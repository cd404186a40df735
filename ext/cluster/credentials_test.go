package cluster

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

// authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	own := a.issue(t, "authority", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.cert, a.key = own.Leaf, own.PrivateKey.(*ecdsa.PrivateKey) //nolint:forcetypeassert // issue makes no other
	a.pool.AddCert(a.cert)
	return a
}

// issue makes a certificate like c; the first one is the authority's own.
func (a *authority) issue(t *testing.T, name string, c *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber, _ = rand.Int(rand.Reader, big.NewInt(1<<62))
	c.Subject = pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := c, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}
}

// config returns a configuration with a certificate for 127.0.0.1, for both
// ends, that trusts the authority only.
func (a *authority) config(t *testing.T, name string, auth tls.ClientAuthType) *tls.Config {
	t.Helper()
	cert := a.issue(t, name, &x509.Certificate{
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert},
		RootCAs: a.pool, ClientCAs: a.pool, ClientAuth: auth, ServerName: "127.0.0.1",
	}
}

// tlsNode is a node that other nodes and clients reach by mutual TLS.
type tlsNode struct {
	*Node
	clients, inner *countingServer
}

func startTLSNode(t *testing.T, bus Bus, name string, nodes, clients *authority) *tlsNode {
	t.Helper()
	var handler atomic.Pointer[http.Handler]
	config := nodes.config(t, name, tls.RequireAndVerifyClientCert)
	n := &tlsNode{inner: newTLSServer(t, config, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*handler.Load()).ServeHTTP(w, r)
	}))}
	var err error
	n.Node, err = New(Config{Bus: bus, Name: name, Advertise: n.inner.url(), Credentials: Credentials{TLS: config}})
	if err != nil {
		t.Fatal(err)
	}
	h := n.NodeHandler()
	handler.Store(&h)
	srv := rpc.NewServer(n.ServerOptions()...) // a session belongs to the certificate
	srv.Register(&rpc.Service{Name: "test.Echo", Methods: []rpc.ServiceMethod{
		{Method: whoMethod, Handler: rpc.UnaryHandler(func(ctx context.Context, _ *text) (*text, error) {
			seen := rpc.FromContext(ctx).Conn.Peer().TLS // of the latest link
			return &text{Value: fmt.Sprint(name, " ", seen.PeerCertificates[0].Subject.CommonName, " ", len(seen.VerifiedChains))}, nil
		})},
	}})
	n.clients = newTLSServer(t, clients.config(t, "server", tls.RequireAndVerifyClientCert), n.Handler(srv))
	t.Cleanup(func() {
		_ = srv.Close()
		n.Close()
		n.clients.cut()
	})
	return n
}

func newTLSServer(t *testing.T, config *tls.Config, h http.Handler) *countingServer {
	t.Helper()
	s := &countingServer{Server: httptest.NewUnstartedServer(h)}
	s.countConns()
	s.TLS = config
	s.StartTLS()
	t.Cleanup(s.Server.Close)
	return s
}

func TestCertificatesOfNodesAndClientsPassWithARelayedLink(t *testing.T) {
	bus, forNodes, forClients := NewMemoryBus(), newAuthority(t), newAuthority(t)
	nodes := []*tlsNode{startTLSNode(t, bus, "node-0", forNodes, forClients), startTLSNode(t, bus, "node-1", forNodes, forClients)}
	var at atomic.Int64
	certificate := atomic.Pointer[tls.Config]{}
	certificate.Store(forClients.config(t, "ada", tls.NoClientCert))
	config := certificate.Load().Clone()
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &certificate.Load().Certificates[0], nil
	}
	client := rpc.NewClient("wss://127.0.0.1/", rpc.WithTLS(config), rpc.WithNetDial(func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, nodes[at.Load()].clients.Listener.Addr().String())
	}))
	t.Cleanup(func() { _ = client.Close() })
	if got, want := who(t, client), "node-0 ada 1"; got != want {
		t.Fatalf("%q, want %q", got, want)
	}
	at.Store(1)
	nodes[0].clients.cut()
	if got, want := who(t, client), "node-0 ada 1"; got != want || nodes[1].relays.open.Load() != 1 {
		t.Errorf("%q over %d relays, want %q", got, nodes[1].relays.open.Load(), want)
	}
	adas := session(t, client)
	certificate.Store(forClients.config(t, "eve", tls.NoClientCert))
	nodes[1].clients.cut()
	_, _ = rpc.CallUnary[text, text](t.Context(), client, whoMethod, new(text)) // it may be lost with the session
	if got, want := who(t, client), "node-0 eve 1"; got != want || session(t, client) == adas {
		t.Errorf("%q, want %q in another session", got, want)
	}
}

func session(t *testing.T, client *rpc.Client) string {
	t.Helper()
	conn, err := client.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(conn.SessionID())
}

func TestANodeNeedsACertificateOfTheClusters(t *testing.T) {
	bus, forNodes, forClients := NewMemoryBus(), newAuthority(t), newAuthority(t)
	n := startTLSNode(t, bus, "node", forNodes, forClients)
	good := forNodes.config(t, "other", tls.NoClientCert)
	conn, err := rpc.Dial(t.Context(), n.inner.url(), rpc.WithTLS(good), rpc.WithHTTPHeader(http.Header{nodeHeader: {newNodeID().String()}}))
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	stranger := forClients.config(t, "ada", tls.NoClientCert)
	stranger.RootCAs = forNodes.pool
	none := good.Clone()
	none.Certificates = nil
	for name, config := range map[string]*tls.Config{"of another authority": stranger, "none": none} {
		if conn, err := rpc.Dial(t.Context(), n.inner.url(), rpc.WithTLS(config), rpc.WithHTTPHeader(http.Header{nodeHeader: {newNodeID().String()}})); err == nil {
			if _, err = conn.Ping(t.Context()); err == nil {
				t.Errorf("certificate %s: accepted", name)
			}
			_ = conn.Close()
		}
	}
}

// A server of nodes that was set up without verification must not let a client
// in, if there is no secret.
func TestACertificateThatWasNotVerifiedIsNone(t *testing.T) {
	a := newAuthority(t)
	c := Credentials{TLS: a.config(t, "node", tls.NoClientCert)}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	for name, state := range map[string]*tls.ConnectionState{
		"no TLS": nil, "not verified": {PeerCertificates: []*x509.Certificate{a.cert}},
	} {
		if r.TLS = state; rpc.CodeOf(c.check(r)) != rpc.CodeUnauthenticated {
			t.Errorf("%s: accepted", name)
		}
	}
	if r.TLS = (&tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{a.cert}}}); c.check(r) != nil {
		t.Error("a verified certificate is refused")
	}
}
