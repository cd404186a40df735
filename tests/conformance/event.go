package conformance

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	conformancev1 "github.com/parley-rpc/parley/tests/conformance/gen/conformance/v1"
)

// event is something that the implementation under test has done on the link.
type event struct {
	kind   string // a verb of cases: "hello", "open", "header", "message", "end", "reset", "ping", "pong", "goaway", "close", "cut"
	link   int    // which link of the case, from 1
	stream uint64
	block  *parsed // of hello, open, header, end, goaway
	msg    proto.Message
	raw    []byte // of a message that does not parse, ping, pong
	code   uint64 // of reset, close
	reason string // of reset, close, cut
	mark   bool   // the message came compressed
}

func (e *event) String() string {
	text := e.kind
	if e.stream != 0 {
		text += fmt.Sprintf(" %d", e.stream)
	}
	switch {
	case e.msg != nil:
		text += " " + abbreviated(protojson.Format(e.msg))
	case e.block != nil:
		for _, f := range e.block.fields {
			text += fmt.Sprintf(" %s=%q", f.key, f.value)
		}
		for _, m := range e.block.metadata {
			text += fmt.Sprintf(" meta.%s=%q", m.key, m.value)
		}
	case e.kind == "reset" || e.kind == "close":
		text += fmt.Sprintf(" %d %q", e.code, e.reason)
	case e.reason != "":
		text += " " + e.reason
	case e.raw != nil:
		text += fmt.Sprintf(" %x", e.raw[:min(len(e.raw), 40)])
	}
	return text
}

func abbreviated(text string) string {
	text = string(bytes.Join(bytes.Fields([]byte(text)), []byte(" ")))
	if len(text) > 300 {
		return text[:300] + "…"
	}
	return text
}

// stream is one stream as the runner sees it.
type stream struct {
	byPeer   bool // the implementation under test has opened it
	codec    string
	encoding [2]string // of the opener's messages, and of the accepting end's

	pieces []byte
	inside bool // between two pieces of a message
	marked bool
	cost   uint64 // of the DATA of the implementation under test
	limit  uint64 // what it may be
	window uint64 // the largest WINDOW of the implementation under test
	headed bool   // its HEADER or DATA has come
	over   [2]bool
	closed bool
}

// The indexes of stream.over and stream.encoding.
const (
	fromOpener    = 0
	fromAccepting = 1
)

// direction is that of what the implementation under test sends.
func (s *stream) direction() int {
	if s.byPeer {
		return fromOpener
	}
	return fromAccepting
}

// newMessage returns the type of what flows in a direction.
func newMessage(direction int) proto.Message {
	if direction == fromOpener {
		return new(conformancev1.Work)
	}
	return new(conformancev1.Result)
}

// decode reads a message of the implementation under test, whose last piece has
// come.
func (s *stream) decode() (proto.Message, error) {
	b := s.pieces
	if s.marked {
		if s.encoding[s.direction()] != "gzip" {
			return nil, fmt.Errorf("a message with MARK, and no encoding was named (R7)")
		}
		r, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		if b, err = io.ReadAll(io.LimitReader(r, 16<<20)); err != nil {
			return nil, err
		}
	}
	m := newMessage(s.direction())
	if s.codec == "json" {
		return m, protojson.Unmarshal(b, m)
	}
	return m, proto.Unmarshal(b, m)
}

// encode writes a message of the runner.
func (s *stream) encode(text string) ([]byte, error) {
	m := newMessage(1 - s.direction())
	if err := protojson.Unmarshal([]byte(text), m); err != nil {
		return nil, err
	}
	if s.codec == "json" {
		return protojson.Marshal(m)
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

func compressed(b []byte) ([]byte, error) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	err := w.Close()
	return out.Bytes(), err
}
