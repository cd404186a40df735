package rpc

import "context"

// noWait is a canceled context: an operation with it does not wait.
var noWait = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// pollHeader takes the response header if it has arrived. It must not be called
// before the first message or the end has arrived.
func (s *clientStream) pollHeader(a *attempt) error {
	p, err := a.stream().RecvHeader(noWait)
	if err != nil {
		return nil //nolint:nilerr // the stream has failed, and Recv returns the error
	}
	return s.acceptHeader(p)
}

// acceptHeader takes a response header that has arrived.
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

// waitHeader waits for the response header until the call ends. The header is
// part of the response, so it rules out another attempt.
func (s *clientStream) waitHeader() error {
	for {
		a, err := s.state.active("ResponseHeader")
		if err != nil && !s.state.isFinished() {
			return err
		} else if err != nil {
			return s.call.headerOr(s.state.result())
		}
		p, err := a.stream().RecvHeader(s.ctx)
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

// acceptTrailer takes the response trailer and returns the status in it.
func (s *clientStream) acceptTrailer(a *attempt) error {
	trailer, _ := a.stream().Trailer()
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

// storeMetadata stores the metadata that ReadHeader and ReadTrailer have asked
// for. The mutex of the state is held, so a caller that gets the status finds
// the metadata stored.
func (s *clientStream) storeMetadata() {
	if s.cfg.header != nil {
		*s.cfg.header = s.call.responseHeader()
	}
	if s.cfg.trailer != nil {
		*s.cfg.trailer = s.call.Trailer()
	}
}
