package conformance

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// send runs a step "> verb": the runner sends something. more says that the
// next step adds to the same link message.
func (p *play) send(l *line, more bool) error { //nolint:revive // more is a fact of the script, not a mode
	// An acceptor speaks once it has read the dialer's HELLO.
	if link := p.link(); p.c.Role == Dialer && !link.spoken && l.verb != "cut" && !l.has("early") {
		if err := p.awaitHello(); err != nil {
			return err
		}
		link.spoken = true
	}
	switch l.verb {
	case "cut":
		p.link().cut()
		return nil
	case "close":
		return p.sendClose(l)
	case "text":
		return p.link().write(p.link().encode(opText, []byte(l.word(0))))
	case "broken", "fragments":
		return p.sendWebSocket(l)
	case "partial":
		n, err := number(l.word(0))
		p.partial = int(n)
		return err
	case "resend":
		return p.resend()
	case "overrun":
		return p.overrun(l)
	}
	b, err := p.frames(l)
	if err != nil {
		return err
	}
	p.pending = append(p.pending, b...)
	if more {
		return nil
	}
	msg := p.pending
	p.pending = nil
	if l.verb == "hello" {
		return p.writeHello(msg)
	}
	return p.write(msg)
}

// write writes a link message, or only its beginning.
func (p *play) write(msg []byte) error {
	l := p.link()
	b := l.encode(opBinary, msg)
	if p.partial >= 0 {
		b = b[:min(p.partial, len(b))]
		p.partial = -1
		err := l.write(b)
		l.cut()
		return err
	}
	if err := l.write(b); err != nil && !l.wasCut() {
		return fmt.Errorf("the link has ended: %w%s", err, p.session.lastEnd())
	}
	return nil
}

// lastEnd says how the link ended, if that is known.
func (s *session) lastEnd() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.events) - 1; i >= 0; i-- {
		if e := s.events[i]; e.kind == "close" || e.kind == "cut" {
			return ": " + e.String()
		}
	}
	return ""
}

func (p *play) sendClose(l *line) error {
	link := p.link()
	var payload []byte
	if w := l.word(0); w != "" {
		code, err := number(w)
		if err != nil {
			return err
		}
		payload = binary.BigEndian.AppendUint16(nil, uint16(code))
	}
	link.closing.Store(true)
	if err := link.write(link.encode(opClose, payload)); err != nil {
		return err
	}
	select {
	case <-link.done:
	case <-time.After(1500 * time.Millisecond):
		return fmt.Errorf("the close frame is not answered within 1.5 s (12.3)")
	}
	return nil
}

