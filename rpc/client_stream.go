package rpc

import (
	"context"
	"sync"
	"sync/atomic"
)

// clientStream is the caller's end of a call. It outlives each attempt at the
// call. A unary call and the request of a server stream are sent by startSend;
// the other kinds are opened by start.
type clientStream struct {
	call    *Call
	own     Call    // the memory of call, unless an interceptedUnary has it
	client  *Client // makes further attempts; nil: the only attempt is on call.Conn
	cfg     callConfig
	coder   coder
	ctx     context.Context
	timeout timeoutContext // ctx, if it is in use
	first   attempt        // saves the allocation of the first attempt
	recvBuf recvBuffer
	private bool // the application cannot reach the stream, see keepPrivate
	alone   bool // nothing can end the call while it is being opened, but its context

	state    streamState
	retries  retryState
	received atomic.Bool   // a message has been received
	progress atomic.Uint64 // messages sent and received, for the idle timeout

	onFinish func() // called once, when the call has its status; may be nil
}

// newClientStream prepares a call on conn, or on a connection of the client if
// conn is nil.
func newClientStream(e *endpoint, conn *Conn, m *Method, opts []CallOption) (*clientStream, error) {
	s := clientStreamPool.Get().(*clientStream)
	s.call = &s.own
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
	s.state.buffer.enabled = s.cfg.reroute != nil
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

// clientStreamPool holds streams to which no pointer is left, see free.
var clientStreamPool = sync.Pool{New: func() any { return new(clientStream) }}

// keepPrivate records that the application cannot reach the stream: the caller
// shares it with no other goroutine and ends it with free.
func (s *clientStream) keepPrivate() { s.private = s.cfg.idle == 0 }

// free is Close for a stream that was kept private. It returns the stream to
// the pool.
func (s *clientStream) free() {
	_ = s.Close() // never fails
	if s.private {
		s.recycle()
	}
}

// recycle returns the stream to the pool, with the memory of its metadata.
func (s *clientStream) recycle() {
	metadata := s.cfg.metadata
	if metadata != nil {
		*metadata = pairs{}
	}
	*s = clientStream{}
	s.cfg.metadata = metadata
	clientStreamPool.Put(s)
}

// reuse is free for a call that is over and whose Call is not in s.
func (s *clientStream) reuse() {
	if a := s.state.attempt(); a != nil {
		a.free()
	}
	*s = clientStream{}
	clientStreamPool.Put(s)
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

// startSend is start followed by Send of the only message. Without
// interceptors, one frame carries both the header and the message if it fits.
func (s *clientStream) startSend(ctx context.Context, e *endpoint, only any) (Stream, error) {
	if len(e.callChain) > 0 {
		outer, err := s.start(ctx, e)
		if err == nil {
			err = sendFirst(outer, only)
		}
		return outer, err
	}
	err := s.openOnly(ctx, only)
	if err != nil && s.state.attempt() == nil {
		return nil, err
	}
	return s, err
}

// openOnly opens the call together with its only message.
func (s *clientStream) openOnly(ctx context.Context, only any) error {
	m := message{end: true}
	if err := s.encode(&m, only); err != nil {
		return err
	}
	return s.open(ctx, &m)
}

// open opens the call and, if only is non-nil, sends it. Until then,
// interceptors may change the header.
func (s *clientStream) open(ctx context.Context, only *message) error {
	s.ctx = ctx
	release := func() {}
	streams := s.call.Method.ClientStreams || s.call.Method.ServerStreams
	switch {
	case !s.cfg.hasTimeout:
	case streams:
		s.ctx, release = context.WithTimeout(ctx, s.cfg.timeout)
	default: // the end of the call ends it
		s.ctx = s.timeout.start(ctx, s.cfg.timeout)
	}
	s.call.mu.Lock()
	s.call.headerSent = true
	s.call.mu.Unlock()
	if err := s.firstAttempt(only); err != nil {
		release()
		s.finish(err)
		return err
	}
	if streams { // the caller of a unary call waits in Recv, which watches ctx
		ctx, cancel := s.ctx, release
		stop := context.AfterFunc(ctx, func() { s.finish(transportError(ctx.Err())) })
		release = func() { stop(); cancel() }
	}
	if s.cfg.idle > 0 {
		inner, stop := release, s.watchIdle(s.cfg.idle)
		release = func() { stop(); inner() }
	}
	if (streams || s.cfg.idle > 0) && !s.state.setRelease(release) {
		release()
	}
	return nil
}

func (s *clientStream) Call() *Call { return s.call }

// Close cancels the call unless it is over. If the peer's status has arrived,
// it becomes the status of the call even if it was not received.
func (s *clientStream) Close() error {
	if s.state.isFinished() {
		return nil
	}
	var status error
	if a := s.state.attempt(); a != nil {
		if _, ended := a.stream().Trailer(); ended {
			status = s.acceptTrailer(a)
		}
	}
	if status == nil {
		status = Errorf(CodeCanceled, "canceled by the caller")
	}
	s.finish(status)
	return nil
}

// finish ends the call with a status, unless the call has one.
func (s *clientStream) finish(status error) {
	if a := s.state.attempt(); a != nil && !s.received.Load() {
		_ = s.pollHeader(a) // an invalid header does not matter now
	}
	st := &s.state
	st.mu.Lock()
	if st.finished {
		st.mu.Unlock()
		return
	}
	st.finished, st.status = true, notEOF(status)
	s.storeMetadata()
	a, release, interrupt := st.current, st.release, st.interrupt
	st.buffer.discard()
	st.mu.Unlock()

	switch {
	case a == nil:
	case s.private:
		a.free()
	default:
		a.close()
	}
	if interrupt != nil {
		interrupt()
	}
	if release != nil {
		release()
	}
	if s.cfg.hasTimeout {
		s.timeout.end()
	}
	if s.client != nil {
		s.client.retry.record(status)
	}
	if s.onFinish != nil {
		s.onFinish()
	}
}
