package transport_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// replacing is the HELLO of a dialer whose new session replaces that of d.
func (d *dialer) replacing(token []byte) []byte {
	h := frame.Hello{ResumeWindow: 30_000, Replaces: d.id, ReplacesToken: token}
	return h.Append(nil)
}

func TestNewSessionEndsItsPredecessor(t *testing.T) {
	for _, attached := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var told []string
			h := newAcceptorHost(t)
			h.cfg.OnEnd = func(error) { told = append(told, "over") }
			h.cfg.OnHello = func(*transport.Session) { told = append(told, "hello") }
			d, st := h.dial()
			if !attached {
				d.link.Cut()
				synctest.Wait()
			}
			began := time.Now()
			failed := start(func() error { return recvErr(t, st) })
			stillWaits(t, failed)
			s, p := h.link("alice", d.replacing(d.token))
			wantCode(t, <-failed, transport.CloseAbnormal)
			wantCode(t, d.session.Err(), transport.CloseAbnormal)
			if took := time.Since(began); took != 0 {
				t.Errorf("it took %v", took)
			}
			if attached {
				d.wantsClose(superseded)
			}
			p.wants("HELLO")
			if want := []string{"hello", "over", "hello"}; !slices.Equal(told, want) {
				t.Errorf("told %q, want %q", told, want)
			}
			p.send(open(1, ""))
			mustSend(t, mustAccept(t, s), "serves")
			if h.sessions.Knows(d.id) || h.sessions.Detached() != 0 {
				t.Error("the ghost is kept")
			}
		})
	}
}

func TestOnlyTokenAndPrincipalOfASessionReplaceIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		var asked []string
		h.cfg.OnUnknownPredecessor = func(r transport.Predecessor, principal string) {
			if !bytes.Equal(r.Session[:1], []byte{0}) {
				asked = append(asked, principal)
			}
		}
		d, st := h.dial()
		wrong := bytes.Clone(d.token)
		wrong[31] ^= 1
		unknown := &dialer{peer: d.peer, id: make([]byte, 16)}
		for _, no := range []struct {
			principal string
			first     []byte
		}{
			{"alice", d.replacing(wrong)},
			{"mallory", d.replacing(d.token)},
			{"", d.replacing(d.token)},
			{"alice", unknown.replacing(d.token)},
		} {
			s, p := h.link(no.principal, no.first)
			got := p.peerHello()
			if got.Answer != frame.NoAnswer || len(got.Token) != frame.TokenLen || s.Err() != nil {
				t.Errorf("%s: answer %d, %v", no.principal, got.Answer, s.Err())
			}
		}
		if want := []string{"alice", "mallory", ""}; !slices.Equal(asked, want) {
			t.Errorf("others were asked for %q, want %q", asked, want)
		}
		d.wantsStream(d.peer, st)
	})
}

func TestBothTokensThatResumeASessionReplaceIt(t *testing.T) {
	for _, current := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h := newAcceptorHost(t)
			d, _ := h.dial()
			_, p := h.link("alice", d.resumeHello(d.token, 0, 1))
			token := d.wantsResumed(p) // the dialer may not have read it
			if !current {
				token = d.token
			}
			_, p = h.link("alice", d.replacing(token))
			p.wants("HELLO")
			wantCode(t, d.session.Err(), transport.CloseAbnormal)
		})
	}
}

func TestResumptionIgnoresWhatItReplaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		d, st := h.dial()
		other, _ := h.dial()
		request := frame.Hello{
			ResumeWindow: 30_000, Session: d.id, Token: d.token, Attempt: 1,
			Replaces: other.id, ReplacesToken: other.token,
		}
		_, p := h.link("alice", request.Append(nil))
		d.wantsResumed(p)
		d.wantsStream(p, st)
		if err := other.session.Err(); err != nil {
			t.Errorf("the other ended: %v", err)
		}
	})
}