// frames builds the frames of a step.
func (p *play) frames(l *line) ([]byte, error) {
	s := p.session
	if l.verb == "hello" {
		return p.hello(l)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.verb == "raw" {
		b, err := rawFrames(l)
		s.note(b)
		return b, err
	}
	f, err := p.frame(l)
	if err != nil {
		return nil, err
	}
	if f.sequenced() {
		s.sent = append(s.sent, f)
	}
	return f.append(nil), nil
}

// rawFrames are bytes of a link message as they are: hex, then zeros=n zero
// bytes, both times=n times, then behind=hex.
func rawFrames(l *line) ([]byte, error) {
	once, err := hex.DecodeString(l.word(0))
	if err != nil {
		return nil, err
	}
	zeros, err := l.number64("zeros", 0)
	if err != nil {
		return nil, err
	}
	times, err := l.number64("times", 1)
	if err != nil {
		return nil, err
	}
	text, _ := l.get("behind")
	behind, err := hex.DecodeString(text)
	once = append(once, make([]byte, zeros)...)
	return append(slices.Repeat(once, int(times)), behind...), err
}

// note records what raw bytes do to the session, as far as they are well formed.
func (s *session) note(msg []byte) {
	for len(msg) > 0 {
		f, rest, err := cutFrame(msg)
		if err != nil {
			return
		}
		msg = rest
		if f.sequenced() {
			s.sent = append(s.sent, f)
		}
		s.moved = s.moved || f.kind == typeGoAway
		st := s.streams[f.stream]
		switch {
		case f.kind == typeOpen && st == nil && f.stream%2 == 1 == s.runnerDials:
			st = &stream{limit: s.mine["initial_window"]}
			s.streams[f.stream] = st
			st.over[fromOpener] = f.flags&flagEnd != 0
		case st == nil:
		case f.kind == typeReset:
			s.closeStream(st)
		case f.kind == typeEnd || f.kind == typeData && f.flags&flagEnd != 0:
			s.ends(st, 1-st.direction())
		}
	}
}

// frame builds one frame. The session is locked.
func (p *play) frame(l *line) (f frame, err error) {
	rest := *l
	switch l.verb {
	case "ping", "pong":
		f.kind = map[string]byte{"ping": typePing, "pong": typePong}[l.verb]
		f.payload, err = hex.DecodeString(l.word(0))
		return f, err
	case "goaway":
		f.kind, p.session.moved = typeGoAway, true
		f.payload, err = block("goaway", l)
		return f, err
	case "ack":
		n := p.session.received
		if l.word(0) != "" {
			if n, err = number(l.word(0)); err != nil {
				return f, err
			}
		}
		return frame{kind: typeAck, payload: appendVarint(nil, n)}, nil
	}
	if f.stream, err = streamID(l.word(0), p.session.runnerDials); err != nil {
		return f, err
	}
	st := p.session.streams[f.stream]
	if l.verb == "open" {
		return p.openFrame(&rest, f)
	}
	if st == nil {
		return f, fmt.Errorf("stream %d is not open: use raw for what is wrong", f.stream)
	}
	return p.frameOf(&rest, f, st)
}

func (p *play) openFrame(l *line, f frame) (frame, error) {
	f.kind = typeOpen
	if l.has("END") {
		f.flags = flagEnd
	}
	codec, _ := l.get("codec")
	encoding, _ := l.get("encoding")
	st := &stream{codec: codec, limit: p.session.mine["initial_window"], encoding: [2]string{encoding, ""}}
	if m := l.word(1); m != "" && m != "END" {
		if !strings.Contains(m, "/") {
			m = service + m
		}
		l.args = append([]arg{{"method", m}}, l.args...)
	}
	st.over[fromOpener] = l.has("END")
	p.session.streams[f.stream] = st
	var err error
	f.payload, err = block("open", l)
	return f, err
}

// service is the name of the service under test, with a slash.
const service = "conformance.v1.ConformanceService/"

// frameOf builds a frame of an open stream.
func (p *play) frameOf(l *line, f frame, st *stream) (_ frame, err error) {
	side := 1 - st.direction() // the runner's
	switch l.verb {
	case "header":
		f.kind = typeHeader
		st.encoding[fromAccepting], _ = l.get("encoding")
		f.payload, err = block("header", l)
	case "end":
		f.kind = typeEnd
		f.payload, err = block("end", l)
		p.session.ends(st, side)
	case "reset":
		f.kind = typeReset
		code, err := number(l.word(1))
		if err != nil {
			return f, err
		}
		reason, _ := l.get("reason")
		f.payload = append(appendVarint(nil, code), reason...)
		p.session.closeStream(st)
	case "window":
		f.kind = typeWindow
		n, err := number(l.word(1))
		if err != nil {
			return f, err
		}
		st.limit = max(st.limit, n)
		f.payload = appendVarint(nil, n)
	case "data":
		return p.dataFrame(l, f, st, side)
	default:
		return f, fmt.Errorf("unknown verb %q", l.verb)
	}
	return f, err
}

// ends records that the runner has ended its direction.
func (s *session) ends(st *stream, side int) {
	st.over[side] = true
	s.closeIfOver(st)
}

func (p *play) dataFrame(l *line, f frame, st *stream, side int) (frame, error) {
	f.kind = typeData
	for word, flag := range map[string]byte{"END": flagEnd, "MORE": flagMore, "MARK": flagMark} {
		if l.has(word) {
			f.flags |= flag
		}
	}
	var err error
	for _, body := range l.bodies {
		if f.payload, err = st.encode(expandZeros(body)); err != nil {
			return f, err
		}
		if l.has("MARK") {
			if f.payload, err = compressed(f.payload); err != nil {
				return f, err
			}
		}
	}
	if text, ok := l.get("text"); ok {
		f.payload = append(f.payload, text...)
	}
	if text, ok := l.get("hex"); ok {
		raw, err := hex.DecodeString(text)
		if err != nil {
			return f, err
		}
		f.payload = append(f.payload, raw...)
	}
	zeros, err := l.number64("zeros", 0)
	f.payload = append(f.payload, make([]byte, zeros)...)
	if l.has("END") {
		p.session.ends(st, side)
	}
	return f, err
}

// overrun sends messages until their cost is above the credit that the
// implementation has given.
func (p *play) overrun(l *line) error {
	id, err := streamID(l.word(0), p.session.runnerDials)
	if err != nil {
		return err
	}
	if err := p.alive(); err != nil { // a WINDOW that follows OPEN has come
		return err
	}
	p.session.mu.Lock()
	st := p.session.streams[id]
	credit := max(st.window, 16_384)
	p.session.mu.Unlock()
	const size = 16_000
	f := frame{kind: typeData, stream: id, payload: make([]byte, size)}
	for cost := uint64(0); cost <= credit; cost += size + 32 {
		p.session.mu.Lock()
		p.session.sent = append(p.session.sent, f)
		p.session.mu.Unlock()
		if err := p.write(f.append(nil)); err != nil {
			return err
		}
	}
	return nil
}

// resend sends again what the implementation has not received, by its HELLO.
func (p *play) resend() error {
	p.session.mu.Lock()
	var msg []byte
	for _, f := range p.session.sent[min(p.session.acked, uint64(len(p.session.sent))):] {
		msg = f.append(msg)
	}
	p.session.mu.Unlock()
	if len(msg) == 0 {
		return nil
	}
	return p.write(msg)
}
