package rpc_test

import (
	"io"
	"testing"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// raw is a peer for which the test writes frames, including ones that no real
// peer sends.
type raw struct {
	t    *testing.T
	link *pipe.End
	peer *pipe.End // the end of the endpoint under test
	rest []byte    // of the link message that is being read

	answers bool // answer PINGs while it reads
}

// rawFrame is a frame that a raw peer has received.
type rawFrame struct {
	frame.Header
	payload []byte
}

// serveRaw makes srv serve a raw dialer that has sent HELLO.
func serveRaw(t *testing.T, srv *rpc.Server) *raw {
	t.Helper()
	p := linkSilent(t, srv, pipe.Config{})
	p.hello()
	return p
}

// newRawLink makes srv serve a link on which nothing was sent yet.
func newRawLink(t *testing.T, srv *rpc.Server) (dialer, acceptor *pipe.End) {
	t.Helper()
	p := linkSilent(t, srv, pipe.Config{})
	return p.link, p.peer
}

// linkSilent makes srv serve a raw dialer that has sent nothing yet.
func linkSilent(t *testing.T, srv *rpc.Server, wire pipe.Config) *raw {
	t.Helper()
	dialer, acceptor := pipe.New(wire)
	if _, err := srv.StartLink(acceptor); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		dialer.Cut() // the peer does not read what Close sends
		_ = srv.Close()
	})
	return &raw{t: t, link: dialer, peer: acceptor}
}

// callRaw makes client call a raw acceptor that has sent HELLO.
func callRaw(t *testing.T, client *rpc.Client) *raw {
	t.Helper()
	dialer, acceptor := pipe.New(pipe.Config{})
	if _, err := client.StartLink(dialer); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		dialer.Cut() // the peer does not read what Close sends
		_ = client.Close()
	})
	p := &raw{t: t, link: acceptor, peer: dialer}
	p.hello()
	return p
}

func (p *raw) hello() {
	h := frame.Hello{MaxStreams: 1024, InitialWindow: 1 << 20, MaxMessage: 1 << 20}
	p.write(h.Append(nil))
}

// write sends frames in one link message.
func (p *raw) write(frames ...[]byte) {
	p.t.Helper()
	if err := p.link.WriteMessage(frames); err != nil {
		p.t.Fatalf("write: %v", err)
	}
}

// next returns the next frame of a call.
func (p *raw) next() rawFrame {
	p.t.Helper()
	f, err := p.read()
	if err != nil {
		p.t.Fatalf("instead of a frame: %v", err)
	}
	return f
}

// read is like next, for a link that may end.
func (p *raw) read() (rawFrame, error) {
	for {
		for len(p.rest) > 0 {
			h, n, err := frame.ParseHeader(p.rest)
			if err != nil {
				return rawFrame{}, err
			}
			f := rawFrame{h, p.rest[n : n+int(h.Length)]}
			p.rest = p.rest[n+int(h.Length):]
			switch h.Type {
			case frame.TypeHello, frame.TypeWindow, frame.TypeAck:
			case frame.TypePing:
				if p.answers {
					_ = p.link.WriteMessage([][]byte{frame.Append(nil, frame.Header{Type: frame.TypePong}, f.payload)})
				}
			default:
				return f, nil
			}
		}
		r, err := p.link.NextReader()
		if err != nil {
			return rawFrame{}, err
		}
		if p.rest, err = io.ReadAll(r); err != nil {
			return rawFrame{}, err
		}
	}
}

// want returns the next frame, which must be of a type and a stream.
func (p *raw) want(typ frame.Type, id uint64) rawFrame {
	p.t.Helper()
	f := p.next()
	if f.Type != typ || f.Stream != id {
		p.t.Fatalf("got %v of stream %d (%q), want %v of %d", f.Type, f.Stream, f.payload, typ, id)
	}
	return f
}

// skipTo returns the next frame of a type and a stream.
func (p *raw) skipTo(typ frame.Type, id uint64) rawFrame {
	p.t.Helper()
	f := p.next()
	for f.Type != typ || f.Stream != id {
		f = p.next()
	}
	return f
}

// wantEnd returns the contents of a stream's END, which must come next.
func (p *raw) wantEnd(id uint64) rpc.EndFields {
	p.t.Helper()
	end, err := rpc.ParseEnd(p.want(frame.TypeEnd, id).payload)
	if err != nil {
		p.t.Fatal(err)
	}
	return end
}

// wantStatus is like wantEnd, for the status alone.
func (p *raw) wantStatus(id uint64, code rpc.Code) {
	p.t.Helper()
	if end := p.wantEnd(id); end.Code != code {
		p.t.Fatalf("got %v, want %v", end.Status, code)
	}
}

// wantCancel expects the RESET of a stream that is no longer used.
func (p *raw) wantCancel(id uint64) {
	p.t.Helper()
	p.wantReset(id, transport.ResetCancel)
}

// wantReset expects the RESET of a stream.
func (p *raw) wantReset(id uint64, code transport.ResetCode) {
	p.t.Helper()
	f := p.want(frame.TypeReset, id)
	got, reason, err := frame.ParseReset(f.payload)
	if err != nil || got != uint64(code) {
		p.t.Fatalf("got RESET %d %q, %v; want %v", got, reason, err, code)
	}
}

// wantOpen returns the contents of the next OPEN, and its stream. It skips the
// rest of earlier calls.
func (p *raw) wantOpen() (uint64, rpc.OpenFields) {
	p.t.Helper()
	f := p.next()
	for f.Type != frame.TypeOpen {
		f = p.next()
	}
	fields, err := rpc.ParseOpen(f.payload)
	if err != nil {
		p.t.Fatal(err)
	}
	return f.Stream, fields
}

// takeCall returns the stream of the next call, with its request read.
func (p *raw) takeCall() uint64 {
	p.t.Helper()
	id, _ := p.wantOpen()
	p.skipTo(frame.TypeData, id) // what is left of earlier calls may come in between
	return id
}

// The frames of a raw peer.

func openFrame(id uint64, block []byte) []byte {
	return frame.Append(nil, frame.Header{Type: frame.TypeOpen, Stream: id}, block)
}

func dataFrame(id uint64, flags frame.Flags, payload []byte) []byte {
	return frame.Append(nil, frame.Header{Type: frame.TypeData, Stream: id, Flags: flags}, payload)
}

func headerFrame(id uint64, block []byte) []byte {
	return frame.Append(nil, frame.Header{Type: frame.TypeHeader, Stream: id}, block)
}

func endFrame(id uint64, block []byte) []byte {
	return frame.Append(nil, frame.Header{Type: frame.TypeEnd, Stream: id}, block)
}

func resetFrame(id uint64, code transport.ResetCode, reason string) []byte {
	return frame.AppendReset(nil, id, uint64(code), reason)
}
