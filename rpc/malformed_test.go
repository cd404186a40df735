package rpc_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// The rows of section 14.9 of PROTOCOL.md, at the accepting end.
// malformed_answer_test.go has those at the opener's.

func TestAMalformedCallIsAnsweredAndTheConnectionLives(t *testing.T) {
	const gzip = "gzip"
	bad := func(fields ...[]byte) []byte { return append(methodField(bidi), block(fields...)...) }
	for _, c := range []struct {
		row, name string
		open      []byte
		code      rpc.Code
		says      string // a part of the message
	}{
		{"R1", "key 0", bad(uintField(0, 0)), rpc.CodeInternal, ""},
		{"R1", "a key twice", bad(uintField(4, 1), uintField(4, 1)), rpc.CodeInternal, "is repeated"},
		{"R1", "a method twice", bad(methodField(bidi)), rpc.CodeInternal, "is repeated"},
		{"R1", "a field that is cut", bad([]byte{5, 9, 'g'}), rpc.CodeInternal, ""},
		{"R1", "a varint that is not minimal", bad([]byte{4, 0x81, 0}), rpc.CodeInternal, ""},
		{"R1", "a varint of 9 bytes", bad([]byte{4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}), rpc.CodeInternal, ""},
		{"R2", "no method", nil, rpc.CodeInternal, "exactly one method"},
		{"R2", "an empty method", bytesField(1, ""), rpc.CodeInternal, "exactly one method"},
		{"R2", "alias 0", uintField(2, 0), rpc.CodeInternal, "exactly one method"},
		{"R2", "a method and an alias", bad(uintField(2, 1)), rpc.CodeInternal, ""},
		{"R3", "metadata that is empty", bad(bytesField(9, "")), rpc.CodeInternal, "cut"},
		{"R3", "metadata that is cut", bad(bytesField(9, "\x05ab")), rpc.CodeInternal, "cut"},
		{"R3", "a key in upper case", bad(metadataField("Tag", "x")), rpc.CodeInternal, "Tag"},
		{"R3", "a key with a space", bad(metadataField("a b", "x")), rpc.CodeInternal, ""},
		{"R3", "a key without a byte", bad(metadataField("", "x")), rpc.CodeInternal, ""},
		{"R3", "a value with a newline", bad(metadataField("tag", "a\nb")), rpc.CodeInternal, ""},
		{"R3", "a value that is not ASCII", bad(metadataField("tag", "ä")), rpc.CodeInternal, ""},
		{"R3", "a reserved key in upper case", bad(metadataField("parley-X", "x")), rpc.CodeInternal, ""},
		{"R4", "a service that does not exist", bytesField(1, "no.Service/Call"), rpc.CodeUnimplemented, "no.Service"},
		{"R4", "a method that does not exist", bytesField(1, bidi.Service+"/None"), rpc.CodeUnimplemented, "None"},
		{"R4", "a name without a slash", bytesField(1, bidi.Service), rpc.CodeUnimplemented, ""},
		{"R4", "a slash in front", bytesField(1, "/"+bidi.Path()), rpc.CodeUnimplemented, ""},
		{"R4", "a slash alone", bytesField(1, "/"), rpc.CodeUnimplemented, ""},
		{"R4", "another slash", bytesField(1, bidi.Path()+"/x"), rpc.CodeUnimplemented, ""},
		{"R4", "a name of bytes", bytesField(1, "\xff\x00/\xfe"), rpc.CodeUnimplemented, "\uFFFD"},
		{"R4", "a name longer than an answer", bytesField(1, strings.Repeat("x", 10_000)+"/y"), rpc.CodeUnimplemented, "xxx"},
		{"R5", "an alias that was not given", uintField(2, 99), rpc.CodeInternal, "99"},
		{"R5", "the largest alias", uintField(2, frame.MaxVarint), rpc.CodeInternal, ""},
		{"R6", "an unknown codec", bad(bytesField(3, "xml")), rpc.CodeUnimplemented, `["json" "proto"]`},
		{"R6", "an unknown encoding", bad(bytesField(5, "br")), rpc.CodeUnimplemented, `["gzip"]`},
		{"R13", "timeout 0", bad(uintField(4, 0)), rpc.CodeDeadlineExceeded, ""},
		{"-", "unknown keys", bad(uintField(1000, 1), uintField(1000, 2), bytesField(1001, "x"), bytesField(13, "")), rpc.CodeOK, ""},
		{"-", "method and alias 0, which is none", bad(uintField(2, 0)), rpc.CodeOK, ""},
		{"R14", "a reserved key", bad(metadataField("parley-trace", "x")), rpc.CodeOK, ""},
		{"R18", "a timeout too long", bad(uintField(4, frame.MaxVarint)), rpc.CodeOK, ""},
		{"-", "an encoding that is not used", bad(bytesField(5, gzip)), rpc.CodeOK, ""},
		{"-", "compressions that are accepted, some unknown", bad(bytesField(7, "br,gzip,,x")), rpc.CodeOK, ""},
	} {
		t.Run(c.row+" "+c.name, func(t *testing.T) {
			srv := rpc.NewServer()
			register(srv, bidi, func(ctx context.Context, s rpc.Stream) error {
				if c.code != rpc.CodeOK {
					t.Error("the handler runs")
				}
				if h := s.Call().Header(); len(h) != 0 {
					t.Errorf("the handler is shown %q", h)
				}
				return echo(ctx, s)
			})
			register(srv, unary, echo)
			p := serveRaw(t, srv)
			p.write(openFrame(1, c.open), endFrame(1, nil))
			end := p.skipTo(frame.TypeEnd, 1)
			got, err := rpc.ParseEnd(end.payload)
			if err != nil || got.Code != c.code {
				t.Fatalf("got %v, %v; want %v", got.Status, err, c.code)
			}
			if c.code != rpc.CodeOK && !strings.Contains(got.Status.Message(), c.says) {
				t.Errorf("the message is %q, want something of %q", got.Status.Message(), c.says)
			}
			p.write(openFrame(3, methodField(unary)), dataFrame(3, frame.FlagEnd, encoded(t, "alive")))
			p.skipTo(frame.TypeData, 3)
			p.wantStatus(3, rpc.CodeOK)
		})
	}
}

