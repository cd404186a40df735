package cluster

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"net/http"

	"github.com/parley-rpc/parley/rpc"
)

// Credentials are how nodes prove to each other that they are nodes of the
// cluster: by certificates or a secret, or both. An owner of them can call every
// client, and name the principal of every link that it relays.
type Credentials struct {
	// TLS is used to dial other nodes. With a client certificate in it, and
	// tls.RequireAndVerifyClientCert at the http.Server of NodeHandler, both
	// ends of a connection are authenticated.
	TLS *tls.Config
	// Secret is a password that all nodes have, of 16 bytes or more. It is sent
	// to nodes that are dialed, so use it with TLS, or in a network that only
	// nodes can read.
	Secret string
}

const minSecret = 16 // bytes

// validate returns an error if the credentials cannot be used.
func (c *Credentials) validate() error {
	if c.Secret != "" && len(c.Secret) < minSecret {
		return errors.New("cluster: Credentials.Secret is too short: at least 16 bytes")
	}
	if c.Secret == "" && (c.TLS == nil || len(c.TLS.Certificates) == 0 && c.TLS.GetClientCertificate == nil) {
		return errors.New("cluster: Credentials: set Secret, or TLS with a certificate: other nodes must know that this is one")
	}
	return nil
}

// dialOptions returns how a node shows its credentials.
func (c *Credentials) dialOptions() (opts []rpc.ClientOption) {
	if c.TLS != nil {
		opts = append(opts, rpc.WithTLS(c.TLS))
	}
	if c.Secret != "" {
		opts = append(opts, rpc.WithHTTPHeader(http.Header{"Authorization": {"Bearer " + c.Secret}}))
	}
	return opts
}

// check reports whether a request is from a node.
func (c *Credentials) check(r *http.Request) error {
	if c.Secret == "" {
		if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
			return rpc.Errorf(rpc.CodeUnauthenticated, "a node must show a certificate that the server has verified")
		}
		return nil
	}
	got, want := sha256.Sum256([]byte(r.Header.Get("Authorization"))), sha256.Sum256([]byte("Bearer "+c.Secret))
	if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
		return rpc.Errorf(rpc.CodeUnauthenticated, "a node must show the secret of the cluster")
	}
	return nil
}
