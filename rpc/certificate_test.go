package rpc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport/ws"
)

// authority issues certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, pool: x509.NewCertPool()}
	own := a.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	a.cert, a.key = own.Leaf, own.PrivateKey.(*ecdsa.PrivateKey)
	a.pool.AddCert(a.cert)
	return a
}

// issue makes a certificate like c; the first one is the authority's own.
func (a *authority) issue(c *x509.Certificate) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber, _ = rand.Int(rand.Reader, big.NewInt(1<<62))
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := c, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}
}

// client returns the TLS configuration of a client with a certificate of this
// authority, which trusts servers of another one.
func (a *authority) client(name string, servers *authority) rpc.ClientOption {
	cert := a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return rpc.WithTLS(&tls.Config{RootCAs: servers.pool, Certificates: []tls.Certificate{cert}})
}

// byCertificate accepts clients with a certificate, as its subject.
func byCertificate(r *http.Request) (context.Context, error) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil, rpc.Errorf(rpc.CodeUnauthenticated, "show a certificate")
	}
	return rpc.WithPrincipal(r.Context(), r.TLS.PeerCertificates[0].Subject.CommonName), nil
}

// serveMutualTLS serves whoami to clients with certificates of a, or with none.
func serveMutualTLS(t *testing.T, a *authority) (url string, w *wires) {
	t.Helper()
	srv := rpc.NewServer(rpc.WithAuthentication(byCertificate))
	register(srv, unary, whoami())
	w = new(wires)
	web := httptest.NewUnstartedServer(srv)
	web.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes fail here
	web.Config.ConnState = w.hijacked
	web.TLS = &tls.Config{
		ClientCAs:  a.pool,
		ClientAuth: tls.VerifyClientCertIfGiven,
		Certificates: []tls.Certificate{a.issue(&x509.Certificate{
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		})},
	}
	web.StartTLS()
	t.Cleanup(func() {
		_ = srv.Close()
		web.Close()
	})
	return "wss" + strings.TrimPrefix(web.URL, "https"), w
}

func TestClientIsAuthenticatedByItsCertificate(t *testing.T) {
	a := newAuthority(t)
	url, _ := serveMutualTLS(t, a)
	for _, name := range []string{"alice", "bob"} {
		if got, err := converse(t.Context(), dial(t, url, a.client(name, a)), unary, []string{""}); err != nil || got[0] != " "+name {
			t.Errorf("%q, %v; want %s", got, err, name)
		}
	}
}

func TestClientWithoutACertificateOfTheAuthorityIsRefused(t *testing.T) {
	a := newAuthority(t)
	url, _ := serveMutualTLS(t, a)
	_, err := rpc.Dial(t.Context(), url, rpc.WithTLS(&tls.Config{RootCAs: a.pool}))
	wantError(t, err, rpc.CodeUnauthenticated)
	var failed *ws.HandshakeError
	if !errors.As(err, &failed) || failed.Status != http.StatusUnauthorized || failed.Body != "show a certificate\n" {
		t.Errorf("got %+v", failed)
	}
	_, err = rpc.Dial(t.Context(), url, newAuthority(t).client("alice", a)) // signed by another authority
	wantError(t, err, rpc.CodeUnavailable)
}

func TestConnectionIsResumedByItsCertificate(t *testing.T) {
	a := newAuthority(t)
	url, wires := serveMutualTLS(t, a)
	back := make(chan struct{}, 1)
	client := rpc.NewClient(url, a.client("alice", a), resumptions(back))
	t.Cleanup(func() { _ = client.Close() })
	for range 2 {
		if got, err := converse(t.Context(), client, unary, []string{""}); err != nil || got[0] != " alice" {
			t.Fatalf("%q, %v", got, err)
		}
		wires.cut()
		<-back
	}
}
