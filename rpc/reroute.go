package rpc

import "context"

// WithReroute makes a call again that was surely not processed, with the Caller
// that r returns, which must be a Client or a Conn, and with the options of r
// for its metadata. That is so if its handler has refused it (Refuse), if its
// server was going away, or if its Client was closed before. It is for a Router
// that may be wrong about where a call belongs. A call is made again at most 4
// times, and not after it has sent more than 256 KiB. The error of r is the
// status of the call.
func WithReroute(r Router) CallOption {
	return func(c *callConfig) { c.reroute = r }
}

// reroutable reports whether a call whose attempt a has failed with status is
// made again where it belongs.
func (s *clientStream) reroutable(a *attempt, status error) bool {
	closed := a.conn == nil && isClosedError(status)
	return s.cfg.reroute != nil && s.retries.unprocessed < maxUnprocessed && (closed || a.unprocessed())
}

// pickAgain returns a connection for another attempt that the RetryPolicy allows.
func (s *clientStream) pickAgain(ctx context.Context) (*Conn, error) {
	if s.cfg.reroute != nil {
		return s.reroute(ctx)
	}
	return s.client.pick(ctx, s.cfg.waitMode, nil)
}

// reroute returns the connection on which the call is made again.
func (s *clientStream) reroute(ctx context.Context) (*Conn, error) {
	c, opts, err := route(ctx, s.cfg.reroute, s.call.Method, nil)
	if err != nil {
		return nil, err
	}
	cfg := callConfig{metadata: (*pairs)(nil).appendAll(s.call.request)}
	for _, o := range opts {
		o(&cfg)
	}
	if cfg.err != nil {
		return nil, cfg.err
	}
	s.retries.request = cfg.metadata
	switch c := c.(type) {
	case *Conn:
		return c, nil
	case *Client:
		if c.optionErr != nil {
			return nil, c.optionErr
		}
		return c.pick(ctx, s.cfg.waitMode, nil)
	}
	return nil, Errorf(CodeInternal, "WithReroute: a %T cannot make a call again: return a Client or a Conn", c)
}
