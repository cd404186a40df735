package main

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// slowConn is a TCP connection of which an attacker reads 80 KiB a second, if
// it is slow. What it has not read waits in the kernels of both ends.
type slowConn struct {
	net.Conn
	slow atomic.Bool
}

const (
	slowSize  = 4 << 10 // bytes
	slowPause = 50 * time.Millisecond
	// slowBuffer is how many bytes the attacker's kernel takes.
	slowBuffer = 16 << 10
)

func (c *slowConn) Read(p []byte) (int, error) {
	if c.slow.Load() {
		time.Sleep(slowPause)
		p = p[:min(len(p), slowSize)]
	}
	return c.Conn.Read(p)
}

// dialer returns a dialer for the only connection, whose kernel takes buffer
// bytes; 0: as many as it likes.
func (c *slowConn) dialer(buffer int) *ws.Dialer {
	return &ws.Dialer{NetDial: func(ctx context.Context, network, addr string) (conn net.Conn, err error) {
		if c.Conn, err = new(net.Dialer).DialContext(ctx, network, addr); err != nil || buffer == 0 {
			return c, err
		}
		return c, c.Conn.(*net.TCPConn).SetReadBuffer(buffer)
	}}
}

// acknowledgeSlowly makes the server believe in a path that holds MaxReplay.
// Then it reads slowly, and acknowledges at once what it has read.
func acknowledgeSlowly(ctx context.Context, addr string, n *tally) error {
	return hoard(func() error {
		var c slowConn
		return download(ctx, addr, c.dialer(0), func(link transport.Link) error {
			var received, window atomic.Uint64
			if err := growInFlight(ctx, link, &received, &window); err != nil {
				return err
			}
			n.units.Add(1)
			c.slow.Store(true)
			for {
				if err := countMessage(link, &received, &window); err != nil {
					return err
				}
				if err := link.WriteMessage([][]byte{frame.AppendAck(nil, received.Load())}); err != nil {
					return err
				}
			}
		})
	})
}

const (
	// unreadFrames is how many frames acknowledgeUnread acknowledges that it
	// has not read: the server has sent as many to its kernel.
	unreadFrames = 2
	// unreadMessages is how many messages of the link it reads before it
	// acknowledges more than was sent.
	unreadMessages = 2
	// unreadRest is how many it reads at most after that: more than both
	// kernels hold.
	unreadRest = 64
)

// acknowledgeUnread reads slowly, and acknowledges what the server has sent and
// it has not read. In the end it acknowledges what was not sent either. The
// server must end each such session. It does so with close code 1002, if the
// attacker reads that in time.
func acknowledgeUnread(ctx context.Context, addr string, n *tally) error {
	return hoard(func() error {
		var c slowConn
		c.slow.Store(true)
		return download(ctx, addr, c.dialer(slowBuffer), func(link transport.Link) error { return ackUnread(ctx, link, &c, n) })
	})
}

// ackUnread does so on a link, and returns why the server has ended it.
func ackUnread(ctx context.Context, link transport.Link, c *slowConn, n *tally) error {
	var received, window atomic.Uint64
	for range unreadMessages {
		if err := countMessage(link, &received, &window); err != nil {
			return err
		}
		if received.Load() == 0 {
			continue // only HELLO
		}
		if err := link.WriteMessage([][]byte{frame.AppendAck(nil, received.Load()+unreadFrames)}); err != nil {
			return err
		}
	}
	c.slow.Store(false)
	if err := link.WriteMessage([][]byte{frame.AppendAck(nil, frame.MaxVarint)}); err != nil {
		return err
	}
	for range unreadRest {
		if err := countMessage(link, &received, &window); err != nil {
			if ctx.Err() == nil {
				n.units.Add(1)
			}
			return err
		}
	}
	n.won.Add(1)
	return errors.New("what was not sent is acknowledged, and the session goes on")
}
