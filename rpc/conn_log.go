package rpc

import (
	"context"
	"errors"
	"log/slog"

	"github.com/parley-rpc/parley/transport"
)

// log logs a message about the connection.
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

// note logs an event of a server's connection. Applications of clients get
// events through hooks. A slog.Handler finds the values of the handshake in the
// context.
func (c *Conn) note(level slog.Level, msg string, more ...slog.Attr) {
	if c.notes(level) {
		c.log(c.Context(), level, msg, more...)
	}
}

// notes reports whether note logs events of a level.
func (c *Conn) notes(level slog.Level) bool {
	return c.client.sub == nil && c.e.log.Enabled(c.Context(), level)
}

func (c *Conn) logStarted() { c.note(slog.LevelDebug, "parley: connection started") }

func (c *Conn) logDetached(err error) {
	c.enqueueEvent(func() { c.note(slog.LevelDebug, "parley: connection detached", slog.Any("reason", err)) })
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

// cutOff reports whether this end has ended a connection because of what the
// peer did.
func cutOff(err error) bool {
	var closed *transport.CloseError
	if !errors.As(err, &closed) || closed.Remote {
		return false
	}
	switch closed.Code {
	case transport.CloseNormal, transport.CloseGoingAway, transport.CloseServiceRestart,
		transport.CloseAbnormal, transport.CloseNoStatus, // the link was lost
		transport.CloseRefusal + transport.CloseCode(CodeAborted): // a newer link has replaced it
		return false
	}
	return true
}
