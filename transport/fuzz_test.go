package transport_test

import (
	"context"
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

// The first byte of a script describes the session.
const (
	scriptAcceptor = 1 << iota // otherwise it is the dialer
	scriptGreeted              // the peer has sent its HELLO
	scriptReads                // the application receives messages and responds
	scriptOpened               // the application has opened two streams
)

// script makes a script: the first byte, then the link messages, each after its
// length in two bytes.
func script(is byte, messages ...[]byte) []byte {
	s := []byte{is}
	for _, msg := range messages {
		s = binary.LittleEndian.AppendUint16(s, uint16(len(msg)))
		s = append(s, msg...)
	}
	return s
}

func cutScript(s []byte) (is byte, messages [][]byte) {
	if len(s) == 0 {
		return 0, nil
	}
	is, s = s[0], s[1:]
	for len(s) >= 2 {
		n := min(int(binary.LittleEndian.Uint16(s)), len(s)-2)
		messages = append(messages, s[2:2+n])
		s = s[2+n:]
	}
	return is, messages
}

// FuzzSession sends arbitrary messages to a session, and then nothing. The
// session ends within a bounded time, all waiting calls return, and what it
// sends is well formed.
func FuzzSession(f *testing.F) {
	const all = scriptAcceptor | scriptGreeted | scriptReads | scriptOpened
	f.Add(script(0))
	f.Add(script(scriptAcceptor, hello(), open(1, "h"), data(1, "x")))
	f.Add(script(scriptOpened, hello(), header(1, "h"), data(1, "x"), end(1, "t"), window(3, 1<<20), reset(3, 300)))
	f.Add(script(all, open(1, "h"), dataMore(1, "x"), dataEnd(1, "y"), openEnd(3), ping("12345678"), pong("12345678")))
	f.Add(script(all, goAway(2), goAway(0), open(5, ""), frame.AppendAck(nil, 7), raw(15, 0xf0, 99, "later"), data(2, "x"), end(2, "")))
	f.Add(script(all, open(1, ""), data(1, string(make([]byte, 16<<10))), data(1, string(make([]byte, 32<<10))), window(1, frame.MaxVarint), reset(1, 1)))
	f.Fuzz(func(t *testing.T, s []byte) {
		synctest.Test(t, func(t *testing.T) { runScript(t, s) })
	})
}

func runScript(t *testing.T, text []byte) {
	is, messages := cutScript(text)
	side := transport.Dialer
	if is&scriptAcceptor != 0 {
		side = transport.Acceptor
	}
	s, p := startSession(t, side, smallest)
	if is&scriptGreeted != 0 {
		p.send(hello())
	}
	if is&scriptOpened != 0 {
		for range 2 {
			go func() {
				if st, err := s.Open(t.Context(), nil); err == nil {
					echo(t.Context(), st, []byte("first"))
				}
			}()
		}
	}
	if is&scriptReads != 0 {
		go func() {
			for {
				st, err := s.Accept(t.Context())
				if err != nil {
					return
				}
				go echo(t.Context(), st, nil)
			}
		}()
	}
	synctest.Wait()
	for _, msg := range messages {
		if p.link.WriteMessage([][]byte{msg}) != nil {
			break
		}
		synctest.Wait()
	}
	advance(30 * time.Second) // HELLO takes 10, a silent peer 15 and 10
	if s.Err() == nil {
		t.Error("the peer is silent, and the session goes on")
	}
	if !isClosed(s.Done()) {
		t.Error("the session has ended, and the link was not closed")
	}
}

// echo sends a message and then each received one, with the header of the peer.
func echo(ctx context.Context, st *transport.Stream, msg []byte) {
	defer st.Close()
	if st.SendHeader(ctx, st.OpenHeader()) == nil && msg == nil {
		_, _ = st.RecvHeader(ctx)
	}
	for {
		if err := st.Send(ctx, msg, transport.SendOptions{Mark: len(msg)%2 == 1}); err != nil {
			return
		}
		m, err := st.Recv(ctx, msg[:0])
		if err != nil {
			_ = st.CloseSend(ctx, []byte("over"))
			return
		}
		msg = m.Bytes
	}
}
