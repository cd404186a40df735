package rpc

import (
	"sync/atomic"

	"github.com/parley-rpc/parley/transport"
)

// servedRequest is a call of the peer whose header and only message have arrived
// together, before a stream is needed for it.
type servedRequest struct {
	transport.Served
	mark      bool        // of the message, which is in serverStream.recvBuf
	received  atomic.Bool // the handler has the message
	responded bool        // one message was the whole response, and has ended the call

	state atomic.Uint32 // requestStarted, requestAborted
}

// What has happened to a request. Whichever comes second ends the context.
const (
	requestStarted = 1 << iota // the context is ready for use
	requestAborted
)

// newRequest makes the memory for a request, in one allocation. It runs on the
// reader goroutine.
func (c *Conn) newRequest() transport.Request {
	var call struct {
		s       serverStream
		request servedRequest
	}
	call.s.request = &call.request
	call.s.init(c)
	return &call.s
}

// Served implements transport.Request.
func (s *serverStream) Served() *transport.Served { return &s.request.Served }

// Start implements transport.Request.
func (s *serverStream) Start(header, msg []byte, mark bool) *transport.ResetError {
	s.request.mark = mark
	s.recvBuf.buffer = getBufferFor(len(msg))
	s.recvBuf.bytes = append(s.recvBuf.bytes, msg...)
	return s.start(header)
}

// Abort implements transport.Request.
func (s *serverStream) Abort(error) {
	if s.request.state.Or(requestAborted)&requestStarted != 0 {
		s.ctx.end()
	}
}

// watchAbort ends the context when the call is abandoned.
func (s *serverStream) watchAbort() {
	switch {
	case s.request == nil:
		s.st.OnAbort(func(error) { s.ctx.end() })
	case s.request.state.Or(requestStarted)&requestAborted != 0:
		s.ctx.end()
	}
}

// stream returns the stream of the call. A request becomes one.
func (s *serverStream) stream() *transport.Stream {
	if s.request != nil {
		return s.request.Stream()
	}
	return s.st
}

// recvMessage receives a message. Its bytes are valid until dropMessage.
func (s *serverStream) recvMessage() (transport.Message, error) {
	if s.request != nil && s.request.received.CompareAndSwap(false, true) {
		return transport.Message{Bytes: s.recvBuf.bytes, Mark: s.request.mark, Last: true}, nil
	}
	return s.recvBuf.recv(s.waitCtx(), s.stream())
}

// hasWholeRequest reports whether all messages of the caller are one, which has
// arrived and was not received.
func (s *serverStream) hasWholeRequest() bool {
	return s.request != nil && !s.request.received.Load()
}

// borrowRequest receives the whole request. Its bytes are valid until
// dropMessage.
func (s *serverStream) borrowRequest(msg *Raw) error {
	m, err := s.recvMessage()
	if err != nil {
		return s.call.streamError(err)
	}
	if s.received = true; !m.Mark {
		*msg = m.Bytes
		return nil
	}
	return s.coder.decode(&s.ctx, s.call.Conn, m, msg, (*coder).unmarshal)
}

// answer makes the message that get sets the whole response.
func (s *serverStream) answer(get func(*Raw) error) error {
	b := getBuffer()
	msg := Raw(b.bytes)
	err := get(&msg)
	if b.bytes = msg; err != nil {
		b.put()
		return err
	}
	s.response = b
	return nil
}

// dropMessage ends the use of the message.
func (s *serverStream) dropMessage() {
	if s.request != nil {
		s.recvBuf.release()
		return
	}
	s.recvBuf.drop(s.st)
}
