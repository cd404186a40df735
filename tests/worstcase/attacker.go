package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/internal/rig"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// attacker is one connection that makes the server keep as much as it can, and
// holds it until it is told to end.
type attacker struct {
	ctx  context.Context
	addr string
	set  *settings
	work sync.WaitGroup // sends that may block for good
}

// dial starts a session that can be resumed. While its link is read, it accepts
// as many bytes as the server sends.
func (a *attacker) dial() (*transport.Session, *deafLink, error) {
	d := ws.Dialer{Header: http.Header{"X-Ballast": {strings.Repeat("x", a.set.limits.MaxHandshakeHeader-1<<10)}}}
	conn, err := d.Dial(a.ctx, "ws://"+a.addr+rig.Path)
	if err != nil {
		return nil, nil, err
	}
	link := &deafLink{Link: conn, ctx: a.ctx}
	s, err := transport.NewSession(link, transport.Dialer, transport.Config{
		Parameters: transport.Parameters{InitialWindow: 1 << 20, MaxWindow: 1 << 20}, OnDetached: func(*transport.Session, error) {},
	})
	if err != nil {
		return nil, nil, err
	}
	context.AfterFunc(a.ctx, func() { _ = s.Close(transport.CloseAbnormal, "") })
	_, err = s.PeerSettings(a.ctx)
	return s, link, err
}

// deafLink is a link that is no longer read once it is deaf.
type deafLink struct {
	transport.Link
	ctx  context.Context
	deaf atomic.Bool
}

func (l *deafLink) NextReader() (io.Reader, error) {
	if l.deaf.Load() {
		<-l.ctx.Done()
	}
	return l.Link.NextReader()
}

// each opens as many calls of a method as the server allows, with headers of a
// size, and calls send with each.
func (a *attacker) each(m *rpc.Method, header []byte, send func(*transport.Stream) error) error {
	s, _, err := a.dial()
	if err != nil {
		return err
	}
	for range a.set.transport.MaxStreams {
		st, err := s.Open(a.ctx, append(frame.AppendBytesField(nil, 1, m.Path()), header...))
		if err != nil {
			return err
		}
		a.work.Go(func() { _ = send(st) }) // fails when the attack is over
	}
	return nil
}

// connect only connects.
func (a *attacker) connect() error {
	_, _, err := a.dial()
	return err
}

// beginLinkMessage starts a link message with a large frame and does not finish
// it.
func (a *attacker) beginLinkMessage() error {
	var wire net.Conn
	d := ws.Dialer{NetDial: func(ctx context.Context, network, addr string) (_ net.Conn, err error) {
		wire, err = new(net.Dialer).DialContext(ctx, network, addr)
		return wire, err
	}}
	link, err := d.Dial(a.ctx, "ws://"+a.addr+rig.Path)
	if err != nil {
		return err
	}
	context.AfterFunc(a.ctx, func() { _ = link.Close(transport.CloseAbnormal, "") })
	if err := link.WriteMessage([][]byte{new(frame.Hello).Append(nil)}); err != nil {
		return err
	}
	// RFC 6455, section 5.2: a binary message of 64 KiB, masked with zeros.
	begun := []byte{0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	begun = frame.Append(begun, frame.Header{Type: frame.TypeData, Stream: 1}, make([]byte, 60<<10))
	_, err = wire.Write(begun[:len(begun)-1]) // the frame is incomplete too
	return err
}

// fillWindows sends messages that are not read.
func (a *attacker) fillWindows() error {
	msg := make([]byte, 8<<10)
	return a.each(hold, nil, func(st *transport.Stream) error { return a.pour(st, msg) })
}

// growWindows sends fast to handlers that read fast, and goes on after they
// have stopped reading.
func (a *attacker) growWindows() error {
	msg := bytesValue(32 << 10)
	return a.each(sated, nil, func(st *transport.Stream) error { return a.pour(st, msg) })
}

func (a *attacker) pour(st *transport.Stream, msg []byte) error {
	for {
		if err := st.Send(a.ctx, msg, transport.SendOptions{}); err != nil {
			return err
		}
	}
}

// sendHeaders opens calls with headers that are full of metadata.
func (a *attacker) sendHeaders() error {
	var metadata []byte
	for i := range 200 {
		metadata = frame.AppendBytesField(metadata, 9, fmt.Sprintf("\x04k%03d%s", i, strings.Repeat("v", 60)))
	}
	return a.each(hold, metadata, func(*transport.Stream) error { return nil })
}

// sendMessages sends messages of the largest size on all calls at once, to
// handlers that wait for them. At each moment, parts of many messages have
// arrived.
func (a *attacker) sendMessages() error {
	msg := bytesValue(a.set.transport.MaxMessage - 16)
	return a.each(drop, nil, func(st *transport.Stream) error { return a.pour(st, msg) })
}

// sendCompressed sends small messages that inflate to the largest size.
func (a *attacker) sendCompressed() error {
	packed := compressed(a.set.transport.MaxMessage - 16)
	header := frame.AppendBytesField(nil, 5, rpc.CompressionGzip)
	return a.each(drop, header, func(st *transport.Stream) error {
		for {
			if err := st.Send(a.ctx, packed, transport.SendOptions{Mark: true}); err != nil {
				return err
			}
		}
	})
}

// leaveAnswers requests responses and does not read them.
func (a *attacker) leaveAnswers() error {
	s, link, err := a.dial()
	if err != nil {
		return err
	}
	for range a.set.transport.MaxStreams {
		if _, err := s.Open(a.ctx, frame.AppendBytesField(nil, 1, pour.Path())); err != nil {
			return err
		}
		link.deaf.Store(true) // the first call has opened all streams already
	}
	return nil
}

// cutLinks fills windows, requests responses, and cuts the link, so that the
// session is detached. It does so three times, because the server keeps one
// such session for each connection.
func (a *attacker) cutLinks() error {
	msg := make([]byte, 8<<10)
	for range 3 {
		s, link, err := a.dialAgain()
		if err != nil {
			return err
		}
		for range a.set.transport.MaxStreams {
			st, err := s.Open(a.ctx, frame.AppendBytesField(nil, 1, pour.Path()))
			if err != nil {
				return err
			}
			for sent := 0; sent+len(msg)+64 < a.set.transport.InitialWindow; sent += len(msg) {
				if err := st.Send(a.ctx, msg, transport.SendOptions{}); err != nil {
					return err
				}
			}
		}
		if _, err := s.Ping(a.ctx); err != nil { // everything has arrived
			return err
		}
		if err := link.Close(transport.CloseAbnormal, ""); err != nil {
			return err
		}
	}
	return nil
}

// dialAgain dials until the server has noticed that a link was cut.
func (a *attacker) dialAgain() (s *transport.Session, link *deafLink, err error) {
	pause := time.NewTicker(20 * time.Millisecond)
	defer pause.Stop()
	for range 500 {
		if s, link, err = a.dial(); err == nil {
			return s, link, nil
		}
		select {
		case <-pause.C:
		case <-a.ctx.Done():
		}
	}
	return nil, nil, err
}

func bytesValue(n int) []byte {
	b, _ := proto.Marshal(wrapperspb.Bytes(make([]byte, n))) // never fails
	return b
}

func compressed(n int) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(bytesValue(n)) // a bytes.Buffer returns no error
	_ = w.Close()                 // as before
	return b.Bytes()
}