// messageRow is a call with messages that its method does not expect.
type messageRow struct {
	row, name string
	method    *rpc.Method
	open      []byte // fields besides the method
	frames    [][]byte
	code      rpc.Code
}

func messageRows(t *testing.T) []messageRow {
	one, wrong := encoded(t, "one"), []byte{0x0a, 0xff}
	gzip := bytesField(5, "gzip")
	var rows []messageRow
	for _, m := range []*rpc.Method{unary, download} {
		rows = append(rows,
			messageRow{"R11", "no message", m, nil, [][]byte{endFrame(1, nil)}, rpc.CodeInternal},
			messageRow{"R12", "two messages", m, nil, [][]byte{dataFrame(1, 0, one), dataFrame(1, frame.FlagEnd, one)}, rpc.CodeInternal},
			messageRow{"R12", "two messages, the second empty", m, nil, [][]byte{dataFrame(1, 0, one), dataFrame(1, 0, nil)}, rpc.CodeInternal},
			messageRow{"-", "one message and the end by itself", m, nil, [][]byte{dataFrame(1, 0, one), endFrame(1, nil)}, rpc.CodeOK},
			messageRow{"-", "an end that says something", m, nil, [][]byte{dataFrame(1, 0, one), endFrame(1, []byte{0, 0, 0})}, rpc.CodeOK})
	}
	for _, m := range kinds {
		rows = append(rows,
			messageRow{"R7", "a mark without an encoding", m, nil, [][]byte{dataFrame(1, frame.FlagMark|frame.FlagEnd, one)}, rpc.CodeInternal},
			messageRow{"R8", "a message that does not parse", m, nil, [][]byte{dataFrame(1, frame.FlagEnd, wrong)}, rpc.CodeInternal},
			messageRow{"R8", "a message that is not JSON", m, bytesField(3, "json"), [][]byte{dataFrame(1, frame.FlagEnd, []byte("{"))}, rpc.CodeInternal},
			messageRow{"R8", "a message that is not compressed", m, gzip, [][]byte{dataFrame(1, frame.FlagMark|frame.FlagEnd, one)}, rpc.CodeInternal},
			messageRow{"R8", "a compressed message that is cut", m, gzip, [][]byte{dataFrame(1, frame.FlagMark|frame.FlagEnd, gzipped(t, one)[:20])}, rpc.CodeInternal},
			messageRow{"R8", "a compressed message with something behind it", m, gzip, [][]byte{dataFrame(1, frame.FlagMark|frame.FlagEnd, append(gzipped(t, one), 'x'))}, rpc.CodeInternal},
			messageRow{"R9", "a message that inflates beyond the limit", m, gzip, [][]byte{dataFrame(1, frame.FlagMark|frame.FlagEnd, gzipped(t, make([]byte, 64<<10+1)))}, rpc.CodeResourceExhausted})
	}
	return rows
}