// twoHosts are two acceptors that do not share their sessions, but ask each other.
func twoHosts(t *testing.T) (a, b *acceptorHost) {
	a, b = newAcceptorHost(t), newAcceptorHost(t)
	a.cfg.OnUnknownPredecessor = func(r transport.Predecessor, principal string) { b.sessions.EndPredecessor(r, principal) }
	b.cfg.OnUnknownPredecessor = func(r transport.Predecessor, principal string) { a.sessions.EndPredecessor(r, principal) }
	return a, b
}

func TestSessionThatCouldNotBeResumedElsewhereIsReplacedThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := twoHosts(t)
		d, _ := a.dial()
		d.link.Cut()
		synctest.Wait()
		_, p := b.link("alice", d.resumeHello(d.token, 0, 1))
		d.wantsNewSession(p)
		if err := d.session.Err(); err != nil {
			t.Fatalf("it ended before the dialer has read that it is unknown: %v", err)
		}
		p.send(frame.AppendAck(nil, 0))
		synctest.Wait()
		wantCode(t, d.session.Err(), transport.CloseAbnormal)
	})
}

func TestSlowAttemptElsewhereDoesNotEndAResumedSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := twoHosts(t)
		d, st := a.dial()
		d.link.Cut()
		synctest.Wait()
		_, good := a.link("alice", d.resumeHello(d.token, 0, 2))
		d.wantsResumed(good) // and its first token is still the previous one
		_, slow := b.link("alice", d.resumeHello(d.token, 0, 1))
		d.wantsNewSession(slow)
		slow.send(frame.AppendAck(nil, 0))
		synctest.Wait()
		d.wantsStream(good, st)
	})
}

func TestLinkWhosePeerDoesNotKnowTheSessionCarriesANewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, p, st := resumable(t, transport.Dialer)
		p.link.Cut()
		synctest.Wait()
		var order []string
		cfg := transport.Config{
			Parameters: transport.Parameters{MaxMessage: 77_777, Agent: "fresh"},
			OnDetached: func(*transport.Session, error) {},
			OnHello:    func(*transport.Session) { order = append(order, "hello") },
			OnStream: func(st *transport.Stream, _ []byte) *transport.ResetError {
				order = append(order, "stream")
				return nil
			},
		}
		st.OnAbort(func(error) { order = append(order, "old ended") })
		own, other := pipe.New(pipe.Config{})
		acceptor := &peer{t: t, link: other}
		go acceptor.read()
		hello := frame.Hello{
			ResumeWindow: 30_000, MaxStreams: 500, Answer: frame.SessionUnknown,
			Session: bytes.Repeat([]byte{7}, 16), Token: bytes.Repeat([]byte{8}, 32),
		}
		acceptor.send(hello.Append(nil), open(2, "early")) // it may send more at once
		var fresh *transport.Session
		got, err := old.Resume(t.Context(), own, func(start func(transport.Config) (*transport.Session, error)) {
			var err error
			if fresh, err = start(cfg); err != nil {
				t.Error(err)
			}
			if old.Err() != nil {
				t.Error("the old session has ended already")
			}
			order = append(order, "next")
		})
		if !errors.Is(err, transport.ErrSessionUnknown) || got == nil || got != fresh {
			t.Fatalf("got %v, %v", got, err)
		}
		t.Cleanup(func() { fresh.Close(transport.CloseNormal, "") })
		synctest.Wait()
		wantCode(t, old.Err(), transport.CloseAbnormal)
		if want := []string{"next", "hello", "old ended", "stream"}; !slices.Equal(order, want) {
			t.Errorf("in the order %q, want %q", order, want)
		}
		acceptor.wants("HELLO", "ACK 0")
		peerSays, err := fresh.PeerSettings(t.Context())
		if err != nil || peerSays.MaxStreams != 500 {
			t.Errorf("settings %+v, %v", peerSays, err)
		}
		named := fresh.AsPredecessor()
		if named == nil || !bytes.Equal(named.Session, hello.Session) || !bytes.Equal(named.Token, hello.Token) {
			t.Errorf("the new session is %+v", named)
		}
		mustSend(t, mustOpen(t, fresh), "first")
		acceptor.wants(`OPEN 1 ""`, `DATA 1 "first"`)
		acceptor.send(data(2, string(make([]byte, 10<<10)))) // within the announced window
		acceptor.wantsLife()

		acceptor.link.Cut() // it is resumed like any other
		synctest.Wait()
		if fresh.Err() != nil || !fresh.Detached() {
			t.Errorf("ended with %v", fresh.Err())
		}
	})
}

