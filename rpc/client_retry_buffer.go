package rpc

import "github.com/parley-rpc/parley/transport"

// maxRetryBuffer is how many bytes of sent messages a call keeps for another
// attempt.
const maxRetryBuffer = 256 << 10

// message is an encoded message to be sent.
type message struct {
	*buffer
	mark     bool
	end      bool
	buffered bool // the retryBuffer owns the bytes
}

func (m *message) options() transport.SendOptions {
	return transport.SendOptions{Mark: m.mark, End: m.end}
}

// retryBuffer keeps the sent messages of a call while another attempt may need
// them: until the response begins, or they exceed maxRetryBuffer bytes. The
// message being sent is kept in addition, since it is in memory anyway.
type retryBuffer struct {
	enabled  bool
	messages []message
	first    [1]message // saves an allocation
	size     int        // bytes
	ended    bool       // the application has closed its direction
	readers  int        // operations that read buffers now
}

// add keeps a message, if the buffer is enabled.
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

// trim disables the buffer if it holds too much.
func (b *retryBuffer) trim() {
	if b.enabled && b.size > maxRetryBuffer {
		b.discard()
	}
}

// discard disables the buffer. Messages being read are left to the garbage
// collector.
func (b *retryBuffer) discard() {
	b.enabled = false
	if b.readers == 0 {
		for i := range b.messages {
			b.messages[i].put()
		}
	}
	b.messages, b.first[0] = nil, message{}
}
