package main

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"time"

	"github.com/parley-rpc/parley/tests/internal/rig"
)

// slowHandshake sends a byte of a request now and then.
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

// halfOpen sends a part of a request, or nothing at all, and waits for the server to
// lose its patience.
func halfOpen(ctx context.Context, addr string, n *tally) error {
	conn, err := connect(ctx, addr)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing to lose
	const request = "GET " + rig.Path + " HTTP/1.1\r\nHost: half\r\nUpgrade: websocket\r\n"
	if part := rand.IntN(2 * len(request)); part < len(request) { // half of them say nothing
		if _, err := io.WriteString(conn, request[:part]); err != nil {
			return err
		}
	}
	n.units.Add(1)
	_, err = io.Copy(io.Discard, conn)
	return err
}

// noGreeting has a link made and says nothing on it.
func noGreeting(ctx context.Context, addr string, n *tally) error {
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

// connect makes a TCP connection that ends with ctx.
func connect(ctx context.Context, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err == nil {
		context.AfterFunc(ctx, func() { _ = conn.Close() })
	}
	return conn, err
}
