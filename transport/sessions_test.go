package transport_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// lose makes sessions with a stream each, and loses their links one after the
// other.
func (h *acceptorHost) lose(n int) (dialers []*dialer, streams []*transport.Stream) {
	for range n {
		d, st := h.dial()
		d.link.Cut()
		advance(time.Second)
		dialers, streams = append(dialers, d), append(streams, st)
	}
	return dialers, streams
}

func TestSessionDetachedLongestMakesRoomForOneMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		h.sessions.MaxDetached = 2
		connected, kept := h.dial() // does not count
		d, st := h.lose(2)
		if n := h.sessions.Detached(); n != 2 || d[0].session.Err() != nil {
			t.Fatalf("%d sessions are gone, %v", n, d[0].session.Err())
		}
		late, lateStreams := h.lose(1)
		wantCode(t, recvErr(t, st[0]), transport.CloseAbnormal)
		_, p := h.link("alice", d[0].resumeHello(d[0].token, 0, 1))
		d[0].wantsNewSession(p)
		p.link.Close(transport.CloseNormal, "")

		for i, left := range []*dialer{d[1], late[0]} {
			_, p := h.link("alice", left.resumeHello(left.token, 0, 1))
			left.wantsResumed(p)
			left.wantsStream(p, []*transport.Stream{st[1], lateStreams[0]}[i])
		}
		if n := h.sessions.Detached(); n != 0 {
			t.Errorf("%d sessions are gone after they came back", n)
		}
		connected.wantsStream(connected.peer, kept)
	})
}

func TestBytesThatGrowWithoutALinkAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		h.sessions.MaxDetachedBytes = 10_000
		d, st := h.lose(3)
		for _, stream := range st[1:] { // 8,000 bytes and a few
			mustSend(t, stream, string(make([]byte, 4000)))
		}
		for i := range d {
			if err := d[i].session.Err(); err != nil {
				t.Fatalf("session %d: %v", i, err)
			}
		}
		mustSend(t, st[2], string(make([]byte, 4000)))
		wantCode(t, d[0].session.Err(), transport.CloseAbnormal) // detached longest
		wantCode(t, d[1].session.Err(), transport.CloseAbnormal) // it needed two
		_, p := h.link("alice", d[2].resumeHello(d[2].token, 0, 1))
		d[2].wantsResumed(p)
		p.wants("HELLO resumed 1", "DATA 1 4000 bytes", "DATA 1 4000 bytes")
	})
}

func TestSessionsThatHaveEndedAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		d, _ := h.lose(1)
		if err := d[0].session.Close(transport.CloseNormal, ""); err != nil {
			t.Fatal(err)
		}
		if n := h.sessions.Detached(); n != 0 {
			t.Errorf("%d sessions are gone", n)
		}
		_, p := h.link("alice", d[0].resumeHello(d[0].token, 0, 1))
		d[0].wantsNewSession(p)
	})
}

// eager is a link that inspects the first message written to it.
type eager struct {
	transport.Link
	look func(message []byte)
}

func (l *eager) WriteMessage(parts [][]byte) error {
	if l.look != nil {
		l.look(bytes.Join(parts, nil))
		l.look = nil
	}
	return l.Link.WriteMessage(parts)
}

// The link may be lost, and the dialer may resume, as soon as it knows the
// session.
func TestASessionIsKnownBeforeTheDialerKnowsIt(t *testing.T) {
	for range 100 {
		var sessions transport.Sessions
		d, a := pipe.New(pipe.Config{})
		told := make(chan bool, 1)
		link := &eager{a, func(message []byte) {
			h, n, err := frame.ParseHeader(message)
			if err != nil {
				t.Error(err)
			}
			hello, err := frame.ParseHello(message[n : n+int(h.Length)])
			if err != nil {
				t.Error(err)
			}
			told <- sessions.Knows(hello.Session)
		}}
		acceptor, err := transport.NewSession(link, transport.Acceptor, transport.Config{Sessions: &sessions})
		if err != nil {
			t.Fatal(err)
		}
		dialer, err := transport.NewSession(d, transport.Dialer, transport.Config{OnDetached: func(*transport.Session, error) {}})
		if err != nil {
			t.Fatal(err)
		}
		if known := <-told; !known {
			t.Fatal("the acceptor does not know the session that it names")
		}
		_ = dialer.Close(transport.CloseNormal, "")
		_ = acceptor.Close(transport.CloseNormal, "")
	}
}

func TestAcceptorChoosesTheIDsOfItsSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		next := byte(0)
		h.sessions.NewID = func() []byte {
			next++
			return bytes.Repeat([]byte{next}, 24)
		}
		d, st := h.lose(1)
		id := bytes.Repeat([]byte{1}, 24)
		if !bytes.Equal(d[0].session.ID(), id) || !h.sessions.Has(id) {
			t.Fatalf("the id is %x", d[0].session.ID())
		}
		_, p := h.link("alice", d[0].resumeHello(d[0].token, 0, 1))
		d[0].wantsResumed(p)
		d[0].wantsStream(p, st[0])
	})
}

func TestSessionEndsByItsID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		connected, st := h.dial()
		detached, more := h.lose(1)
		for i, s := range []*transport.Session{connected.session, detached[0].session} {
			id := s.ID()
			if !h.sessions.End(id, transport.CloseNormal, "not needed") {
				t.Error("the session is not known")
			}
			wantCode(t, recvErr(t, []*transport.Stream{st, more[0]}[i]), transport.CloseNormal)
			if h.sessions.Has(id) || h.sessions.End(id, transport.CloseNormal, "") {
				t.Error("the session is known after its end")
			}
		}
	})
}

func TestInvalidIDEndsTheSessionThatWouldHaveIt(t *testing.T) {
	for name, ids := range map[string][][]byte{
		"too short": {make([]byte, 15)},
		"too long":  {make([]byte, 65)},
		"repeated":  {make([]byte, 16), make([]byte, 16)},
	} {
		t.Run(name, func(t *testing.T) {
			h := newAcceptorHost(t)
			h.sessions.NewID = func() []byte {
				id := ids[0]
				ids = ids[1:]
				return id
			}
			var last *transport.Session
			for range ids {
				first := frame.Hello{ResumeWindow: 30_000}
				last, _ = h.link("alice", first.Append(nil))
				_, _ = last.PeerSettings(t.Context()) // until the HELLO was handled
			}
			<-last.Done()
			wantCode(t, last.Err(), transport.CloseInternalError)
			if err := last.Err().Error(); !strings.Contains(err, "NewID") {
				t.Errorf("the error does not name NewID: %s", err)
			}
		})
	}
}
