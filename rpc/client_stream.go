package rpc

import (
	"context"
	"sync"
	"sync/atomic"
)

// clientStream is the caller's end of a call. It lives through all attempts at it.
type clientStream struct {
	call    Call
	client  *Client // makes further attempts; nil: there is one, on call.Conn
	cfg     callConfig
	coder   coder
	ctx     context.Context
	recvBuf recvBuffer

	release  func() // frees what bounds the call in time
	onFinish func() // called once, when the call has its status

	retryMu sync.Mutex // held while another attempt is made
	retries retries    // guarded by retrying

	mu        sync.Mutex
	current   *attempt // the attempt that counts; nil until opened
	first     attempt  // spares an allocation
	finished  bool
	status    error // of a finished call; nil is OK
	sentOnly  bool  // the only message of a call that takes one was sent
	private   bool  // the application does not get hold of the stream
	buffer    retryBuffer
	interrupt func() // ends the making of another attempt; nil: none is made

	received atomic.Bool   // a message was received
	progress atomic.Uint64 // messages, where an idle timeout counts them
}

// newClientStream prepares a call on a connection or, if there is none yet, on one
// of the client's.
func newClientStream(e *endpoint, conn *Conn, m *Method, opts []CallOption) (*clientStream, error) {
	s := clientStreamPool.Get().(*clientStream)
	s.call.Conn, s.call.Method = conn, m
	if conn != nil {
		s.call.Peer = conn.Peer()
	}
	s.call.caller = s
	for _, o := range opts {
		o(&s.cfg)
	}
	if s.cfg.err != nil {
		return nil, s.cfg.err
	}
	s.call.request = s.cfg.metadata
	s.coder.limit = e.maxMessage()
	var err error
	if s.cfg.raw {
		s.coder.codec = rawCodec(s.cfg.codec)
	} else if s.coder.codec, err = e.codec(s.cfg.codec); err != nil {
		return nil, err
	}
	if s.coder.compress, err = e.compressor(s.cfg.compression); err != nil {
		return nil, err
	}
	return s, nil
}

// clientStreams are used again when nobody has a pointer to them left (free).
var clientStreamPool = sync.Pool{New: func() any { return new(clientStream) }}

// keepPrivate is promised by a caller that shows the stream to nobody and calls free,
// on the goroutine that makes the call.
func (s *clientStream) keepPrivate() { s.private = s.cfg.idle == 0 }

// free is Close for a stream that was kept private.
func (s *clientStream) free() {
	_ = s.Close() // never fails
	if s.private {
		*s = clientStream{}
		clientStreamPool.Put(s)
	}
}

// start opens the call, inside the interceptors.
func (s *clientStream) start(ctx context.Context, e *endpoint) (Stream, error) {
	if len(e.callChain) > 0 {
		if s.call.Peer == nil {
			s.call.Peer = new(Peer) // known when the call is open
		}
		return openIntercepted(ctx, s, e.callChain)
	}
	if err := s.open(ctx, nil); err != nil {
		return nil, err
	}
	return s, nil
}

// startWith is start and Send of the only message of a call, in one where it can be.
func (s *clientStream) startSend(ctx context.Context, e *endpoint, only any) (Stream, error) {
	if len(e.callChain) > 0 {
		outer, err := s.start(ctx, e)
		if err == nil {
			err = sendFirst(outer, only)
		}
		return outer, err
	}
	m := message{end: true}
	if err := s.encode(&m, only); err != nil {
		return nil, err
	}
	if err := s.open(ctx, &m); err != nil {
		return nil, err
	}
	return s, nil
}

// open sends the call's header, and only, unless that is nil. Before it, interceptors may
// change the header.
func (s *clientStream) open(ctx context.Context, only *message) error {
	cancel := func() {}
	if s.cfg.hasTimeout {
		ctx, cancel = context.WithTimeout(ctx, s.cfg.timeout)
	}
	s.ctx = ctx
	s.call.mu.Lock()
	s.call.headerSent = true
	s.call.mu.Unlock()
	if err := s.firstAttempt(only); err != nil {
		cancel()
		s.finish(err)
		return err
	}
	release := cancel
	if s.call.Method.ClientStreams || s.call.Method.ServerStreams {
		// The caller of a unary call waits in Recv, which minds ctx by itself.
		stop := context.AfterFunc(ctx, func() { s.finish(transportError(ctx.Err())) })
		release = func() { stop(); cancel() }
	}
	if s.cfg.idle > 0 {
		inner, stop := release, s.watchIdle(s.cfg.idle)
		release = func() { stop(); inner() }
	}
	s.mu.Lock()
	finished := s.finished
	s.release = release
	s.mu.Unlock()
	if finished {
		release()
	}
	return nil
}

func (s *clientStream) Call() *Call { return &s.call }

// Close cancels the call unless it is over. A failure that has arrived counts,
// whether it was received or not.
func (s *clientStream) Close() error {
	if s.isFinished() {
		return nil
	}
	var status error
	if t := s.currentAttempt(); t != nil {
		if _, ended := t.st.Trailer(); ended {
			status = s.acceptTrailer(t)
		}
	}
	if status == nil {
		status = Errorf(CodeCanceled, "closed by the caller")
	}
	s.finish(status)
	return nil
}

// finish ends the call with a status, unless it has one.
func (s *clientStream) finish(status error) {
	if t := s.currentAttempt(); t != nil && !s.received.Load() {
		_ = s.pollHeader(t) // what is wrong with it does not matter any more
	}
	s.mu.Lock()
	if s.finished {
		s.mu.Unlock()
		return
	}
	s.finished, s.status = true, notEOF(status)
	s.storeMetadata()
	t, release, interrupt := s.current, s.release, s.interrupt
	s.buffer.discard()
	s.mu.Unlock()

	switch {
	case t == nil:
	case s.private:
		t.free()
	default:
		t.close()
	}
	if interrupt != nil {
		interrupt()
	}
	if release != nil {
		release()
	}
	if s.client != nil {
		s.client.retry.record(status)
	}
	if s.onFinish != nil {
		s.onFinish()
	}
}

// working returns the attempt to work with, or why an operation is in vain: the
// call is over, or not begun.
func (s *clientStream) active(op string) (*attempt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.finished && s.status != nil:
		return nil, s.status
	case s.finished:
		return nil, ErrFinished
	case s.current == nil:
		return nil, Errorf(CodeFailedPrecondition, "%s before the call is opened: an interceptor has to call next first", op)
	}
	return s.current, nil
}

// current returns the attempt that counts, or nil.
func (s *clientStream) currentAttempt() *attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

func (s *clientStream) isCurrent(t *attempt) bool { return s.currentAttempt() == t }

// result returns the status of a call that is finished.
func (s *clientStream) result() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

func (s *clientStream) isFinished() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.finished
}
