package frame_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/parley-rpc/parley/internal/frame"
)

// FuzzFrames reads arbitrary bytes as a link message. Nothing panics, accepted
// frames are encoded to the same bytes, and a prefix needs more bytes or fails
// in the same way.
func FuzzFrames(f *testing.F) {
	for _, seed := range []string{
		"010000", "010008050674696e792f31", "010038" + "0eb0ea010710a0a1a2a3a4a5a6a7a8a9aaabacadaeaf0920000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "0201260131", "1401040a026869", "2403036162",
		"060711026161", "0701038080060900080102030405060708", "0b000402290401", "8d0908616e797468696e67",
	} {
		b, err := hex.DecodeString(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			h, n, err := frame.ParseHeader(b)
			if err != nil {
				return
			}
			if got := frame.AppendHeader(nil, h); !bytes.Equal(got, b[:n]) {
				t.Fatalf("%x is encoded as %x", b[:n], got)
			}
			if h.Length > uint64(len(b)-n) {
				return
			}
			p := b[n : n+int(h.Length)]
			b = b[n+int(h.Length):]
			fuzzPayload(t, h, p)
		}
	})
}

func fuzzPayload(t *testing.T, h frame.Header, p []byte) {
	t.Helper()
	var out []byte
	switch h.Type {
	case frame.TypeHello:
		hello, err := frame.ParseHello(p)
		if err != nil {
			return
		}
		_, n, _ := frame.ParseHeader(hello.Append(nil))
		if _, err := frame.ParseHello(hello.Append(nil)[n:]); err != nil {
			t.Fatalf("%+v does not read back: %v", hello, err)
		}
		return
	case frame.TypeGoAway:
		g, err := frame.ParseGoAway(p)
		if err != nil {
			return
		}
		_, n, _ := frame.ParseHeader(g.Append(nil))
		again, err := frame.ParseGoAway(g.Append(nil)[n:])
		if err != nil || again.LastStream != g.LastStream || again.Status != g.Status || again.Delay != g.Delay {
			t.Fatalf("%+v reads back as %+v, %v", g, again, err)
		}
		return
	case frame.TypeReset:
		_, _, _ = frame.ParseReset(p) // it repairs text, so the encoding may differ
		return
	case frame.TypeWindow:
		limit, err := frame.ParseWindow(p)
		if err != nil {
			return
		}
		out = frame.AppendWindow(nil, h.Stream, limit)
	case frame.TypeAck:
		received, err := frame.ParseAck(p)
		if err != nil {
			return
		}
		out = frame.AppendAck(nil, received)
	default:
		return
	}
	if want := frame.Append(nil, h, p); !bytes.Equal(out, want) {
		t.Fatalf("%x is encoded as %x", want, out)
	}
}
