package main

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/parley-rpc/parley/tests/internal/rig"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// slowHandshake sends a request byte by byte, with pauses.
func slowHandshake(ctx context.Context, addr string, n *tally) error {
	conn, err := connect(ctx, addr)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing to lose
	for _, b := range []byte("GET " + rig.Path + " HTTP/1.1\r\nHost: slow\r\nCookie: an endless one") {
		if _, err := conn.Write([]byte{b}); err != nil {
			return err
		}
		n.units.Add(1)
		pause(ctx, 200*time.Millisecond)
	}
	return nil
}

// halfOpen sends a part of a request, or nothing, and waits until the server
// gives up.
func halfOpen(ctx context.Context, addr string, n *tally) error {
	conn, err := connect(ctx, addr)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing to lose
	const request = "GET " + rig.Path + " HTTP/1.1\r\nHost: half\r\nUpgrade: websocket\r\n"
	if part := rand.IntN(2 * len(request)); part < len(request) { // half of the attackers send nothing
		if _, err := io.WriteString(conn, request[:part]); err != nil {
			return err
		}
	}
	n.units.Add(1)
	_, err = io.Copy(io.Discard, conn)
	return err
}

// noHello makes a link and sends nothing on it.
func noHello(ctx context.Context, addr string, n *tally) error {
	link, err := dial(ctx, addr, "")
	if err != nil {
		return err
	}
	n.units.Add(1)
	stop := context.AfterFunc(ctx, func() { _ = link.Close(1006, "") })
	defer stop()
	defer link.Close(1006, "") //nolint:errcheck // nothing to lose
	_, err = link.NextReader()
	return err
}

// flooded is the address from which a flood of handshakes comes. The clients
// that keep the rules have another one.
var flooded = ws.Dialer{NetDial: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).DialContext}

// floodHandshakes makes handshakes as fast as it can, with invalid credentials
// or none.
func floodHandshakes(ctx context.Context, addr string, n *tally) error {
	d := flooded
	if rand.IntN(2) == 0 {
		d.Header = http.Header{"Authorization": {"Bearer " + unknownUser}}
	}
	n.units.Add(1)
	link, err := d.Dial(ctx, "ws://"+addr+rig.Path)
	if err != nil {
		return err
	}
	return link.Close(transport.CloseAbnormal, "")
}

// hoardHeaders makes link after link with headers of nearly 1 MiB, the most
// that HTTP allows, and keeps them.
func hoardHeaders(ctx context.Context, addr string, n *tally) error {
	d := ws.Dialer{Header: http.Header{"X-Hoard": {strings.Repeat("x", 900<<10)}}}
	for ctx.Err() == nil {
		link, err := d.Dial(ctx, "ws://"+addr+rig.Path)
		if err != nil {
			n.said.Store(&err)
			pause(ctx, 200*time.Millisecond)
			continue
		}
		defer link.Close(transport.CloseAbnormal, "") //nolint:errcheck // nothing to lose
		if err := link.WriteMessage([][]byte{generous.Append(nil)}); err != nil {
			return err
		}
		n.units.Add(1)
	}
	return nil
}

// connect makes a TCP connection that ends with ctx.
func connect(ctx context.Context, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err == nil {
		context.AfterFunc(ctx, func() { _ = conn.Close() })
	}
	return conn, err
}
