package transport_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// fault is a link message that breaks a rule of the session. The rows are those
// of section 14 of PROTOCOL.md.
type fault struct {
	row  string
	what string
	send []byte
	code transport.CloseCode
}

const (
	malformed = transport.CloseProtocolError
	tooBig    = transport.CloseMessageTooBig
)

// afterHello are faults of a peer that has sent HELLO and opened stream 1. The
// session is the acceptor; stream 2 is one that it has opened, 3 was skipped
// and 5 is closed.
var afterHello = []fault{
	{"L2", "an empty message", nil, malformed},
	{"F1", "type 0", []byte{0x00, 0, 0}, malformed},
	{"F1", "type 0 with IGNORABLE", []byte{0x80, 0, 0}, malformed},
	{"F2", "type 12", []byte{0x0c, 0, 0}, malformed},
	{"F2", "type 15 with other flags", []byte{0x7f, 1, 0}, malformed},
	{"F3/F8", "an ignorable frame that is too long", []byte{0x8c, 0, 0x81, 0x80, 0x80, 0x01}, tooBig},
	{"F3/F9", "an ignorable frame that is cut", []byte{0x8c, 0, 5, 1}, malformed},
	{"F4", "PING with a flag", raw(frame.TypePing, frame.FlagEnd, 0, "12345678"), malformed},
	{"F4", "DATA with IGNORABLE", raw(frame.TypeData, frame.FlagIgnorable, 1, "x"), malformed},
	{"F4", "OPEN with MORE", raw(frame.TypeOpen, frame.FlagMore, 7, ""), malformed},
	{"F5", "DATA with END and MORE", raw(frame.TypeData, frame.FlagEnd|frame.FlagMore, 1, "x"), malformed},
	{"F6", "a stream id that is not minimal", []byte{0x04, 0x81, 0x00, 0}, malformed},
	{"F6", "a length of 2^53", []byte{0x04, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10}, malformed},
	{"F7", "DATA of stream 0", data(0, "x"), malformed},
	{"F7", "PING of stream 1", raw(frame.TypePing, 0, 1, "12345678"), malformed},
	{"F8", "a header block of 10 MiB", []byte{0x02, 0x09, 0x80, 0x80, 0x80, 0x05}, tooBig},
	{"F8", "a frame one over max_frame", data(1, strings.Repeat("x", 32<<10+1)), tooBig},
	{"F8", "a length of 2^53-1", []byte{0x04, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f}, tooBig},
	{"F9", "a head and nothing else", []byte{0x04}, malformed},
	{"F9", "a frame that is cut", data(1, "hello")[:5], malformed},
	{"F10", "PING of 7 bytes", ping("1234567"), malformed},
	{"F10", "PONG of 9 bytes", pong("123456789"), malformed},
	{"F10", "an empty ACK", raw(frame.TypeAck, 0, 0, ""), malformed},
	{"F10", "ACK of two varints", raw(frame.TypeAck, 0, 0, "\x01\x02"), malformed},
	{"F10", "an empty WINDOW", raw(frame.TypeWindow, 0, 1, ""), malformed},
	{"F10", "an empty WINDOW of a closed stream", raw(frame.TypeWindow, 0, 5, ""), malformed},
	{"F10", "RESET without a code", raw(frame.TypeReset, 0, 1, ""), malformed},
	{"F10", "RESET without a code of a closed stream", raw(frame.TypeReset, 0, 5, ""), malformed},
	{"F11", "RESET with code 0", reset(1, 0), malformed},
	{"F11", "RESET with code 0 of a skipped stream", reset(3, 0), malformed},
	{"F12", "RESET with a reason of 1025 bytes", raw(frame.TypeReset, 0, 1, "\x01"+strings.Repeat("x", 1025)), malformed},
	{"F12", "GOAWAY with a reason of 1025 bytes", raw(frame.TypeGoAway, 0, 0, "\x01\x81\x08"+strings.Repeat("x", 1025)), malformed},
	{"F13", "DATA with MORE and nothing in it", dataMore(1, ""), malformed},
	{"F13", "DATA with MORE and nothing in it of a closed stream", dataMore(5, ""), malformed},
	{"F14", "a HELLO of more than 4096 bytes", raw(frame.TypeHello, 0, 0, strings.Repeat("\xe9\x07\x00", 1400)), malformed},
	{"B1", "GOAWAY with key 0", raw(frame.TypeGoAway, 0, 0, "\x00\x00"), malformed},
	{"B2", "GOAWAY with a key twice", raw(frame.TypeGoAway, 0, 0, "\x02\x01\x02\x01"), malformed},
	{"B3", "GOAWAY that ends inside a field", raw(frame.TypeGoAway, 0, 0, "\x02"), malformed},
	{"B4", "GOAWAY with a varint that is not minimal", raw(frame.TypeGoAway, 0, 0, "\x02\x81\x00"), malformed},
	{"N2", "a second HELLO", hello(), malformed},
	{"S1", "OPEN with an id of the wrong side", open(4, ""), malformed},
	{"S2", "OPEN with the same id again", open(1, ""), malformed},
	{"S2", "OPEN with a skipped id", open(3, ""), malformed},
	{"S3", "DATA of a stream that was never opened", data(11, "x"), malformed},
	{"S3", "HEADER of a stream that was never opened", header(11, ""), malformed},
	{"S3", "END of a stream that was never opened", end(11, ""), malformed},
	{"S3", "RESET of a stream that was never opened", reset(11, 1), malformed},
	{"S3", "WINDOW of a stream that was never opened", window(11, 1<<20), malformed},
	{"S3", "DATA of a stream that this end never opened", data(4, "x"), malformed},
	{"S3", "WINDOW of a stream that this end never opened", window(4, 1<<20), malformed},
}

