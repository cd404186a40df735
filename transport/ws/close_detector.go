package ws

import (
	"bytes"
	"encoding/binary"

	"github.com/parley-rpc/parley/transport"
)

// maxClose is how many bytes a close frame has at most: 2 of head, 4 of mask
// and 125 of payload.
const maxClose = 2 + 4 + 125

// closeDetector finds a close frame that a proxy has put into the middle of
// another frame. The first bytes of the close frame then are the last ones of
// the other frame's payload, and nothing follows. The session does not handle
// the end of an incomplete message, so only a close frame that makes the
// message look complete matters. closeDetector follows the frames of a
// connection (RFC 6455, section 5.2) to find it.
type closeDetector struct {
	head [14]byte // of a frame, as far as it has arrived
	have int      // bytes of it
	data bool     // the frame is one of a message
	size uint64   // of its payload
	left uint64   // of that, what has not arrived

	messages uint64 // that have arrived as a whole
	controls uint64 // control frames that have

	tail   [maxClose]byte // the last bytes
	filled int

	suspect *suspect // the latest; its memory is used again
}

// follow handles the next bytes of the connection. It returns what may be a
// close frame across the end of a frame, or nil. The bytes after such an end
// may not be frames at all.
func (s *closeDetector) follow(chunk []byte) (found *suspect) {
	for i := 0; i < len(chunk); {
		if s.left == 0 {
			i += s.readHead(chunk[i:])
		}
		n := min(s.left, uint64(len(chunk)-i))
		s.left -= n
		i += int(n)
		if s.left == 0 && s.have == 0 {
			s.countFrame()
		}
		if n > 0 && s.left == 0 && s.data && found == nil {
			found = s.examine(chunk, i)
		}
	}
	s.remember(chunk)
	return found
}

// readHead takes what b has of the head of a frame, and returns how many bytes
// that is.
func (s *closeDetector) readHead(b []byte) (n int) {
	for n < len(b) && s.have < s.headLen() {
		s.head[s.have] = b[n]
		s.have++
		n++
	}
	if s.have < s.headLen() {
		return n
	}
	switch short := s.head[1] & 0x7f; short {
	case 126:
		s.size = uint64(binary.BigEndian.Uint16(s.head[2:]))
	case 127:
		s.size = binary.BigEndian.Uint64(s.head[2:])
	default:
		s.size = uint64(short)
	}
	s.left, s.data, s.have = s.size, s.head[0]&0x08 == 0, 0
	return n
}

// headLen returns the length of the head, as far as it is known.
func (s *closeDetector) headLen() int {
	if s.have < 2 {
		return 2
	}
	n := 2
	switch s.head[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if s.head[1]&0x80 != 0 {
		n += 4
	}
	return n
}

// countFrame counts a frame that has arrived.
func (s *closeDetector) countFrame() {
	switch {
	case !s.data:
		s.controls++
	case s.head[0]&0x80 != 0:
		s.messages++ // its last frame
	}
}

// betweenFrames reports whether no part of a frame waits for the rest.
func (s *closeDetector) betweenFrames() bool { return s.left == 0 && s.have == 0 }

// remember keeps the last bytes that have arrived.
func (s *closeDetector) remember(chunk []byte) {
	if len(chunk) >= len(s.tail) {
		s.filled = copy(s.tail[:], chunk[len(chunk)-len(s.tail):])
		return
	}
	keep := min(s.filled, len(s.tail)-len(chunk))
	copy(s.tail[:], s.tail[s.filled-keep:s.filled])
	s.filled = keep + copy(s.tail[keep:], chunk)
}

// suspect is what may be a close frame across the end of a frame: the last
// bytes that have arrived.
type suspect struct {
	bytes    []byte
	complete bool
}

// examine looks for a close frame that begins in the frame that ends in chunk
// at end. It returns its bytes and those that follow, or nil.
func (s *closeDetector) examine(chunk []byte, end int) *suspect {
	behind := len(chunk) - end
	if behind >= maxClose {
		return nil
	}
	last := chunk[max(0, len(chunk)-maxClose):]
	if len(last) < maxClose {
		var buf [2 * maxClose]byte
		last = append(append(buf[:0], s.tail[:s.filled]...), last...)
		last = last[max(0, len(last)-maxClose):]
	}
	inside := len(last) - behind                      // how much of it may belong to the frame
	from := inside - int(min(s.size, uint64(inside))) // where the frame's payload begins
	for {
		i := bytes.IndexByte(last[from:inside], 0x88)
		if i < 0 {
			return nil
		}
		if found, complete := isCloseFramePrefix(last[from+i:]); found {
			if s.suspect == nil {
				s.suspect = new(suspect)
			}
			s.suspect.bytes = append(s.suspect.bytes[:0], last[from+i:]...)
			s.suspect.complete = complete
			return s.suspect
		}
		from += i + 1
	}
}

// more adds the bytes that follow, and reports whether it may still be a close
// frame.
func (s *suspect) more(b []byte) (still bool) {
	s.bytes = append(s.bytes, b...)
	still, s.complete = isCloseFramePrefix(s.bytes)
	return still
}

// isCloseFramePrefix reports whether b is a close frame, or the beginning of
// one, and nothing else.
func isCloseFramePrefix(b []byte) (found, complete bool) {
	if b[0] != 0x88 {
		return false, false
	}
	if len(b) == 1 {
		return true, false
	}
	n, payload := int(b[1]&0x7f), 2
	var mask [4]byte
	if b[1]&0x80 != 0 {
		payload += copy(mask[:], b[2:min(len(b), 6)])
		if len(b) < 6 {
			return n <= 125 && n != 1, false
		}
	}
	switch {
	case n > 125, n == 1, len(b) > payload+n:
		return false, false
	case n > 0 && len(b) >= payload+2:
		code := int(b[payload]^mask[0])<<8 | int(b[payload+1]^mask[1])
		if !sendable(transport.CloseCode(code)) {
			return false, false
		}
	}
	return true, len(b) == payload+n
}
