package conformance

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// session is what the runner knows of the session of a case. It outlives links.
type session struct {
	runnerDials bool

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced at each change
	events   []*event      // not yet expected by a step
	fault    error         // a rule that the implementation under test has broken
	streams  map[uint64]*stream
	highest  uint64 // the highest id that the implementation has opened
	open     int    // streams that it has open
	received uint64 // its sequenced frames
	acked    uint64 // its last ACK
	sent     []frame
	mine     map[string]uint64 // settings of the runner's first HELLO
	identity [2]string         // session and token of the acceptor's last HELLO, hex
	first    [2]string         // those of the first one
	granted  int               // tokens that the runner has given
	moved    bool              // the runner has sent GOAWAY, which a dialer answers
}

func newSession(runnerDials bool) *session {
	return &session{
		runnerDials: runnerDials,
		changed:     make(chan struct{}),
		streams:     make(map[uint64]*stream),
		mine:        map[string]uint64{"max_frame": 16_384, "max_message": 65_536, "max_header": 4_096, "max_streams": 16, "initial_window": 16_384},
	}
}

// signal wakes what waits for a change. mu is held.
func (s *session) signal() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *session) add(e *event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
	s.signal()
}

// breaks records the first rule that the implementation has broken.
func (s *session) breaks(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault == nil {
		s.fault = err
	}
	s.signal()
}

// take handles one frame of the implementation under test.
func (s *session) take(f frame, link int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.signal()
	if f.kind > typeGoAway {
		return nil
	}
	if uint64(len(f.payload)) > s.mine["max_frame"] {
		return fmt.Errorf("%s with %d bytes, above max_frame %d (F8)", &f, len(f.payload), s.mine["max_frame"])
	}
	if f.sequenced() {
		s.received++
	}
	e := &event{link: link, stream: f.stream}
	var err error
	switch f.kind {
	case typeHello:
		e.kind = "hello"
		if e.block, err = parseBlock("hello", f.payload); err == nil {
			err = s.takeHello(e.block)
		}
	case typeGoAway:
		e.kind = "goaway"
		e.block, err = parseBlock("goaway", f.payload)
	case typePing, typePong:
		e.kind = strings.ToLower(typeNames[f.kind])
		e.raw = f.payload
		if len(f.payload) != 8 {
			err = fmt.Errorf("%s of %d bytes (F10)", &f, len(f.payload))
		}
	case typeAck:
		return s.takeAck(f.payload)
	default:
		return s.takeOfStream(f, e)
	}
	s.events = append(s.events, e)
	return err
}

func (s *session) takeHello(b *parsed) error {
	id, _ := b.get("session")
	token, _ := b.get("token")
	resumed, _ := b.get("resumed")
	if s.runnerDials {
		s.remember(id, token)
	}
	text, ok := b.get("received")
	if resumed == "1" || !s.runnerDials && id != "" {
		n, err := number("0" + text)
		if err != nil || n < s.acked || n > uint64(len(s.sent)) {
			return fmt.Errorf("HELLO with received %q (%v): %d frames were sent, and %d acknowledged (A8)", text, ok, len(s.sent), s.acked)
		}
		s.acked = n
	}
	return nil
}

// remember keeps the identity that an acceptor has given. mu is held.
func (s *session) remember(id, token string) {
	s.identity = [2]string{id, token}
	if s.first[0] == "" {
		s.first = s.identity
	}
}

func (s *session) takeAck(payload []byte) error {
	n, rest, err := cutVarint(payload)
	switch {
	case err != nil || len(rest) > 0:
		return fmt.Errorf("a malformed ACK (F10)")
	case n > uint64(len(s.sent)):
		return fmt.Errorf("ACK %d, and %d sequenced frames were sent (A2)", n, len(s.sent))
	case n < s.acked:
		return fmt.Errorf("ACK %d behind ACK %d (A1)", n, s.acked)
	}
	s.acked = n
	return nil
}

func (s *session) takeOfStream(f frame, e *event) error {
	st := s.streams[f.stream]
	if f.kind == typeOpen {
		return s.takeOpen(f, e)
	}
	if st == nil {
		return fmt.Errorf("%s, which was never opened (S3)", &f)
	}
	if st.closed && f.kind != typeReset {
		return nil // in flight
	}
	switch f.kind {
	case typeHeader:
		return s.takeHeader(f, e, st)
	case typeData:
		return s.takeData(f, e, st)
	case typeEnd:
		return s.takeEnd(f, e, st)
	case typeReset:
		return s.takeReset(f, e, st)
	}
	n, rest, err := cutVarint(f.payload)
	if err != nil || len(rest) > 0 {
		return fmt.Errorf("a malformed %s (F10)", &f)
	}
	st.window = max(st.window, n)
	return nil
}