func TestAMessageThatIsNotExpectedEndsItsCallAlone(t *testing.T) {
	for _, c := range messageRows(t) {
		t.Run(fmt.Sprintf("%s %s to %s", c.row, c.name, c.method.Service), func(t *testing.T) {
			srv := rpc.NewServer(rpc.WithTransport(transport.Parameters{MaxMessage: 64 << 10}))
			register(srv, unary, rpc.UnaryHandler(func(context.Context, *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
				if c.method == unary && c.code != rpc.CodeOK {
					t.Error("the handler sees the message")
				}
				return text("answer"), nil
			}))
			register(srv, download, rpc.ServerStreamHandler(func(context.Context, *wrapperspb.StringValue, rpc.Sender[wrapperspb.StringValue]) error {
				if c.code != rpc.CodeOK {
					t.Error("the handler sees the message")
				}
				return nil
			}))
			register(srv, upload, echo)
			register(srv, bidi, echo)
			p := serveRaw(t, srv)
			p.write(append([][]byte{openFrame(1, append(methodField(c.method), c.open...))}, c.frames...)...)
			end, err := rpc.ParseEnd(p.skipTo(frame.TypeEnd, 1).payload)
			if err != nil || end.Code != c.code {
				t.Fatalf("got %v, %v; want %v", end.Status, err, c.code)
			}
			p.write(openFrame(3, methodField(bidi)), dataFrame(3, frame.FlagEnd, encoded(t, "alive")))
			p.skipTo(frame.TypeData, 3)
			p.wantStatus(3, rpc.CodeOK)
		})
	}
}

// TestARequestIsSeenWhenItsEndHasCome, and not before: section 11.4.
func TestARequestIsSeenWhenItsEndHasCome(t *testing.T) {
	for _, m := range []*rpc.Method{unary, download} {
		srv := rpc.NewServer()
		register(srv, unary, rpc.UnaryHandler(func(context.Context, *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
			t.Error("the handler sees the message")
			return nil, nil
		}))
		register(srv, download, rpc.ServerStreamHandler(func(context.Context, *wrapperspb.StringValue, rpc.Sender[wrapperspb.StringValue]) error {
			t.Error("the handler sees the message")
			return nil
		}))
		p := serveRaw(t, srv)
		p.write(openFrame(1, append(methodField(m), uintField(4, 20_000)...)), dataFrame(1, 0, encoded(t, "a")))
		p.wantStatus(1, rpc.CodeDeadlineExceeded)
	}
}

// TestAHandlerCannotReceiveBehindTwoMessages is for a call that takes one
// message.
func TestAHandlerCannotReceiveBehindTwoMessages(t *testing.T) {
	srv := rpc.NewServer()
	register(srv, unary, func(_ context.Context, s rpc.Stream) error {
		for range 3 {
			wantError(t, s.Recv(new(wrapperspb.StringValue)), rpc.CodeInternal)
		}
		return rpc.CodeAborted
	})
	p := serveRaw(t, srv)
	one := encoded(t, "one")
	p.write(openFrame(1, methodField(unary)), dataFrame(1, 0, one), dataFrame(1, 0, one), dataFrame(1, 0, one), dataFrame(1, frame.FlagEnd, one))
	p.wantStatus(1, rpc.CodeAborted)
}

// TestAHandlerThatEndsInsideAMessage: it cannot send END. R10 and section 11.4.
func TestAHandlerThatEndsInsideAMessageResetsTheStream(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func() error
		code rpc.Code
	}{
		{"with a status", func() error { return rpc.CodeAborted }, rpc.CodeAborted},
		{"with OK", func() error { return nil }, rpc.CodeInternal},
		{"in a panic", func() error { panic(secret) }, rpc.CodeInternal},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log journal
				srv := rpc.NewServer(rpc.WithLogger(log.logger()))
				register(srv, bidi, func(_ context.Context, s rpc.Stream) error {
					go func() { _ = s.Send(text(strings.Repeat("x", 100_000))) }() // more than the credit
					synctest.Wait()
					return c.end()
				})
				dialer, acceptor := newRawLink(t, srv)
				p := &raw{t: t, link: dialer, peer: acceptor}
				hello := frame.Hello{MaxMessage: 1 << 20}
				p.write(hello.Append(nil), openFrame(1, methodField(bidi)))
				f := p.skipTo(frame.TypeReset, 1)
				code, reason, err := frame.ParseReset(f.payload)
				if err != nil || code != 256+uint64(c.code) || strings.Contains(reason, "swordfish") {
					t.Fatalf("got RESET %d %q, %v", code, reason, err)
				}
			})
		})
	}
}
