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
func (b *retryBuffer) add(m *message) {
	if !b.enabled || b.ended {
		return
	}
	b.size += len(m.bytes)
	m.buffered = true
	if b.messages == nil {
		b.messages = b.first[:0]
	}
	b.messages = append(b.messages, *m)
}

// trim keeps nothing any more if it is too much.
func (b *retryBuffer) trim() {
	if b.enabled && b.size > maxRetryBuffer {
		b.discard()
	}
}

// drop keeps nothing any more. Buffers that are being read are left to the
// garbage collector.
func (b *retryBuffer) discard() {
	b.enabled = false
	if b.readers == 0 {
		for i := range b.messages {
			b.messages[i].put()
		}
	}
	b.messages, b.first[0] = nil, message{}
}
