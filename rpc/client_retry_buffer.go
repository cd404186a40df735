package rpc

import "github.com/parley-rpc/parley/transport"

// maxKept is how many bytes of sent messages a call keeps for another attempt.
const maxRetryBuffer = 256 << 10

// message is a message that is sent, encoded.
type message struct {
	*buffer
	mark     bool
	end      bool
	buffered bool // the buffer belongs to the call
}

func (m *message) options() transport.SendOptions {
	return transport.SendOptions{Mark: m.mark, End: m.end}
}

// kept is what a call has sent as long as another attempt may need it: until the
// answer begins, or it is more than maxKept bytes. A message that is being sent is kept
// beside that: it is in memory anyway.
type retryBuffer struct {
	enabled  bool
	messages []message
	first    [1]message // spares an allocation
	size     int        // bytes
	ended    bool       // the application has sent all
	readers  int        // operations that read buffers at the moment
}

// add keeps a message, or nothing any more if it is too much.
func (k *retryBuffer) add(m *message) {
	if !k.enabled || k.ended {
		return
	}
	k.size += len(m.bytes)
	m.buffered = true
	if k.messages == nil {
		k.messages = k.first[:0]
	}
	k.messages = append(k.messages, *m)
}

// trim keeps nothing any more if it is too much.
func (k *retryBuffer) trim() {
	if k.enabled && k.size > maxRetryBuffer {
		k.discard()
	}
}

// drop keeps nothing any more. Buffers that are being read are left to the
// garbage collector.
func (k *retryBuffer) discard() {
	k.enabled = false
	if k.readers == 0 {
		for i := range k.messages {
			k.messages[i].put()
		}
	}
	k.messages, k.first[0] = nil, message{}
}

// keep keeps a message for another attempt and returns the one on which it is to
// be sent. sent has to follow.
func (s *clientStream) buffered(m *message) *attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buffer.readers++
	s.buffer.add(m)
	return s.current
}

// sent ends the use of a message, which was sent unless err says otherwise.
func (s *clientStream) releaseMessage(m *message, err error) {
	s.mu.Lock()
	s.buffer.readers--
	if err == nil {
		s.buffer.trim()
	}
	s.mu.Unlock()
	if !m.buffered {
		m.put()
	}
}

// keepEnd is keep for the end of the messages.
func (s *clientStream) bufferEnd() *attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buffer.ended = true
	return s.current
}

// commit says that the answer has begun: there is no other attempt.
func (s *clientStream) commit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buffer.discard()
}