func TestMalformedMessageClosesTheLinkAndEndsTheSession(t *testing.T) {
	for _, f := range afterHello {
		t.Run(f.row+" "+f.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
				p.send(open(1, ""), open(5, ""), reset(5, 1), data(1, "before"))
				own, in := mustOpen(t, s), mustAccept(t, s)
				p.wants("OPEN 2 \"\"")

				p.send(f.send)
				p.wantsClose(f.code)
				p.wants()
				wantCode(t, s.Err(), f.code)
				wantCode(t, recvErr(t, own), f.code)
				if got := mustRecv(t, in); got != "before" {
					t.Errorf("what came before the fault was lost: %q", got)
				}
				wantCode(t, recvErr(t, in), f.code)
			})
		})
	}
}

func TestFramesBeforeTheFaultInTheSameMessageTakeEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // F9
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		p.send(open(1, "kept"), data(1, "whole"), data(1, "cut")[:4])
		p.wantsClose(malformed)
		st := mustAccept(t, s)
		if string(st.OpenHeader()) != "kept" || mustRecv(t, st) != "whole" {
			t.Error("the stream or its message was lost")
		}
	})
}

// atFirst are faults of a peer that has not sent HELLO.
var atFirst = []fault{
	{"N1", "OPEN before HELLO", open(1, ""), malformed},
	{"N1", "PING before HELLO", ping("12345678"), malformed},
	{"N1", "an ignorable frame before HELLO", []byte{0x8c, 0, 0}, malformed},
	{"N1", "HELLO late", append(data(1, "x"), hello()...), malformed},
	{"N2", "HELLO twice in one message", append(hello(), hello()...), malformed},
	{"N3", "max_frame below its floor", raw(frame.TypeHello, 0, 0, "\x02\xff\x7f"), malformed},
	{"N3", "a keepalive of 26 s", raw(frame.TypeHello, 0, 0, "\x0c\x90\xcb\x01"), malformed},
	{"N4", "max_header above max_frame", raw(frame.TypeHello, 0, 0, "\x06\x81\x80\x01"), malformed},
	{"N5", "a session id of 3 bytes", raw(frame.TypeHello, 0, 0, "\x01\x03abc"), malformed},
	{"N6", "a session id without a token", raw(frame.TypeHello, 0, 0, "\x01\x10"+strings.Repeat("s", 16)), malformed},
	{"B1", "key 0 in HELLO", raw(frame.TypeHello, 0, 0, "\x00\x00"), malformed},
	{"B2", "a key twice in HELLO", raw(frame.TypeHello, 0, 0, "\x0c\xe8\x07\x0c\xe8\x07"), malformed},
	{"B3", "HELLO that ends inside a field", raw(frame.TypeHello, 0, 0, "\x05\x04abc"), malformed},
	{"B4", "HELLO with a varint that is not minimal", raw(frame.TypeHello, 0, 0, "\x0c\xe8\x87\x00"), malformed},
	{"F8", "a HELLO of 64 KiB", []byte{0x01, 0, 0x80, 0x80, 0x04}, tooBig},
	{"L2", "an empty message", nil, malformed},
}

