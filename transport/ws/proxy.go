package ws

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// proxyServer is an HTTP proxy.
type proxyServer struct {
	addr   string // host:port
	host   string
	secure bool
	user   *url.Userinfo
}

// proxy returns the proxy to use, or nil.
func (a *attempt) proxy() (*proxyServer, error) {
	find := a.dialer.Proxy
	if find == nil {
		find = http.ProxyFromEnvironment
	}
	u := a.target.httpURL()
	via, err := find(&http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: a.header.Clone()})
	if err != nil {
		return nil, fmt.Errorf("no proxy found: %w", err)
	}
	if via == nil {
		return nil, nil
	}
	p := &proxyServer{host: via.Hostname(), user: via.User}
	port := "80"
	switch via.Scheme {
	case "http":
	case "https":
		p.secure, port = true, "443"
	default:
		return nil, fmt.Errorf("proxy with the scheme %.20q: only http and https are supported: dial through it by Dialer.NetDial (of a client of rpc: WithNetDial)", via.Scheme)
	}
	if p.host == "" {
		return nil, errors.New("the URL of the proxy names no host")
	}
	if via.Port() != "" {
		port = via.Port()
	}
	p.addr = net.JoinHostPort(p.host, port)
	return p, nil
}

// tunnel asks the proxy that conn is connected to for a connection to the
// target (RFC 9110, section 9.3.6).
func (a *attempt) tunnel(ctx context.Context, conn net.Conn, via *proxyServer) (net.Conn, error) {
	if via.secure {
		cfg := tlsConfig(a.dialer.TLSConfig, via.host)
		cfg.ServerName = via.host
		secure := tls.Client(conn, cfg)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("proxy %s: TLS failed: %w", via.addr, err)
		}
		conn = secure
	}
	stop := context.AfterFunc(ctx, func() { _ = bottom(conn).Close() })
	err := a.askProxy(conn, via)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil && !errors.Is(err, a.failure) {
		err = fmt.Errorf("proxy %s: %w", via.addr, err)
	}
	return conn, err
}

func (a *attempt) askProxy(conn net.Conn, via *proxyServer) error {
	ask := &http.Request{
		Method: http.MethodConnect,
		URL:    &url.URL{Opaque: a.target.addr},
		Host:   a.target.addr,
		Header: make(http.Header),
	}
	if via.user != nil {
		password, _ := via.user.Password()
		credential := base64.StdEncoding.EncodeToString([]byte(via.user.Username() + ":" + password))
		ask.Header.Set("Proxy-Authorization", "Basic "+credential)
	}
	if err := ask.Write(conn); err != nil {
		return err
	}
	limited := &io.LimitedReader{R: conn, N: maxResponse}
	r := bufio.NewReader(limited)
	resp, err := http.ReadResponse(r, ask)
	switch {
	case err == nil:
	case limited.N == 0:
		return fmt.Errorf("no response to CONNECT: %w", errBudget)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("closed the connection without a response to CONNECT")
	default:
		return errors.New("no response to CONNECT: " + printable(err.Error(), 200))
	}
	if resp.StatusCode/100 != 2 {
		_ = conn.SetReadDeadline(time.Now().Add(time.Second)) // for a body without an end
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxBody))
		a.failure.setProxyAnswer(resp, via.addr, a.target.addr, string(body))
		return a.failure
	}
	if r.Buffered() > 0 {
		return errors.New("sent data after its response to CONNECT")
	}
	return nil
}
