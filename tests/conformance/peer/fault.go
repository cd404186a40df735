package main

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// change is what a fault does to one frame: it returns the frame as it goes on,
// and whether it goes on at all.
type change func(h frame.Header, payload []byte) (frame.Header, []byte, bool)

// faultyFrames are the faults of frames. in concerns those that are received,
// out those that are sent.
type faultyFrames struct{ in, out change }

func drop(types ...frame.Type) change {
	return func(h frame.Header, payload []byte) (frame.Header, []byte, bool) {
		return h, payload, !slices.Contains(types, h.Type)
	}
}

// faults returns all faults by name. Each breaks one group of cases. A fault
// without frames is in the handshake or in how a link ends.
func faults() map[string]faultyFrames {
	return map[string]faultyFrames{
		"any-version":    {},
		"origin":         {},
		"no-credential":  {},
		"close-code":     {},
		"no-reset":       {out: drop(frame.TypeReset)},
		"no-window":      {out: drop(frame.TypeWindow)},
		"no-pong":        {out: drop(frame.TypePong)},
		"no-ping":        {out: drop(frame.TypePing)},
		"no-cancel":      {in: drop(frame.TypeReset)},
		"no-goaway":      {out: drop(frame.TypeGoAway)},
		"no-ack":         {out: drop(frame.TypeAck)},
		"status":         {out: wrongStatus},
		"reserved-keys":  {in: renameReserved},
		"no-deadline":    {in: withoutField(4)},
		"codec":          {in: withoutField(3)},
		"received":       {out: wrongReceived},
		"short-messages": {out: shortMessages},
	}
}

func faultNames() []string { return slices.Sorted(maps.Keys(faults())) }

// wrongStatus makes UNKNOWN of each status.
func wrongStatus(h frame.Header, payload []byte) (frame.Header, []byte, bool) {
	if h.Type != frame.TypeEnd {
		return h, payload, true
	}
	return h, changedFields(payload, func(field []byte) []byte {
		if field[0] == 2 {
			return []byte{2, byte(rpc.CodeUnknown)}
		}
		return field
	}), true
}

// renameReserved lets an application see metadata that it must not see.
func renameReserved(h frame.Header, payload []byte) (frame.Header, []byte, bool) {
	if h.Type == frame.TypeOpen || h.Type == frame.TypeHeader || h.Type == frame.TypeEnd {
		payload = bytes.ReplaceAll(payload, []byte("parley-"), []byte("x-rley-"))
	}
	return h, payload, true
}

// withoutField removes a field of OPEN, as an end does that does not know it.
func withoutField(key uint64) change {
	return func(h frame.Header, payload []byte) (frame.Header, []byte, bool) {
		if h.Type != frame.TypeOpen {
			return h, payload, true
		}
		return h, changedFields(payload, func(field []byte) []byte {
			if uint64(field[0]) == key {
				return nil
			}
			return field
		}), true
	}
}

// changedFields returns a block with each field changed. What is malformed
// stays as it is.
func changedFields(block []byte, f func(field []byte) []byte) (out []byte) {
	for rest := block; len(rest) > 0; {
		field, tail, ok := cutField(rest)
		if !ok {
			return block
		}
		out = append(out, f(field)...)
		rest = tail
	}
	return out
}

// cutField splits a block behind its first field.
func cutField(block []byte) (field, rest []byte, ok bool) {
	key, n, err := frame.ParseVarint(block)
	if err != nil {
		return nil, nil, false
	}
	value, m, err := frame.ParseVarint(block[n:])
	if err != nil {
		return nil, nil, false
	}
	end := n + m
	if key%2 == 1 {
		end += int(value)
	}
	if end > len(block) {
		return nil, nil, false
	}
	return block[:end], block[end:], true
}

// wrongReceived says in HELLO that nothing was received.
func wrongReceived(h frame.Header, payload []byte) (frame.Header, []byte, bool) {
	hello, err := frame.ParseHello(payload)
	if h.Type != frame.TypeHello || err != nil || hello.Received == 0 {
		return h, payload, true
	}
	hello.Received = 0
	again := hello.Append(nil)
	_, n, err := frame.ParseHeader(again)
	if err != nil {
		return h, payload, true
	}
	return h, again[n:], true
}

// shortMessages loses the last byte of each message.
func shortMessages(h frame.Header, payload []byte) (frame.Header, []byte, bool) {
	if h.Type == frame.TypeData && len(payload) > 0 {
		payload = payload[:len(payload)-1]
	}
	return h, payload, true
}

// faultyLink is a link whose frames are changed.
type faultyLink struct {
	transport.Link
	fault  string
	frames faultyFrames
}

func newFaultyLink(link transport.Link, fault string) *faultyLink {
	return &faultyLink{Link: link, fault: fault, frames: faults()[fault]}
}

func (l *faultyLink) NextReader() (io.Reader, error) {
	r, err := l.Link.NextReader()
	if err != nil || l.frames.in == nil {
		return r, err
	}
	msg, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return bytes.NewReader(changed(msg, l.frames.in)), nil
}

func (l *faultyLink) WriteMessage(parts [][]byte) error {
	if l.frames.out == nil {
		return l.Link.WriteMessage(parts)
	}
	msg := changed(bytes.Join(parts, nil), l.frames.out)
	if len(msg) == 0 {
		return nil
	}
	return l.Link.WriteMessage([][]byte{msg})
}

func (l *faultyLink) Close(code transport.CloseCode, reason string) error {
	if l.fault == "close-code" && code == transport.CloseProtocolError {
		code = transport.CloseNormal
	}
	return l.Link.Close(code, reason)
}

// changed returns a link message with all its frames changed. What is not
// well formed stays as it is.
func changed(msg []byte, f change) (out []byte) {
	for rest := msg; len(rest) > 0; {
		h, n, err := frame.ParseHeader(rest)
		if err != nil || h.Length > uint64(len(rest)-n) {
			return append(out, rest...)
		}
		end := n + int(h.Length)
		if changed, payload, goes := f(h, rest[n:end]); goes {
			out = frame.Append(out, changed, payload)
		}
		rest = rest[end:]
	}
	if len(out) == 0 && len(msg) > 0 {
		return []byte{0x8f, 0, 0} // an ignorable frame: an empty message is malformed
	}
	return out
}

func faultyLinks(fault string) rpc.ClientOption {
	return rpc.WithLinks(func(ctx context.Context, url string) (transport.Link, rpc.Peer, error) {
		link, err := dialWebSocket(ctx, url)
		if err != nil {
			return nil, rpc.Peer{}, err
		}
		addr, err := net.ResolveTCPAddr("tcp", strings.TrimSuffix(strings.TrimPrefix(url, "ws://"), "/rpc"))
		if err != nil {
			return nil, rpc.Peer{}, err
		}
		return newFaultyLink(link, fault), rpc.Peer{Addr: addr}, nil
	})
}

func faultyHandler(fault string, srv *rpc.Server) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fault == "any-version" {
			r.Header.Set("Sec-WebSocket-Version", "13")
		}
		l, err := srv.Upgrade(w, r)
		if err != nil {
			return // it was refused
		}
		_ = srv.ServeLink(l.Context(), newFaultyLink(l, fault), *l.Peer()) // it closes the link
	})
}
