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
func (s *clientStream) pollHeader(t *attempt) error {
	p, err := t.st.RecvHeader(noWait)
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.header != nil && !s.finished {
		*s.cfg.header = s.call.responseHeader()
	}
	return nil
}

// waitHeader waits for the callee's header, until the call ends. With it the
// application has part of the answer: there is no other attempt.
func (s *clientStream) waitHeader() error {
	for {
		t, err := s.active("ResponseHeader")
		if err != nil && !s.isFinished() {
			return err
		} else if err != nil {
			return s.call.headerOr(s.result())
		}
		p, err := t.st.RecvHeader(s.ctx)
		if err == nil {
			s.commit()
			if err = s.acceptHeader(p); err == nil {
				return nil
			}
			s.finish(err)
		}
		if s.isFinished() {
			return s.call.headerOr(s.result())
		}
		if again, status := s.retry(t, s.failure(t, err)); !again {
			return status
		}
	}
}

// takeEnd takes over what the callee has said at the end, and returns the status.
func (s *clientStream) acceptTrailer(t *attempt) error {
	trailer, _ := t.st.Trailer()
	end, err := parseEndBlock(trailer)
	if err != nil {
		return blockError("status from the peer", err)
	}
	if end.alias != 0 {
		t.conn.aliases.learn(s.call.Method, end.alias)
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
