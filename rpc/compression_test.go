package rpc_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// noise returns bytes that gzip cannot compress.
func noise(n int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

func TestGzipGoesBothWays(t *testing.T) {
	url, srv := serve(t)
	registerAll(srv, echo)
	conn := dial(t, url)
	texts := []string{strings.Repeat("x", 100_000), "small", strings.Repeat("abc", 10_000), strings.Repeat("y", 300_000)}
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		for _, codec := range []string{rpc.CodecProto, rpc.CodecJSON} {
			got, err := converse(t.Context(), conn, m, texts, rpc.WithCompression(rpc.CompressionGzip), rpc.WithCodecName(codec))
			if err != nil || !slices.Equal(got, echoed(m, texts)) {
				t.Fatalf("%d answers, %v", len(got), err)
			}
		}
	})
}

// marked reports whether the next message of a stream is compressed, and how
// many bytes it has.
func marked(p *raw, id uint64) (mark bool, size int) {
	p.t.Helper()
	for {
		f := p.skipTo(frame.TypeData, id)
		size += len(f.payload)
		if f.Flags&frame.FlagMore == 0 {
			return f.Flags&frame.FlagMark != 0, size
		}
	}
}

var messagesToCompress = []struct {
	name  string
	msg   proto.Message
	marks bool
}{
	{"large", text(strings.Repeat("x", 5000)), true},
	{"small", text(strings.Repeat("x", 200)), false},
	{"empty", text(""), false},
	{"noise", wrapperspb.Bytes(noise(5000)), false},
}

func TestOnlyWhatGetsSmallerIsCompressed(t *testing.T) {
	client := rpc.NewClient("ws://in.memory")
	p := callRaw(t, client)
	for _, c := range messagesToCompress {
		s, err := client.Open(t.Context(), bidi, rpc.WithCompression("gzip"))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send(c.msg); err != nil {
			t.Fatal(err)
		}
		id, open := p.wantOpen()
		if mark, size := marked(p, id); open.Encoding != "gzip" || mark != c.marks || mark && size > 100 {
			t.Errorf("%s: encoding %q, %d bytes, compressed %v", c.name, open.Encoding, size, mark)
		}
		s.Close()
	}
}

func TestAnswersAreCompressedIfTheCallerCanUndoIt(t *testing.T) {
	srv := rpc.NewServer()
	register(srv, bidi, func(_ context.Context, s rpc.Stream) error {
		for _, c := range messagesToCompress {
			if err := s.Send(c.msg); err != nil {
				return err
			}
		}
		return nil
	})
	p := serveRaw(t, srv)
	for i, c := range []struct {
		name   string
		fields []byte
		gzip   bool
	}{
		{"its own encoding", bytesField(5, "gzip"), true},
		{"one that it accepts", bytesField(7, "gzip"), true},
		{"one of several", bytesField(7, "br,gzip"), true},
		{"nothing", nil, false},
		{"only others", bytesField(7, "br,GZIP, gzip"), false},
	} {
		id := uint64(2*i + 1)
		p.write(openFrame(id, append(methodField(bidi), c.fields...)))
		if c.gzip {
			encoding, _, err := rpc.ParseHeader(p.skipTo(frame.TypeHeader, id).payload)
			if err != nil || encoding != "gzip" {
				t.Fatalf("%s: encoding %q, %v", c.name, encoding, err)
			}
		}
		for _, m := range messagesToCompress {
			if mark, size := marked(p, id); mark != (c.gzip && m.marks) || mark && size > 100 {
				t.Errorf("%s: %s has %d bytes, compressed %v", c.name, m.name, size, mark)
			}
		}
		p.wantStatus(id, rpc.CodeOK)
	}
}

