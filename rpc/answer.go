package rpc

import "context"

// What the callee says beside its messages, as the caller's end takes it in: its
// header and, with the status, its trailer.

// expired is a context with which nothing is waited for.
var expired = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// takeHeader takes over the callee's header where it has come or cannot come any
// more: a message has arrived, or the end.
func (s *clientStream) takeHeader() error {
	p, err := s.st.RecvHeader(expired)
	if err != nil {
		return nil //nolint:nilerr // the stream has failed since, which Recv will tell
	}
	return s.acceptHeader(p)
}

// acceptHeader takes over a header that has come.
func (s *clientStream) acceptHeader(p []byte) error {
	if err := s.call.setAnswer(p, s.cfg.compression); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.header != nil && !s.finished {
		*s.cfg.header = s.call.responseHeader()
	}
	return nil
}

// waitHeader waits for the callee's header, until the call ends.
func (s *clientStream) waitHeader() error {
	if err := s.mayWork("ResponseHeader"); err != nil && !s.isFinished() {
		return err
	} else if err != nil {
		return s.call.headerOr(s.result())
	}
	p, err := s.st.RecvHeader(s.ctx)
	if err == nil {
		if err = s.acceptHeader(p); err == nil {
			return nil
		}
		s.finish(err)
	}
	if s.isFinished() {
		return s.call.headerOr(s.result())
	}
	return s.failure(err)
}

// takeEnd takes over what the callee has said at the end, and returns the status.
func (s *clientStream) takeEnd() error {
	trailer, _ := s.st.Trailer()
	end, err := parseEndBlock(trailer)
	if err != nil {
		return Errorf(CodeInternal, "malformed status from the peer: %w", err)
	}
	if end.alias != 0 {
		s.conn.aliases.learn(s.call.Method, end.alias)
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
