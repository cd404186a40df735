package command

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/ext/grpc/proxy"
	"github.com/parley-rpc/parley/rpc"
)

const forwardedFor = "x-forwarded-for"

// forwardAddresses sends the client's addresses to a backend, as HTTP proxies
// do.
func forwardAddresses(ctx context.Context, md metadata.MD) error {
	md.Set(forwardedFor, forwardedAddresses(rpc.FromContext(ctx).Peer))
	return nil
}

// forwardedAddresses returns the addresses that proxies have named in the
// handshake, and the address it came from.
func forwardedAddresses(peer *rpc.Peer) string {
	host, _, err := net.SplitHostPort(peer.Addr.String())
	if err != nil {
		host = peer.Addr.String()
	}
	return strings.Join(append(proxy.HeaderValues(peer.Header, forwardedFor), host), ", ")
}

// addressBehind returns the function for the address of a client behind
// proxies, nil without proxies.
func addressBehind(proxies []string) (func(*http.Request) string, error) {
	if len(proxies) == 0 {
		return nil, nil
	}
	networks := make([]netip.Prefix, len(proxies))
	for i, text := range proxies {
		var err error
		if networks[i], err = netip.ParsePrefix(text); err != nil {
			return nil, usagef("--trusted-proxy %s: write a network, such as 10.0.0.0/8 or 192.0.2.1/32", text)
		}
	}
	return rpc.ForwardedAddress(networks...), nil
}

// leftOut logs the headers of handshakes that should be forwarded but contain
// values that gRPC's metadata does not allow. It writes at most one line per
// minute, because clients choose what they send.
type leftOut struct {
	log   *slog.Logger
	names []string // of headers that are forwarded

	mu   sync.Mutex
	next time.Time // time of the next line
	more int       // handshakes since the last line
}

// look checks a new connection.
func (l *leftOut) look(c *rpc.Conn) {
	h := c.Peer().Header
	for _, name := range l.names {
		if sent := len(h.Values(name)); sent > len(proxy.HeaderValues(h, name)) {
			l.say(name, c.Peer().Addr.String())
			return
		}
	}
}

func (l *leftOut) say(name, peer string) {
	l.mu.Lock()
	more := l.more
	l.more++
	now := time.Now()
	quiet := now.Before(l.next)
	if !quiet {
		l.more, l.next = 0, now.Add(time.Minute)
	}
	l.mu.Unlock()
	if quiet {
		return
	}
	l.log.Warn("a header of the handshake is not forwarded: gRPC's metadata is printable ASCII, or base64 in headers that end in -bin",
		"header", name, "peer", peer, "more", more)
}