func TestAnInflatedMessageOverTheLimitIsNeverHeld(t *testing.T) {
	const limit = 1 << 20
	packed := bytes.Repeat(gzipped(t, make([]byte, limit)), 500) // inflates to 500 times the limit
	if len(packed) > limit {
		t.Fatalf("the bomb has %d bytes", len(packed))
	}
	srv := rpc.NewServer(rpc.WithTransport(transport.Parameters{MaxMessage: limit, InitialWindow: limit, MaxStreams: 16}))
	got := make(chan error, 1)
	register(srv, upload, func(_ context.Context, s rpc.Stream) error {
		err := s.Recv(new(wrapperspb.StringValue))
		got <- err
		return err
	})
	p := serveRaw(t, srv)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p.write(openFrame(1, append(methodField(upload), bytesField(5, "gzip")...)))
	received := make(chan error, 1)
	go func() {
		for rest := packed; len(rest) > 0; {
			n := min(len(rest), 16_000)
			flags := frame.FlagMark
			if n < len(rest) {
				flags |= frame.FlagMore
			}
			if err := p.link.WriteMessage([][]byte{dataFrame(1, flags, rest[:n])}); err != nil {
				received <- err
				return
			}
			rest = rest[n:]
		}
		received <- nil
	}()
	wantError(t, <-got, rpc.CodeResourceExhausted)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 40*limit {
		t.Errorf("%d bytes were allocated for a limit of %d", used, limit)
	}
	if err := <-received; err != nil {
		t.Fatal(err)
	}
	p.skipTo(frame.TypeHeader, 1)
	p.wantStatus(1, rpc.CodeResourceExhausted)
}

func TestAMessageThatInflatesToTheLimitIsTaken(t *testing.T) {
	const limit = 100_000
	p := newPair(t, []rpc.ServerOption{rpc.WithTransport(transport.Parameters{MaxMessage: limit})}, nil, func(srv *rpc.Server) { register(srv, bidi, echo) })
	for n, code := range map[int]rpc.Code{limit - 4: rpc.CodeOK, limit - 3: rpc.CodeResourceExhausted} { // the field has 4 bytes
		_, err := converse(t.Context(), p.client, bidi, []string{strings.Repeat("x", n)}, rpc.WithCompression("gzip"))
		wantCode(t, err, code)
	}
}

func TestACompressionOfItsOwn(t *testing.T) {
	with := rpc.WithCompressor(flat{})
	p := newPair(t, []rpc.ServerOption{with}, []rpc.ClientOption{with}, func(srv *rpc.Server) { registerAll(srv, echo) })
	// flat inflates to zeros, which are a malformed message.
	_, err := converse(t.Context(), p.client, upload, []string{strings.Repeat("x", 1000)}, rpc.WithCompression("flat"))
	wantError(t, err, rpc.CodeInternal)
	_, err = converse(t.Context(), p.client, bidi, []string{strings.Repeat("fail", 1000)}, rpc.WithCompression("flat"))
	wantError(t, err, rpc.CodeInternal)
	if !strings.Contains(err.Error(), "cannot compress this") {
		t.Errorf("got %v", err)
	}
}

// TestCompressorsAreReused makes many calls that share the pools, one of them
// with a malformed message.
func TestCompressorsAreReused(t *testing.T) {
	srv := rpc.NewServer()
	register(srv, upload, echo)
	p := serveRaw(t, srv)
	good := gzipped(t, encoded(t, strings.Repeat("x", 1000)))
	for i := range uint64(30) {
		id := 2*i + 1
		body, code := good, rpc.CodeOK
		if i%3 == 1 {
			body, code = bytes.Repeat([]byte("z"), 30), rpc.CodeInternal
		} else if i%3 == 2 {
			body, code = good[:len(good)-4], rpc.CodeInternal
		}
		p.write(openFrame(id, append(methodField(upload), bytesField(5, "gzip")...)), dataFrame(id, frame.FlagMark|frame.FlagEnd, body))
		end, err := rpc.ParseEnd(p.skipTo(frame.TypeEnd, id).payload)
		if err != nil || end.Code != code {
			t.Fatalf("message %d: %v, %v; want %v", i, end.Status, err, code)
		}
	}
}