func (s *session) takeOpen(f frame, e *event) (err error) {
	switch {
	case f.stream%2 == 1 == s.runnerDials:
		return fmt.Errorf("%s: that id belongs to the peer (S1)", &f)
	case f.stream <= s.highest:
		return fmt.Errorf("%s behind stream %d (S2)", &f, s.highest)
	case uint64(len(f.payload)) > s.mine["max_header"]:
		return fmt.Errorf("%s with a header of %d bytes (S12)", &f, len(f.payload))
	}
	s.highest = f.stream
	st := &stream{byPeer: true, limit: s.mine["initial_window"]}
	st.over[fromOpener] = f.flags&flagEnd != 0
	s.streams[f.stream] = st
	if s.open++; uint64(s.open) > s.mine["max_streams"] {
		return fmt.Errorf("%s: more than max_streams %d are open (S14)", &f, s.mine["max_streams"])
	}
	e.kind = "open"
	e.block, err = parseBlock("open", f.payload)
	if err == nil {
		st.codec, _ = e.block.get("codec")
		st.encoding[fromOpener], _ = e.block.get("encoding")
	}
	s.events = append(s.events, e)
	return err
}

func (s *session) takeHeader(f frame, e *event, st *stream) (err error) {
	if st.byPeer || st.headed || st.over[fromAccepting] {
		return fmt.Errorf("%s at a wrong place (S6, S8)", &f)
	}
	st.headed = true
	e.kind = "header"
	if e.block, err = parseBlock("header", f.payload); err == nil {
		if encoding, ok := e.block.get("encoding"); ok {
			st.encoding[fromAccepting] = encoding
		}
	}
	s.events = append(s.events, e)
	return err
}

func (s *session) takeData(f frame, e *event, st *stream) (err error) {
	d := st.direction()
	mark := f.flags&flagMark != 0
	st.cost += uint64(len(f.payload)) + 32
	switch {
	case st.over[d]:
		return fmt.Errorf("%s behind the end of its direction (S5)", &f)
	case st.inside && mark != st.marked:
		return fmt.Errorf("%s: MARK is not the same on all pieces (S11)", &f)
	case st.cost > st.limit:
		return fmt.Errorf("%s: the costs are %d, and the credit is %d (W1)", &f, st.cost, st.limit)
	}
	st.headed = true
	st.pieces = append(st.pieces, f.payload...)
	if uint64(len(st.pieces)) > s.mine["max_message"] {
		return fmt.Errorf("%s: a message above max_message %d (S13)", &f, s.mine["max_message"])
	}
	st.inside, st.marked = f.flags&flagMore != 0, mark
	if st.inside {
		return nil
	}
	e.kind, e.mark = "message", mark
	if e.msg, err = st.decode(); err != nil {
		return fmt.Errorf("%s: the message %x does not parse: %w", &f, st.pieces[:min(len(st.pieces), 40)], err)
	}
	s.events = append(s.events, e)
	st.pieces = nil
	if f.flags&flagEnd != 0 {
		st.over[d] = true
		s.events = append(s.events, &event{kind: "end", link: e.link, stream: e.stream, block: new(parsed)})
		s.closeIfOver(st)
	}
	return nil
}

func (s *session) takeEnd(f frame, e *event, st *stream) (err error) {
	d := st.direction()
	switch {
	case st.over[d]:
		return fmt.Errorf("%s behind the end of its direction (S7)", &f)
	case st.inside:
		return fmt.Errorf("%s inside a message (S10)", &f)
	case uint64(len(f.payload)) > s.mine["max_header"]:
		return fmt.Errorf("%s with a trailer of %d bytes (S12)", &f, len(f.payload))
	}
	st.over[d] = true
	e.kind = "end"
	if st.byPeer {
		e.block = new(parsed)
	} else if e.block, err = parseBlock("end", f.payload); err != nil {
		return err
	}
	s.events = append(s.events, e)
	s.closeIfOver(st)
	return nil
}

func (s *session) takeReset(f frame, e *event, st *stream) error {
	code, reason, err := cutVarint(f.payload)
	if err != nil || code == 0 || len(reason) > 1024 {
		return fmt.Errorf("a malformed %s (F10 to F12)", &f)
	}
	e.kind, e.code, e.reason = "reset", code, string(bytes.ToValidUTF8(reason, []byte("?")))
	// An accepting end that has ended may stop the opener, and so may a caller whose call is over: 6.2 and 11.4.
	if code == 1 && st.over[fromAccepting] {
		e.kind = "stop"
	}
	s.events = append(s.events, e)
	s.closeStream(st)
	return nil
}

// closeIfOver closes a stream of which both directions are over. mu is held.
func (s *session) closeIfOver(st *stream) {
	if st.over[fromOpener] && st.over[fromAccepting] {
		s.closeStream(st)
	}
}

func (s *session) closeStream(st *stream) {
	if !st.closed && st.byPeer {
		s.open--
	}
	st.closed = true
}

// unexpected returns what no step has expected and the protocol does not allow
// at any time, up to the given link, the newest one.
func (s *session) unexpected(newest int) (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		answered := e.kind == "goaway" && s.moved && !s.runnerDials
		plain := e.kind == "header" && e.block.isPlain()
		fenced := (e.kind == "close" || e.kind == "cut") && e.link < newest
		if !slices.Contains([]string{"hello", "ping", "pong", "stop"}, e.kind) && !answered && !fenced && !plain {
			list = append(list, e.String())
		}
	}
	return list
}
