package rpc

import "context"

// What the callee says beside its messages, as the caller's end takes it in: its
// header and, with the status, its trailer.

// expired is a context with which nothing is waited for.
var noWait = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// takeHeader takes over the callee's header where it has come or cannot come any
// more: a message has arrived, or the end.
func (s *clientStream) pollHeader(a *attempt) error {
	p, err := a.st.RecvHeader(noWait)
	if err != nil {
		return nil //nolint:nilerr // the stream has failed since, which Recv will tell
	}
	return s.acceptHeader(p)
}

// acceptHeader takes over a header that has come.
func (s *clientStream) acceptHeader(p []byte) error {
	if err := s.call.setResponse(p, s.cfg.compression); err != nil {
		return err
	}
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	if s.cfg.header != nil && !s.state.finished {
		*s.cfg.header = s.call.responseHeader()
	}
	return nil
}

// waitHeader waits for the callee's header, until the call ends. With it the
// application has part of the answer: there is no other attempt.
func (s *clientStream) waitHeader() error {
	for {
		a, err := s.state.active("ResponseHeader")
		if err != nil && !s.state.isFinished() {
			return err
		} else if err != nil {
			return s.call.headerOr(s.state.result())
		}
		p, err := a.st.RecvHeader(s.ctx)
		if err == nil {
			s.state.commit()
			if err = s.acceptHeader(p); err == nil {
				return nil
			}
			s.finish(err)
		}
		if s.state.isFinished() {
			return s.call.headerOr(s.state.result())
		}
		if again, status := s.retry(a, s.failure(a, err)); !again {
			return status
		}
	}
}

// takeEnd takes over what the callee has said at the end, and returns the status.
func (s *clientStream) acceptTrailer(a *attempt) error {
	trailer, _ := a.st.Trailer()
	end, err := parseEndBlock(trailer)
	if err != nil {
		return blockError("status from the peer", err)
	}
	if end.alias != 0 {
		a.conn.aliases.learned.learn(s.call.Method, end.alias)
	}
	s.call.mu.Lock()
	s.call.trailer = end.metadata
	s.call.mu.Unlock()
	if end.status != nil {
		return end.status
	}
	return nil
}

// storeMetadata gives the application what it has asked for by ReadHeader and
// ReadTrailer. mu is held: whoever is told the status finds it stored.
func (s *clientStream) storeMetadata() {
	if s.cfg.header != nil {
		*s.cfg.header = s.call.responseHeader()
	}
	if s.cfg.trailer != nil {
		*s.cfg.trailer = s.call.Trailer()
	}
}
