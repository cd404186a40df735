package command

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport/ws"
)

// diagnose explains why there is no connection, and what to do.
func diagnose(ctx context.Context, err error) error {
	var h *ws.HandshakeError
	if !errors.As(err, &h) {
		var e *rpc.Error
		if errors.As(err, &e) && e.Code() == rpc.CodeInvalidArgument {
			return usagef("%s", e.Message())
		}
		return failure{exitUnreachable, err}
	}
	if h.Stage == ws.StageConfig {
		return usagef("%w", h)
	}
	return failure{exitUnreachable, fmt.Errorf("cannot connect to %s: %s", h.URL, reason(ctx, h))}
}

// reason explains why a handshake has failed, and what to do.
func reason(ctx context.Context, h *ws.HandshakeError) string {
	u, err := url.Parse(h.URL)
	if err != nil {
		return said(h)
	}
	switch h.Stage {
	case ws.StageConnect:
		return reasonOfNetwork(u, h)
	case ws.StageProxy:
		return said(h) + " (HTTPS_PROXY, HTTP_PROXY and NO_PROXY say which proxy is used)"
	case ws.StageTLS:
		return reasonOfTLS(u, h)
	}
	plain := u.Scheme == "ws" || u.Scheme == "http"
	if plain && (h.Status == 0 && !timedOut(h) || h.Status == http.StatusBadRequest) && speaksTLS(ctx, u) {
		return "the server speaks TLS there: write wss:// instead of " + u.Scheme + "://"
	}
	return reasonOfAnswer(u, h)
}

// said returns the error of package ws without the URL.
func said(h *ws.HandshakeError) string {
	return strings.TrimPrefix(h.Error(), "ws: dial "+h.URL+": ")
}

func reasonOfNetwork(u *url.URL, h *ws.HandshakeError) string {
	var dns *net.DNSError
	var network net.Error
	switch {
	case errors.As(h, &dns) && dns.IsNotFound:
		return fmt.Sprintf("there is no host %s (DNS): check its name", u.Hostname())
	case errors.As(h, &dns):
		return fmt.Sprintf("the name %s cannot be looked up: %v", u.Hostname(), dns)
	case errors.Is(h, syscall.ECONNREFUSED):
		return fmt.Sprintf("no server listens at %s (connection refused): check the port, and that the server is running", u.Host)
	case errors.Is(h, syscall.EHOSTUNREACH), errors.Is(h, syscall.ENETUNREACH):
		return fmt.Sprintf("there is no route to %s: check the address", u.Host)
	case timedOut(h) || errors.As(h, &network) && network.Timeout():
		return fmt.Sprintf("%s does not answer (timeout): the host is down, or a firewall drops what is sent to it", u.Host)
	}
	return said(h)
}

func timedOut(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

func reasonOfTLS(u *url.URL, h *ws.HandshakeError) string {
	var (
		plain     tls.RecordHeaderError
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
	)
	switch {
	case errors.As(h, &plain):
		return "the server does not speak TLS there: write ws:// instead of wss://, or ask for its port with TLS"
	case errors.As(h, &authority):
		return "the server's certificate is signed by an unknown authority: give the authority's certificate with --ca FILE"
	case errors.As(h, &name):
		return fmt.Sprintf("the server's certificate is not for the name %s but for %s: connect to that, or give it with --server-name",
			name.Host, strings.Join(names(name.Certificate), ", "))
	case errors.As(h, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Sprintf("the server's certificate is valid from %s to %s only: renew it, or check the clock",
			invalid.Cert.NotBefore.Format(time.DateOnly), invalid.Cert.NotAfter.Format(time.DateOnly))
	case timedOut(h):
		return fmt.Sprintf("%s does not answer in TLS (timeout)", u.Host)
	}
	return said(h)
}

// names returns the names in a certificate.
func names(c *x509.Certificate) []string {
	all := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return []string{"none"}
	}
	return all
}

// speaksTLS tries a TLS handshake.
func speaksTLS(ctx context.Context, u *url.URL) bool {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), "80")
	}
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // nothing is sent to it
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		var alert tls.AlertError // is TLS too
		return errors.As(err, &alert)
	}
	_ = conn.Close() // has done its work
	return true
}

// reasonOfAnswer explains a response that is not an upgrade to parley.
func reasonOfAnswer(u *url.URL, h *ws.HandshakeError) string {
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	status := strings.TrimSpace(fmt.Sprintf("HTTP %d %s", h.Status, http.StatusText(h.Status)))
	switch {
	case h.Status == 0 && timedOut(h):
		return fmt.Sprintf("%s accepts connections but does not answer the handshake (timeout)", u.Host)
	case h.Status == http.StatusSwitchingProtocols:
		return "the WebSocket server does not speak Parley: " + said(h) + ": check the path"
	case h.Status == http.StatusBadRequest && len(h.ServerSubprotocols) > 0:
		return fmt.Sprintf("the server speaks %s, this program %s: update the older one",
			strings.Join(h.ServerSubprotocols, ", "), strings.Join(h.OfferedSubprotocols, ", "))
	case h.Status/100 == 2:
		return fmt.Sprintf("there is a web server, but no endpoint at the path %s (%s): check the path, often it is /rpc", path, status)
	case h.Status == http.StatusNotFound, h.Status == http.StatusMethodNotAllowed, h.Status == http.StatusUpgradeRequired:
		return fmt.Sprintf("there is no WebSocket endpoint at the path %s (%s): check the path, often it is /rpc", path, status)
	case h.Status == http.StatusUnauthorized:
		return fmt.Sprintf("the server requires credentials (%s): give a token with --bearer, or what else it asks for with --http-header", status)
	case h.Status == http.StatusForbidden:
		return fmt.Sprintf("the server refuses this client (%s): other credentials (--bearer), "+
			"or an Origin that it allows (--http-header 'Origin: https://...')", status)
	}
	return said(h)
}
