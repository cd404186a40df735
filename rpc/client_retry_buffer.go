package rpc

import "github.com/parley-rpc/parley/transport"

// maxKept is how many bytes of sent messages a call keeps for another attempt.
const maxKept = 256 << 10

// message is a message that is sent, encoded.
type message struct {
	*buffer
	mark bool
	end  bool
	kept bool // the buffer belongs to the call
}

func (m *message) options() transport.SendOptions {
	return transport.SendOptions{Mark: m.mark, End: m.end}
}

// kept is what a call has sent as long as another attempt may need it: until the
// answer begins, or it is more than maxKept bytes. A message that is being sent is kept
// beside that: it is in memory anyway.
type kept struct {
	on       bool
	messages []message
	one      [1]message // spares an allocation
	size     int        // bytes
	ended    bool       // the application has sent all
	users    int        // operations that read buffers at the moment
}

// add keeps a message, or nothing any more if it is too much.
func (k *kept) add(m *message) {
	if !k.on || k.ended {
		return
	}
	k.size += len(m.bytes)
	m.kept = true
	if k.messages == nil {
		k.messages = k.one[:0]
	}
	k.messages = append(k.messages, *m)
}

// trim keeps nothing any more if it is too much.
func (k *kept) trim() {
	if k.on && k.size > maxKept {
		k.drop()
	}
}

// drop keeps nothing any more. Buffers that are being read are left to the
// garbage collector.
func (k *kept) drop() {
	k.on = false
	if k.users == 0 {
		for i := range k.messages {
			k.messages[i].put()
		}
	}
	k.messages, k.one[0] = nil, message{}
}

// keep keeps a message for another attempt and returns the one on which it is to
// be sent. sent has to follow.
func (s *clientStream) keep(m *message) *try {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept.users++
	s.kept.add(m)
	return s.at
}

// sent ends the use of a message, which was sent unless err says otherwise.
func (s *clientStream) sent(m *message, err error) {
	s.mu.Lock()
	s.kept.users--
	if err == nil {
		s.kept.trim()
	}
	s.mu.Unlock()
	if !m.kept {
		m.put()
	}
}

// keepEnd is keep for the end of the messages.
func (s *clientStream) keepEnd() *try {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept.ended = true
	return s.at
}

// commit says that the answer has begun: there is no other attempt.
func (s *clientStream) commit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept.drop()
}
