package rpc

import (
	"context"
	"io"
	"iter"
	"sync"
)

// interceptedStream is the caller's end of a call around which interceptors run.
//
// An interceptor's next returns when the call ends, yet the call goes on after
// Open has returned. So the interceptors run as a coroutine: until the last has
// called next, then, when the call has its status, to their end. No goroutine
// runs beside the application's.
type interceptedStream struct {
	Stream // what the innermost interceptor has passed to next
	call   *clientStream
	tail   *tail
}

// openIntercepted opens a call inside interceptors.
func openIntercepted(ctx context.Context, s *clientStream, interceptors []Interceptor) (Stream, error) {
	var t tail
	next, stop := iter.Pull(func(yield func(Stream) bool) {
		t.status = chain(interceptors, func(ctx context.Context, around Stream) error {
			if err := s.open(ctx); err != nil {
				return err
			}
			yield(around)
			return s.result()
		})(ctx, s)
	})
	t.run = stop
	s.onFinish = t.finish
	around, opened := next()
	if !opened {
		if t.status == nil {
			return nil, Errorf(CodeInternal, "an interceptor of %s returned without calling next", s.call.Method.Path())
		}
		return nil, asError(t.status)
	}
	t.open()
	return &interceptedStream{Stream: around, call: s, tail: &t}, nil
}

// tail is what interceptors do after next.
type tail struct {
	run    func() // runs it
	status error  // what the outermost interceptor has returned

	mu       sync.Mutex
	opened   bool // Open has returned
	finished bool // the call has its status
	once     sync.Once
}

// open says that the interceptors wait in next.
func (t *tail) open() {
	t.mu.Lock()
	t.opened = true
	due := t.finished
	t.mu.Unlock()
	if due {
		t.once.Do(t.run)
	}
}

// finish says that the call has its status.
func (t *tail) finish() {
	t.mu.Lock()
	t.finished = true
	due := t.opened
	t.mu.Unlock()
	if due {
		t.once.Do(t.run)
	}
}

// Send is as in Stream; the interceptors decide on the status.
func (is *interceptedStream) Send(msg any) error {
	return is.result(is.Stream.Send(msg), ErrFinished)
}

// CloseSend is as in Stream; the interceptors decide on the status.
func (is *interceptedStream) CloseSend() error {
	return is.result(is.Stream.CloseSend(), nil)
}

// Recv is as in Stream; the interceptors decide on the status.
func (is *interceptedStream) Recv(msg any) error {
	return is.result(is.Stream.Recv(msg), io.EOF)
}

// result replaces the status of a call that is over by what the interceptors
// made of it; ok is how the operation says that it is OK.
func (is *interceptedStream) result(err, ok error) error {
	if !is.call.isFinished() {
		return err
	}
	is.tail.once.Do(is.tail.run)
	switch {
	case is.tail.status != nil:
		return asError(is.tail.status)
	case err != nil:
		return ok
	}
	return nil
}
