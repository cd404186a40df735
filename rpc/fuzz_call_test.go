package rpc_test

import (
	"log/slog"
	"testing"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// FuzzServeCall makes calls whose header and message are arbitrary bytes. Each
// call ends, and the connection goes on.
func FuzzServeCall(f *testing.F) {
	gzip := bytesField(5, "gzip")
	for _, m := range kinds {
		f.Add(methodField(m), []byte("\x0a\x01a"), false)
		f.Add(block(methodField(m), gzip, metadataField("a", "b"), uintField(4, 1_000_000)), []byte("\x0a\x01a"), true)
		f.Add(block(methodField(m), bytesField(3, "json")), []byte(`"a"`), false)
	}
	f.Add(uintField(2, 1), []byte{}, false)

	srv := rpc.NewServer(rpc.WithLogger(slog.New(slog.DiscardHandler)))
	registerAll(srv, echo)
	dialer, acceptor := pipe.New(pipe.Config{})
	conn, err := srv.StartLink(acceptor)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		dialer.Cut()
		_ = srv.Close()
	})
	p := &raw{link: dialer, peer: acceptor}
	hello := frame.Hello{MaxStreams: 1024, InitialWindow: 1 << 20, MaxMessage: 1 << 30, MaxFrame: 1 << 20, MaxHeader: 1 << 20}
	if err := dialer.WriteMessage([][]byte{hello.Append(nil)}); err != nil {
		f.Fatal(err)
	}
	id := uint64(1)
	f.Fuzz(func(t *testing.T, open, message []byte, mark bool) {
		if len(open) > 32<<10 || len(message) > 32<<10 {
			return // not a frame
		}
		p.t = t
		defer func() { id += 2 }() // also if it fails: the connection goes on
		flags := frame.FlagEnd
		if mark {
			flags |= frame.FlagMark
		}
		p.write(openFrame(id, open), dataFrame(id, flags, message))
		p.wantOver(id, len(open))
		if err := conn.Err(); err != nil {
			t.Fatal(err)
		}
	})
}

// wantOver expects the end of a stream whose header has n bytes.
func (p *raw) wantOver(id uint64, header int) {
	p.t.Helper()
	for {
		f := p.next()
		switch {
		case f.Stream < id && f.Type == frame.TypeReset: // of the direction that was open when the call before was over
		case f.Stream != id:
			p.t.Fatalf("%v of stream %d", f.Type, f.Stream)
		case f.Type == frame.TypeEnd:
			if _, err := rpc.ParseEnd(f.payload); err != nil {
				p.t.Fatal(err)
			}
			return
		case f.Type == frame.TypeData && f.Flags&frame.FlagEnd != 0:
			return
		case f.Type == frame.TypeReset:
			code, _, err := frame.ParseReset(f.payload)
			if err != nil || code != uint64(transport.ResetLimit) || header < len(tooManyPairs()) {
				p.t.Fatalf("RESET %d, %v", code, err)
			}
			return
		}
	}
}
