package transport

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/parley-rpc/parley/internal/frame"
)

// PeekedHello is what PeekHello has read.
type PeekedHello struct {
	Session  []byte // the id of the session that the link asks to resume; nil: it starts one
	Replaces []byte // the id of the session that the new one replaces; nil: none
}

// PeekHello waits for the HELLO of a link's dialer, and returns what it asks
// for. An acceptor that is one of several can then decide which of them gets
// the link. The link that PeekHello returns takes the place of the other one,
// and begins with that HELLO.
//
// If something else arrives, or an error, the result is empty, and a session on
// that link ends with the error that it would have ended with anyway. If ctx
// ends first, the link is closed.
//
// A HELLO proves nothing: only NewSession checks the token.
func PeekHello(ctx context.Context, link Link) (PeekedHello, Link) {
	stop := context.AfterFunc(ctx, func() { _ = link.Close(CloseProtocolError, "no HELLO in time") })
	defer stop()
	peeked := &peekedLink{Link: link}
	rest, err := link.NextReader()
	if err != nil {
		peeked.first, peeked.err = nil, err
		return PeekedHello{}, peeked
	}
	begin, hello := readHello(rest)
	peeked.first = io.MultiReader(bytes.NewReader(begin), rest)
	return PeekedHello{Session: bytes.Clone(hello.Session), Replaces: bytes.Clone(hello.Replaces)}, peeked
}

// readHello reads the first frame of a message, and no more than the longest
// HELLO. It returns what it has read. After an error of r, r is expected to
// return it again.
func readHello(r io.Reader) (begin []byte, hello frame.Hello) {
	buf := make([]byte, 0, 256)
	for {
		h, n, err := frame.ParseHeader(buf)
		end := n + int(h.Length)
		switch {
		case errors.Is(err, frame.ErrIncomplete):
			end = cap(buf)
		case err != nil, h.Type != frame.TypeHello, h.Length > frame.MaxHelloLen:
			return buf, frame.Hello{}
		case len(buf) >= end:
			hello, _ = frame.ParseHello(buf[n:end]) // the session reports the error
			return buf, hello
		}
		if end > cap(buf) {
			buf = append(make([]byte, 0, end), buf...)
		}
		n, err = r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err != nil && n == 0 {
			return buf, frame.Hello{}
		}
	}
}

// peekedLink is a link of which the beginning of the first message was read.
type peekedLink struct {
	Link
	first io.Reader // the first message; nil: it was returned, or there is an error
	err   error     // of the first message
}

// Unwrap returns the link below. Who awaits a message there has read the first
// one before.
func (l *peekedLink) Unwrap() Link { return l.Link }

func (l *peekedLink) NextReader() (io.Reader, error) {
	if l.err != nil {
		return nil, l.err
	}
	if first := l.first; first != nil {
		l.first = nil
		return first, nil
	}
	return l.Link.NextReader()
}
