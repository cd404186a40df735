package command

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/parley-rpc/parley/rpc"
)

// target configures how a command reaches an endpoint.
type target struct {
	bearer     string
	header     []string
	ca         string
	cert, key  string
	serverName string
	insecure   bool
	timeout    time.Duration
}

func (t *target) flags(f *pflag.FlagSet) {
	f.StringVar(&t.bearer, "bearer", "", "`token` for the handshake's Authorization header; @FILE reads it from a file")
	f.StringArrayVar(&t.header, "http-header", nil, "additional header of the handshake, '`key: value`'")
	f.StringVar(&t.ca, "ca", "", "`file` with the certificates (PEM) of authorities to trust, instead of the system's")
	f.StringVar(&t.cert, "cert", "", "`file` with the client certificate (PEM)")
	f.StringVar(&t.key, "key", "", "`file` with the certificate's key (PEM)")
	f.StringVar(&t.serverName, "server-name", "", "expected `name` in the server's certificate, instead of the URL's host")
	f.BoolVar(&t.insecure, "insecure", false, "do not check the server's certificate")
	f.DurationVar(&t.timeout, "connect-timeout", 10*time.Second, "timeout of connecting")
}

// connect connects to an endpoint. Its errors explain why that is not possible.
func (t *target) connect(ctx context.Context, url string, opts ...rpc.ClientOption) (*rpc.Client, *rpc.Conn, error) {
	header, err := t.handshake()
	if err != nil {
		return nil, nil, err
	}
	cfg, err := t.tls()
	if err != nil {
		return nil, nil, err
	}
	if t.timeout <= 0 {
		return nil, nil, usagef("--connect-timeout %v: it must be positive", t.timeout)
	}
	if scheme, _, ok := strings.Cut(url, "://"); !ok || scheme == "" {
		return nil, nil, usagef("%q is not a URL: write ws://%s, or wss:// with TLS", url, url)
	}
	client := rpc.NewClient(url, append(opts,
		rpc.WithHTTPHeader(header), rpc.WithTLS(cfg), rpc.WithHandshakeTimeout(t.timeout))...)
	conn, err := client.Connect(ctx)
	if err != nil {
		_ = client.Close() // has no connections
		return nil, nil, diagnose(ctx, err)
	}
	return client, conn, nil
}

// handshake returns the headers of the handshake.
func (t *target) handshake() (http.Header, error) {
	header := make(http.Header)
	for _, line := range t.header {
		key, value, err := keyValue("--http-header", line)
		if err != nil {
			return nil, err
		}
		header.Add(key, value)
	}
	token := t.bearer
	if file, ok := strings.CutPrefix(token, "@"); ok {
		content, err := readFile("--bearer", file)
		if err != nil {
			return nil, err
		}
		token = strings.TrimSpace(string(content))
	}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	return header, nil
}

// keyValue parses the header in a flag.
func keyValue(flag, line string) (key, value string, err error) {
	key, value, ok := strings.Cut(line, ":")
	if key = strings.TrimSpace(key); !ok || key == "" {
		return "", "", usagef("%s %q: write it as 'key: value'", flag, line)
	}
	return key, strings.TrimSpace(value), nil
}

func (t *target) tls() (*tls.Config, error) {
	cfg := &tls.Config{ServerName: t.serverName, InsecureSkipVerify: t.insecure}
	if t.ca != "" {
		var err error
		if cfg.RootCAs, err = authorities("--ca", t.ca); err != nil {
			return nil, err
		}
	}
	if (t.cert == "") != (t.key == "") {
		return nil, usagef("--cert and --key go together")
	}
	if t.cert != "" {
		own, err := ownCertificate(t.cert, t.key)
		if err != nil {
			return nil, err
		}
		cfg.Certificates = []tls.Certificate{own}
	}
	return cfg, nil
}

// ownCertificate reads the certificate and the key in the files of --cert and
// --key.
func ownCertificate(certFile, keyFile string) (tls.Certificate, error) {
	cert, err := readFile("--cert, --key", certFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := readFile("--cert, --key", keyFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	own, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, usagef("--cert, --key: %w", err)
	}
	return own, nil
}

// authorities reads the certificates in the file of a flag.
func authorities(flag, file string) (*x509.CertPool, error) {
	pem, err := readFile(flag, file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, usagef("%s: there is no certificate (PEM) in %s", flag, file)
	}
	return pool, nil
}
