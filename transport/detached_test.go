package transport_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

// loseAs makes a session of a principal and loses its link.
func (h *acceptorHost) loseAs(principal string) *dialer {
	h.t.Helper()
	d, _ := h.dialAs(principal)
	d.link.Cut()
	advance(time.Second)
	return d
}

func TestOneOwnersSessionsDoNotEvictThoseOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		h.sessions.MaxDetached = 3
		alice := h.loseAs("alice") // has been detached longest
		var flood []*dialer
		for range 10 {
			flood = append(flood, h.loseAs("mallory"))
		}
		if err := alice.session.Err(); err != nil {
			t.Fatalf("alice's session: %v", err)
		}
		for i, d := range flood {
			if ended, want := d.session.Err() != nil, i < 8; ended != want {
				t.Errorf("session %d of the flood has ended: %t, want %t", i, ended, want)
			}
		}
		_, p := h.link("alice", alice.resumeHello(alice.token, 0, 1))
		alice.wantsResumed(p)
	})
}

func TestOwnerWithMostBytesIsEvictedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		h.sessions.MaxDetachedBytes = 10_000
		small, few := h.dialAs("alice")
		large, much := h.dialAs("mallory")
		small.link.Cut()
		advance(time.Second)
		large.link.Cut()
		advance(time.Second)
		mustSend(t, few, string(make([]byte, 3000)))
		mustSend(t, much, string(make([]byte, 6000)))
		if a, m := small.session.Err(), large.session.Err(); a != nil || m != nil {
			t.Fatalf("within the bound: %v, %v", a, m)
		}
		mustSend(t, much, string(make([]byte, 3000)))
		wantCode(t, large.session.Err(), transport.CloseAbnormal)
		if err := small.session.Err(); err != nil {
			t.Errorf("the one who holds less: %v", err)
		}
	})
}

func TestOwnerCountsAheadOfThePrincipal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		h.sessions.MaxDetached = 2
		h.cfg.Owner = "192.0.2.1"
		first, second := h.loseAs("a"), h.loseAs("b")
		h.cfg.Owner = "192.0.2.2"
		other := h.loseAs("c")
		wantCode(t, first.session.Err(), transport.CloseAbnormal)
		for _, d := range []*dialer{second, other} {
			if err := d.session.Err(); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestUnreadDataOfSessionsWithoutALinkIsBounded: it uses memory like data that
// is kept to be sent.
func TestUnreadDataOfSessionsWithoutALinkIsBounded(t *testing.T) {
	piece := string(make([]byte, 20_000))
	for name, frames := range map[string]func(id uint64) [][]byte{
		"whole messages":      func(id uint64) [][]byte { return [][]byte{data(id, piece), data(id, piece)} },
		"unfinished messages": func(id uint64) [][]byte { return [][]byte{dataMore(id, piece), dataMore(id, piece)} },
		"ended by the peer":   func(id uint64) [][]byte { return [][]byte{data(id, piece), dataEnd(id, piece)} },
	} {
		t.Run(name, func(t *testing.T) {
			for _, receives := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					h := newAcceptorHost(t)
					h.sessions.MaxDetachedBytes = 70_000
					quiet := h.loseAs("bob")
					d, st := h.dialAs("mallory")
					if receives && name == "unfinished messages" {
						go func() { _, _ = st.Recv(t.Context(), nil) }()
						synctest.Wait()
					}
					d.send(frames(1)...)
					synctest.Wait()
					d.link.Cut()
					advance(time.Second)
					if err := d.session.Err(); err != nil {
						t.Fatalf("within the bound: %v", err)
					}
					_, p := h.link("mallory", d.resumeHello(d.token, 0, 1))
					d.wantsResumed(p)
					p.send(append([][]byte{open(3, "")}, frames(3)...)...)
					synctest.Wait()
					p.link.Cut()
					advance(time.Second)
					wantCode(t, d.session.Err(), transport.CloseAbnormal)
					if err := quiet.session.Err(); err != nil {
						t.Errorf("another's: %v", err)
					}
				})
			}
		})
	}
}

// scripted is a link that delivers a test's messages, and whose writes may
// fail.
type scripted struct {
	in     chan []byte // closed: the link is lost
	broken atomic.Bool
}

func (l *scripted) NextReader() (io.Reader, error) {
	if message, ok := <-l.in; ok {
		return bytes.NewReader(message), nil
	}
	return nil, io.ErrUnexpectedEOF
}

func (l *scripted) WriteMessage([][]byte) error {
	if l.broken.Load() {
		return io.ErrClosedPipe
	}
	return nil
}

func (l *scripted) Close(transport.CloseCode, string) error { return nil }

func TestWhatArrivesAfterAWriteHasFailedCountsAsUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link := &scripted{in: make(chan []byte)}
		s, err := transport.NewSession(link, transport.Acceptor, transport.Config{Sessions: &transport.Sessions{MaxDetachedBytes: 10_000}})
		if err != nil {
			t.Fatal(err)
		}
		hello := frame.Hello{ResumeWindow: 30_000}
		link.in <- hello.Append(nil)
		link.in <- open(1, "")
		st := mustAccept(t, s)
		link.broken.Store(true)
		mustSend(t, st, "an answer")
		synctest.Wait()
		if !s.Detached() {
			t.Fatal("the link is not lost")
		}
		for range 3 {
			link.in <- data(1, string(make([]byte, 4000)))
		}
		close(link.in)
		synctest.Wait()
		wantCode(t, s.Err(), transport.CloseAbnormal)
	})
}

func TestWhatWasReceivedDoesNotCountAsUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		h.sessions.MaxDetachedBytes = 10_000
		d, st := h.dial()
		for range 10 {
			d.send(data(1, string(make([]byte, 4000))))
			if _, err := st.Recv(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		d.link.Cut()
		advance(time.Second)
		if err := d.session.Err(); err != nil {
			t.Error(err)
		}
	})
}

func TestEvictDoesNotEndASessionThatHasALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		d, st := h.dial()
		if d.session.Evict("a test wants it") {
			t.Error("it was evicted")
		}
		d.wantsStream(d.peer, st)
		d.link.Cut()
		synctest.Wait()
		if !d.session.Evict("a test wants it") || d.session.Evict("again") {
			t.Error("without a link it is evicted once")
		}
		wantCode(t, recvErr(t, st), transport.CloseAbnormal)
	})
}

func TestShrinkEvictsAsTheBoundDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		alice := h.loseAs("alice")
		one, two := h.loseAs("mallory"), h.loseAs("mallory")
		h.sessions.Shrink(3)
		if n := h.sessions.Detached(); n != 3 {
			t.Fatalf("%d are left of 3 that may stay", n)
		}
		h.sessions.Shrink(2)
		wantCode(t, one.session.Err(), transport.CloseAbnormal)
		h.sessions.Shrink(1)
		wantCode(t, alice.session.Err(), transport.CloseAbnormal) // as much as mallory, and longer
		if err := two.session.Err(); err != nil {
			t.Error(err)
		}
	})
}

// TestEvictionFollowsItsModel: sessions start, lose their links, are resumed
// and end. The owner with the most detached sessions always loses the one that
// was detached longest.
func TestEvictionFollowsItsModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 5
		h := newAcceptorHost(t)
		h.sessions.MaxDetached = most
		type session struct {
			*dialer
			owner   string
			attempt uint64
		}
		var detached []*session // the longest detached first
		rnd := rand.New(rand.NewPCG(1, 2))
		for range 400 {
			switch rnd.IntN(4) {
			default:
				owner := fmt.Sprint(rnd.IntN(4))
				d, _ := h.dialAs(owner)
				detached = append(detached, &session{dialer: d, owner: owner})
				d.link.Cut()
			case 0:
				if len(detached) == 0 {
					continue
				}
				i := rnd.IntN(len(detached))
				s := detached[i]
				s.attempt++
				_, p := h.link(s.owner, s.resumeHello(s.token, 0, s.attempt))
				s.token, s.peer = s.wantsResumed(p), p
				detached = append(slices.Delete(detached, i, i+1), s)
				p.link.Cut()
			case 1:
				if len(detached) == 0 {
					continue
				}
				i := rnd.IntN(len(detached))
				_ = detached[i].session.Close(transport.CloseNormal, "")
				detached = slices.Delete(detached, i, i+1)
			}
			synctest.Wait()
			if len(detached) > most {
				count := make(map[string]int)
				for _, s := range detached {
					count[s.owner]++
				}
				victim := slices.IndexFunc(detached, func(s *session) bool {
					return !slices.ContainsFunc(detached, func(o *session) bool { return count[o.owner] > count[s.owner] })
				})
				if detached[victim].session.Err() == nil {
					t.Fatalf("the session of %s stays, of %v", detached[victim].owner, count)
				}
				detached = slices.Delete(detached, victim, victim+1)
			}
			if n := h.sessions.Detached(); n != len(detached) {
				t.Fatalf("%d without a link, want %d", n, len(detached))
			}
			for _, s := range detached {
				if err := s.session.Err(); err != nil {
					t.Fatalf("a session of %s has ended: %v", s.owner, err)
				}
			}
		}
	})
}

// pausing delays the comparison of principals for one link: its token was
// checked, and its turn has not come.
func (h *acceptorHost) pausing(name string) (waits <-chan struct{}, goOn chan<- struct{}) {
	reached, resume := make(chan struct{}), make(chan struct{})
	h.cfg.SamePrincipal = func(began, resuming string) bool {
		if resuming == name {
			close(reached)
			<-resume
			return true
		}
		return began == resuming
	}
	return reached, resume
}

// rotate resumes the session until its first token is void.
func (h *acceptorHost) rotate(d *dialer) *peer {
	_, p := h.link("alice", d.resumeHello(d.token, 0, 1))
	d.wantsResumed(p)
	p.send(frame.AppendAck(nil, 0)) // the dialer has the next token
	synctest.Wait()
	return p
}

func TestATokenThatWasVoidedWhileItsLinkWaitedResumesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		waits, goOn := h.pausing("late")
		d, st := h.dial()
		_, late := h.link("late", d.resumeHello(d.token, 0, 9))
		<-waits
		p := h.rotate(d)
		close(goOn)
		d.wantsNewSession(late)
		d.wantsStream(p, st)
	})
}

func TestATokenThatWasVoidedMeanwhileReplacesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		waits, goOn := h.pausing("late")
		d, st := h.dial()
		ended := make(chan bool, 1)
		go func() {
			ended <- h.sessions.EndPredecessor(transport.Predecessor{Session: d.id, Token: d.token}, "late")
		}()
		<-waits
		p := h.rotate(d)
		close(goOn)
		if <-ended {
			t.Error("a void token has ended the session")
		}
		d.wantsStream(p, st)
	})
}
