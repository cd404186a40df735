package rpc

import (
	"context"
	"errors"
	"log/slog"

	"github.com/parley-rpc/parley/transport"
)

// log logs something about the connection.
func (c *Conn) log(ctx context.Context, level slog.Level, msg string, more ...slog.Attr) {
	if !c.e.log.Enabled(ctx, level) {
		return
	}
	attrs := append(make([]slog.Attr, 0, 8), slog.Uint64("conn", c.id))
	if addr := c.Peer().Addr; addr != nil {
		attrs = append(attrs, slog.String("peer", addr.String()))
	}
	if c.server.principal != "" {
		attrs = append(attrs, slog.String("principal", c.server.principal))
	}
	c.e.log.LogAttrs(ctx, level, msg, append(attrs, more...)...)
}

// note logs an event of the connection, if it is one of a server: applications of
// clients are told otherwise. A slog.Handler finds in the context what the
// handshake has put there.
func (c *Conn) note(level slog.Level, msg string, more ...slog.Attr) {
	if c.client.sub != nil {
		return
	}
	c.log(c.Context(), level, msg, more...)
}

func (c *Conn) logStarted() { c.note(slog.LevelDebug, "parley: connection begun") }

func (c *Conn) logDetached(err error) {
	c.enqueueEvent(func() { c.note(slog.LevelDebug, "parley: link lost", slog.Any("reason", err)) })
}

func (c *Conn) logResumed() {
	c.enqueueEvent(func() { c.note(slog.LevelDebug, "parley: connection resumed") })
}

// logEnd logs that the connection has ended, with the transport's reason.
func (c *Conn) logEnd(err error) {
	level, msg := slog.LevelDebug, "parley: connection ended"
	if cutOff(err) {
		level, msg = slog.LevelInfo, "parley: connection cut off"
	}
	c.note(level, msg, slog.Any("reason", c.failure(err)))
}

// cutOff tells whether this end has ended a connection for what the other end did.
func cutOff(err error) bool {
	var closed *transport.CloseError
	if !errors.As(err, &closed) || closed.Remote {
		return false
	}
	switch closed.Code {
	case transport.CloseNormal, transport.CloseGoingAway, transport.CloseServiceRestart,
		transport.CloseAbnormal, transport.CloseNoStatus, // nobody has ended it
		transport.CloseRefusal + transport.CloseCode(CodeAborted): // a newer link has taken its place
		return false
	}
	return true
}