func TestMalformedHelloClosesTheLink(t *testing.T) {
	for _, side := range []transport.Side{transport.Dialer, transport.Acceptor} {
		for _, f := range atFirst {
			t.Run(side.String()+" "+f.row+" "+f.what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, p := startSession(t, side, transport.Config{})
					p.send(f.send)
					p.wantsClose(f.code)
					wantCode(t, s.Err(), f.code)
				})
			})
		}
	}
}

func TestAnswerToNoResumptionIsMalformed(t *testing.T) {
	for _, row := range []struct {
		side transport.Side // N6: a dialer answers; N7: an acceptor does, without a request
		row  string
	}{{transport.Acceptor, "N6"}, {transport.Dialer, "N7"}} {
		t.Run(row.row, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, p := startSession(t, row.side, transport.Config{})
				p.send(raw(frame.TypeHello, 0, 0, "\x14\x00"))
				p.wantsClose(malformed)
			})
		})
	}
}

func TestPeerThatSendsNoHelloIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // N9
		s, p := startSession(t, transport.Acceptor, transport.Config{Parameters: transport.Parameters{HelloTimeout: 3 * time.Second}})
		advance(3*time.Second - 1)
		if s.Err() != nil {
			t.Fatalf("too early: %v", s.Err())
		}
		advance(1)
		p.wantsClose(malformed)
	})
	synctest.Test(t, func(t *testing.T) { // N9: a dialer sends no code, and may try again
		s, p := startSession(t, transport.Dialer, transport.Config{})
		advance(10 * time.Second)
		p.wantsLoss()
		wantCode(t, s.Err(), transport.CloseAbnormal)
	})
}

func TestFrameBehindAHelloThatAsksToResumeIsMalformed(t *testing.T) {
	ask := frame.Hello{Session: make([]byte, 16), Token: make([]byte, 32)}
	synctest.Test(t, func(t *testing.T) { // N8
		_, p := startSession(t, transport.Acceptor, transport.Config{})
		p.send(ask.Append(nil), []byte{0x8c, 0, 0})
		p.wantsClose(malformed)
	})
	synctest.Test(t, func(t *testing.T) { // A7: not resumed, but a new session
		s, p := startSession(t, transport.Acceptor, transport.Config{})
		p.send(ask.Append(nil))
		p.wants("HELLO resumed 0", `PING "\x00\x00\x00\x00\x00\x00\x00\x01"`)
		p.send(open(1, ""), data(1, "hello"))
		if got := mustRecv(t, mustAccept(t, s)); got != "hello" {
			t.Errorf("got %q", got)
		}
	})
}

func TestWhatTheLinkFindsWrongIsTheCodeThatThePeerGets(t *testing.T) {
	for _, code := range []transport.CloseCode{
		transport.CloseUnsupportedData, // L1: a text message
		transport.CloseMessageTooBig,   // L3: a message over the read limit
	} {
		synctest.Test(t, func(t *testing.T) {
			own, other := pipe.New(pipe.Config{})
			s, err := transport.NewSession(own, transport.Acceptor, transport.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close(transport.CloseNormal, "")
			p := &peer{t: t, link: other}
			go p.read()
			own.Fail(&transport.CloseError{Code: code, Reason: "found by the link"})
			p.wantsClose(code)
			wantCode(t, s.Err(), code)
		})
	}
}