func TestLinkOfAnUnknownSessionIsClosedIfNothingStarts(t *testing.T) {
	for name, next := range map[string]func(func(transport.Config) (*transport.Session, error)){
		"nothing asked":  nil,
		"nothing wanted": func(func(transport.Config) (*transport.Session, error)) {},
		"misconfigured": func(start func(transport.Config) (*transport.Session, error)) {
			_, _ = start(transport.Config{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old, p, _ := resumable(t, transport.Dialer)
				p.link.Cut()
				synctest.Wait()
				own, other := pipe.New(pipe.Config{})
				acceptor := &peer{t: t, link: other}
				go acceptor.read()
				hello := frame.Hello{Answer: frame.SessionUnknown}
				acceptor.send(hello.Append(nil))
				fresh, err := old.Resume(t.Context(), own, next)
				if !errors.Is(err, transport.ErrSessionUnknown) || fresh != nil {
					t.Errorf("got %v, %v", fresh, err)
				}
				wantCode(t, old.Err(), transport.CloseAbnormal)
				acceptor.wantsClose(transport.CloseNormal)
			})
		})
	}
}

func TestNewSessionWithoutResumptionStartsOnTheLinkToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, p, _ := resumable(t, transport.Dialer)
		p.link.Cut()
		synctest.Wait()
		own, other := pipe.New(pipe.Config{})
		acceptor := &peer{t: t, link: other}
		go acceptor.read()
		hello := frame.Hello{Answer: frame.SessionUnknown} // of a server that resumes no session
		acceptor.send(hello.Append(nil))
		fresh, err := old.Resume(t.Context(), own, func(start func(transport.Config) (*transport.Session, error)) {
			_, _ = start(transport.Config{OnDetached: func(*transport.Session, error) {}})
		})
		if !errors.Is(err, transport.ErrSessionUnknown) || fresh == nil {
			t.Fatalf("got %v, %v", fresh, err)
		}
		mustOpen(t, fresh)
		acceptor.wants("HELLO", "ACK 0", `OPEN 1 ""`)
		if fresh.AsPredecessor() != nil {
			t.Error("it has a name, and cannot be resumed")
		}
		acceptor.link.Cut()
		synctest.Wait()
		wantCode(t, fresh.Err(), transport.CloseAbnormal)
	})
}

func TestDialerNamesTheSessionThatItReplacesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		d, _ := h.dial()
		named := &transport.Predecessor{Session: d.id, Token: d.token}
		cfg := transport.Config{Predecessor: named, OnDetached: func(*transport.Session, error) {}}
		s, p := startSession(t, transport.Dialer, cfg)
		if got := p.peerHello(); !bytes.Equal(got.Replaces, d.id) || !bytes.Equal(got.ReplacesToken, d.token) {
			t.Errorf("HELLO %+v", got)
		}
		hello := frame.Hello{ResumeWindow: 30_000, Session: make([]byte, 16), Token: make([]byte, 32)}
		p.send(hello.Append(nil))
		synctest.Wait()
		p.link.Cut()
		synctest.Wait()
		own, other := pipe.New(pipe.Config{})
		acceptor := &peer{t: t, link: other}
		go acceptor.read()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.Resume(ctx, own, nil)
		if got := acceptor.peerHello(); err == nil || got.Session == nil || got.Replaces != nil {
			t.Errorf("%v; HELLO %+v", err, got)
		}
	})
}
