package rpc

import "context"

// callUnary makes a unary call. res is fresh from new.
func (s *clientStream) callUnary(ctx context.Context, e *endpoint, req, res any) error {
	if len(e.callChain) > 0 {
		c := &interceptedUnary{req: req, res: res}
		c.adopt(s)
		defer c.end()
		return c.run(ctx, e.callChain)
	}
	s.alone = s.cfg.idle == 0
	if err := s.openOnly(ctx, req); err != nil {
		return err
	}
	s.keepPrivate()
	defer s.free()
	return responseError(s.call.Method, s.receive(res, (*coder).merge))
}
