package rpc

import (
	"context"
	"io"
	"iter"
	"sync"
	"sync/atomic"
)

// interceptedStream is the caller's end of a call with interceptors.
//
// An interceptor's next returns when the call ends, but Open returns earlier.
// So the interceptors run as a coroutine: first until the innermost has called
// next, then, when the call has its status, to their end. They use no goroutine
// besides the application's.
type interceptedStream struct {
	Stream // that the innermost interceptor has passed to next
	call   *clientStream
	exit   *interceptorExit
}

// openIntercepted opens a call inside interceptors.
func openIntercepted(ctx context.Context, s *clientStream, interceptors []Interceptor) (Stream, error) {
	exit := &interceptorExit{status: errInterceptorPanic}
	begun := false
	next, stop := iter.Pull(func(yield func(Stream) bool) {
		exit.status = chain(interceptors, func(ctx context.Context, around Stream) error {
			if begun {
				return Errorf(CodeInternal, "an interceptor of %s called next twice", s.call.Method.Path())
			}
			begun = true
			if err := s.open(ctx, nil); err != nil {
				return err
			}
			yield(around)
			return s.state.result()
		})(ctx, s)
	})
	exit.run = stop
	s.onFinish = exit.finish
	exit.busy.Add(1)
	around, opened := next()
	exit.busy.Add(-1)
	switch {
	case opened:
	case exit.status != nil:
		return nil, asError(exit.status)
	case begun:
		return nil, asError(s.state.result()) // it could not be opened; the interceptors cannot change that
	default:
		return nil, Errorf(CodeInternal, "an interceptor of %s returned without calling next", s.call.Method.Path())
	}
	if s.state.isFinished() {
		exit.once.Do(exit.run)
	}
	return &interceptedStream{Stream: around, call: s, exit: exit}, nil
}

// errInterceptorPanic is the status of a call if one of its interceptors has
// panicked.
var errInterceptorPanic = Errorf(CodeInternal, "an interceptor panicked")

// interceptorExit is what interceptors do after next. It runs once, when the
// call has its status and no operation of the application is running: a stream
// that an interceptor has wrapped around the call has then seen the whole call.
type interceptorExit struct {
	run    func()
	status error        // the result of the outermost interceptor
	busy   atomic.Int32 // running operations of the application, including Open
	once   sync.Once
}

// finish runs the exit, unless an operation is running and will do so.
func (e *interceptorExit) finish() {
	if e.busy.Load() == 0 {
		e.once.Do(e.run)
	}
}

// Send is as in Stream; the interceptors decide on the status. If messages of
// the peer are still to be received, the call goes on for them, and Send
// returns the status as it has arrived.
func (is *interceptedStream) Send(msg any) error {
	is.exit.busy.Add(1)
	return is.result(is.Stream.Send(msg), ErrFinished)
}

// CloseSend is as in Stream; the interceptors decide on the status.
func (is *interceptedStream) CloseSend() error {
	is.exit.busy.Add(1)
	return is.result(is.Stream.CloseSend(), nil)
}

// Recv is as in Stream; the interceptors decide on the status.
func (is *interceptedStream) Recv(msg any) error {
	is.exit.busy.Add(1)
	return is.result(is.Stream.Recv(msg), io.EOF)
}

// Close is as in Stream.
func (is *interceptedStream) Close() error {
	is.exit.busy.Add(1)
	err := is.Stream.Close()
	_ = is.result(nil, nil) // Send and Recv return the status
	return err
}

// result ends an operation. If the call is over, it replaces the status by that
// of the interceptors. ok is the error of the operation for OK.
func (is *interceptedStream) result(err, ok error) error {
	is.exit.busy.Add(-1)
	if !is.call.state.isFinished() {
		return err
	}
	is.exit.once.Do(is.exit.run)
	switch {
	case is.exit.status != nil:
		return notEOF(asError(is.exit.status))
	case err != nil:
		return ok
	}
	return nil
}
