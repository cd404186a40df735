package transport_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// scriptedLink is a link on which messages arrive, and then an error.
type scriptedLink struct {
	messages []io.Reader
	err      error
}

func (l *scriptedLink) NextReader() (io.Reader, error) {
	if len(l.messages) == 0 {
		return nil, l.err
	}
	m := l.messages[0]
	l.messages = l.messages[1:]
	return m, nil
}

func (*scriptedLink) WriteMessage([][]byte) error { return nil }

func (*scriptedLink) Close(transport.CloseCode, string) error { return nil }

// helloOf returns a HELLO that names a session, or one that it replaces.
func helloOf(session, replaces []byte) []byte {
	h := frame.HelloDefaults
	if session != nil {
		h.Session, h.Token, h.Attempt = session, make([]byte, frame.TokenLen), 1
	}
	if replaces != nil {
		h.Replaces, h.ReplacesToken = replaces, make([]byte, frame.TokenLen)
	}
	return h.Append(nil)
}

func TestPeekHelloTellsWhichSessionALinkIsFor(t *testing.T) {
	id := bytes.Repeat([]byte("id"), 12)
	for name, c := range map[string]struct{ session, replaces []byte }{
		"new":      {},
		"resumes":  {session: id},
		"replaces": {replaces: id},
	} {
		hello := helloOf(c.session, c.replaces)
		all := slices.Concat(hello, frame.AppendAck(nil, 0))
		for how, r := range map[string]io.Reader{
			"at once":    bytes.NewReader(all),
			"by bytes":   iotest.OneByteReader(bytes.NewReader(all)),
			"with error": iotest.DataErrReader(bytes.NewReader(all)),
		} {
			second := bytes.NewReader([]byte("second"))
			got, link := transport.PeekHello(t.Context(), &scriptedLink{messages: []io.Reader{r, second}, err: io.ErrUnexpectedEOF})
			if !bytes.Equal(got.Session, c.session) || !bytes.Equal(got.Replaces, c.replaces) {
				t.Errorf("%s, %s: %x, %x", name, how, got.Session, got.Replaces)
			}
			for _, want := range [][]byte{all, []byte("second")} {
				m, err := link.NextReader()
				if err != nil {
					t.Fatal(err)
				}
				if b, err := io.ReadAll(m); err != nil || !bytes.Equal(b, want) {
					t.Errorf("%s, %s: then %x, %v, want %x", name, how, b, err, want)
				}
			}
			if _, err := link.NextReader(); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s, %s: the error is %v", name, how, err)
			}
		}
	}
}

// Whatever arrives instead of a HELLO, PeekHello finds nothing, and the session
// ends as it would without it.
func TestPeekHelloLeavesErrorsToTheSession(t *testing.T) {
	broken := errors.New("broken")
	long := frame.Append(nil, frame.Header{Type: frame.TypeHello, Length: frame.MaxHelloLen + 1}, make([]byte, frame.MaxHelloLen+1))
	for name, make := range map[string]func() *scriptedLink{
		"link lost":     func() *scriptedLink { return &scriptedLink{err: broken} },
		"empty message": func() *scriptedLink { return arrives() },
		"unknown frame": func() *scriptedLink { return arrives(0x7f, 0, 0) },
		"other frame":   func() *scriptedLink { return arrives(frame.AppendAck(nil, 0)...) },
		"half a HELLO":  func() *scriptedLink { return arrives(helloOf(nil, nil)[:5]...) },
		"HELLO that is wrong": func() *scriptedLink {
			return arrives(frame.Append(nil, frame.Header{Type: frame.TypeHello, Length: 1}, []byte{0xff})...)
		},
		"HELLO too long": func() *scriptedLink { return arrives(long...) },
		"lost in the message": func() *scriptedLink {
			return &scriptedLink{messages: []io.Reader{io.MultiReader(bytes.NewReader(helloOf(nil, nil)[:5]), iotest.ErrReader(broken))}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := endOf(t, make())
			hello, link := transport.PeekHello(t.Context(), make())
			if hello.Session != nil || hello.Replaces != nil {
				t.Errorf("found %+v", hello)
			}
			if got := endOf(t, link); got.Error() != want.Error() {
				t.Errorf("the session ended with %v, without PeekHello with %v", got, want)
			}
		})
	}
}

// arrives returns a link on which one message arrives.
func arrives(b ...byte) *scriptedLink {
	return &scriptedLink{messages: []io.Reader{bytes.NewReader(b)}, err: errors.New("no more")}
}

// endOf returns how a session on a link ends.
func endOf(t *testing.T, link transport.Link) error {
	t.Helper()
	s, err := transport.NewSession(link, transport.Acceptor, transport.Config{})
	if err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	return s.Err()
}

func TestPeekHelloDoesNotWaitForASilentLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dialer, acceptor := pipe.New(pipe.Config{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, link := transport.PeekHello(ctx, acceptor)
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("waited for %v", waited)
		}
		var closed *transport.CloseError
		if _, err := dialer.NextReader(); !errors.As(err, &closed) || closed.Code != transport.CloseProtocolError {
			t.Errorf("the dialer got %v", err)
		}
		if _, err := link.NextReader(); err == nil {
			t.Error("the link goes on")
		}
	})
}

func FuzzPeekHello(f *testing.F) {
	f.Add(helloOf(nil, nil), true)
	f.Add(helloOf(bytes.Repeat([]byte("s"), 16), nil), false)
	f.Add(helloOf(nil, bytes.Repeat([]byte("s"), 64)), true)
	f.Fuzz(func(t *testing.T, msg []byte, slow bool) {
		var r io.Reader = bytes.NewReader(msg)
		if slow {
			r = iotest.OneByteReader(r)
		}
		_, link := transport.PeekHello(t.Context(), &scriptedLink{messages: []io.Reader{r}})
		first, err := link.NextReader()
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(first); err != nil || !bytes.Equal(b, msg) {
			t.Errorf("%x became %x, %v", msg, b, err)
		}
	})
}
