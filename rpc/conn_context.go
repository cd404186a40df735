package rpc

import "context"

// Context returns a context that never ends. At a server it has the values of the
// handshake that began the connection: those of the context that WithAuthentication
// returned or, without it, those of the request's context, into which HTTP
// middleware may have put some. Contexts of handlers have them too. At a client it
// is context.Background.
func (c *Conn) Context() context.Context {
	if c.base == nil {
		return context.Background()
	}
	return c.base
}
