package transport_test

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

// superseded is the close code of a link that a newer one has replaced.
const superseded = transport.CloseRefusal + 10

// acceptorHost is an acceptor whose sessions can be resumed, for dialers whose
// frames the test writes.
type acceptorHost struct {
	t        *testing.T
	sessions *transport.Sessions
	cfg      transport.Config
}

func newAcceptorHost(t *testing.T) *acceptorHost {
	h := &acceptorHost{t: t, sessions: &transport.Sessions{}}
	h.cfg = transport.Config{Sessions: h.sessions, Principal: "alice"}
	return h
}

// dialer is what a dialer knows of its session.
type dialer struct {
	*peer
	session *transport.Session // at the acceptor
	id      []byte
	token   []byte // T1
}

// resumeHello returns the HELLO of a dialer that asks to resume.
func (d *dialer) resumeHello(token []byte, received, attempt uint64) []byte {
	h := frame.Hello{ResumeWindow: 30_000, Session: d.id, Token: token, Received: received, Attempt: attempt}
	return h.Append(nil)
}

// link makes a link for a principal, on which the dialer sends first.
func (h *acceptorHost) link(principal string, first []byte) (*transport.Session, *peer) {
	h.t.Helper()
	cfg := h.cfg
	cfg.Principal = principal
	s, p := startSession(h.t, transport.Acceptor, cfg)
	p.send(first)
	return s, p
}

// dial starts a session that has one stream, in use at the acceptor.
func (h *acceptorHost) dial() (*dialer, *transport.Stream) {
	h.t.Helper()
	return h.dialAs("alice")
}

// dialAs is like dial, for another principal.
func (h *acceptorHost) dialAs(principal string) (*dialer, *transport.Stream) {
	h.t.Helper()
	first := frame.Hello{ResumeWindow: 30_000}
	s, p := h.link(principal, first.Append(nil))
	p.send(open(1, ""))
	st := mustAccept(h.t, s)
	got := p.peerHello()
	p.got()
	return &dialer{peer: p, session: s, id: got.Session, token: got.Token}, st
}

// wantsResumed checks that the acceptor resumes the session on p, and returns the
// next token.
func (d *dialer) wantsResumed(p *peer) []byte {
	d.t.Helper()
	got := p.peerHello()
	if got.Answer != frame.SessionResumed || !bytes.Equal(got.Session, d.id) {
		d.t.Fatalf("answer %d for session %x, want that %x is resumed", got.Answer, got.Session, d.id)
	}
	return got.Token
}

// wantsNewSession checks that the acceptor answers only that the session is
// unknown.
func (d *dialer) wantsNewSession(p *peer) {
	d.t.Helper()
	got := p.peerHello()
	if got.Answer != frame.SessionUnknown || bytes.Equal(got.Session, d.id) || len(got.Token) != frame.TokenLen {
		d.t.Fatalf("answer %d, session %x; want an unknown session and a new one", got.Answer, got.Session)
	}
}

// wantsStream checks that the stream of the session works on p.
func (d *dialer) wantsStream(p *peer, st *transport.Stream) {
	d.t.Helper()
	p.got()
	mustSend(d.t, st, "on")
	p.wants(`DATA 1 "on"`)
}

func TestUnknownSessionIsAnsweredAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // A7
		h := newAcceptorHost(t)
		d := &dialer{peer: &peer{t: t}, id: make([]byte, 16)}
		start := time.Now()
		s, p := h.link("alice", d.resumeHello(make([]byte, 32), 0, 1))
		d.wantsNewSession(p)
		if waited := time.Since(start); waited != 0 {
			t.Errorf("it took %v", waited)
		}
		p.got()
		p.send(open(1, ""))
		mustSend(t, mustAccept(t, s), "the link serves")
		p.wants(`DATA 1 "the link serves"`)
	})
}

func TestStolenTokenOfAnotherPrincipalGetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // A7
		h := newAcceptorHost(t)
		d, st := h.dial()
		for attempt, thief := range []string{"mallory", ""} {
			_, p := h.link(thief, d.resumeHello(d.token, 0, uint64(attempt)+1))
			d.wantsNewSession(p)
		}
		d.wantsStream(d.peer, st) // the session is not affected
		d.link.Cut()
		_, p := h.link("alice", d.resumeHello(d.token, 1, 1))
		d.wantsResumed(p)
		d.wantsStream(p, st)
	})
}

func TestWrongTokenGetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // A7
		h := newAcceptorHost(t)
		d, st := h.dial()
		for i := range d.token {
			guess := bytes.Clone(d.token)
			guess[i] ^= 1
			_, p := h.link("alice", d.resumeHello(guess, 0, uint64(i)+1))
			d.wantsNewSession(p)
		}
		d.wantsStream(d.peer, st)
	})
}

func TestNewestLinkFencesTheOlder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // A9
		h := newAcceptorHost(t)
		d, st := h.dial()
		_, p := h.link("alice", d.resumeHello(d.token, 0, 1))
		d.wantsResumed(p)
		d.wantsClose(superseded)
		d.wantsStream(p, st)
		if err := d.session.Err(); err != nil {
			t.Error(err)
		}
	})
}

func TestStaleAttemptIsRefusedAndDisturbsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // A11
		h := newAcceptorHost(t)
		d, st := h.dial()
		_, newer := h.link("alice", d.resumeHello(d.token, 0, 2))
		d.wantsResumed(newer)
		for _, attempt := range []uint64{1, 2} { // a late one, and a repeated one
			_, stale := h.link("alice", d.resumeHello(d.token, 0, attempt))
			stale.wantsClose(superseded)
		}
		d.wantsStream(newer, st)
	})
}

// The rows of the table in PROTOCOL.md, section "Tokens".

func TestLostHelloOfTheDialerLeavesItsTokenGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		d, st := h.dial()
		d.link.Cut()
		_, p := startSession(t, transport.Acceptor, h.cfg) // attempt 1 is on a link that breaks
		p.link.Cut()
		_, p = h.link("alice", d.resumeHello(d.token, 0, 2))
		d.wantsResumed(p)
		d.wantsStream(p, st)
	})
}

func TestSlowHelloIsRefusedByItsAttemptOrItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		d, st := h.dial()
		_, p := h.link("alice", d.resumeHello(d.token, 0, 2))
		d.wantsResumed(p)
		_, slow := h.link("alice", d.resumeHello(d.token, 0, 1)) // T1 is the previous token
		slow.wantsClose(superseded)
		p.send(ping("proof..."))
		synctest.Wait()
		_, slow = h.link("alice", d.resumeHello(d.token, 0, 1)) // T1 is void
		d.wantsNewSession(slow)
		d.wantsStream(p, st)
	})
}

func TestLostHelloOfTheAcceptorLeavesThePreviousTokenGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		d, st := h.dial()
		_, p := h.link("alice", d.resumeHello(d.token, 0, 1))
		second := d.wantsResumed(p) // the dialer never sees it
		p.link.Cut()
		_, p = h.link("alice", d.resumeHello(d.token, 0, 2))
		third := d.wantsResumed(p)
		if bytes.Equal(second, third) || bytes.Equal(third, d.token) {
			t.Error("a token was issued twice")
		}
		_, thief := h.link("alice", d.resumeHello(second, 0, 3))
		d.wantsNewSession(thief) // T2 is void
		d.wantsStream(p, st)
	})
}

func TestLostProofOfTheDialerLeavesTheCurrentTokenGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		d, st := h.dial()
		_, p := h.link("alice", d.resumeHello(d.token, 0, 1))
		second := d.wantsResumed(p)
		p.link.Cut() // before the dialer's ACK
		_, p = h.link("alice", d.resumeHello(second, 0, 2))
		d.wantsResumed(p)
		_, thief := h.link("alice", d.resumeHello(d.token, 0, 3))
		d.wantsNewSession(thief) // T1 is void, T2 the previous token
		d.wantsStream(p, st)
	})
}

func TestProofOfTheNextTokenVoidsTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		d, st := h.dial()
		_, p := h.link("alice", d.resumeHello(d.token, 0, 1))
		second := d.wantsResumed(p)
		p.send(frame.AppendAck(nil, 0))
		synctest.Wait()
		_, thief := h.link("alice", d.resumeHello(d.token, 0, 2))
		d.wantsNewSession(thief)
		p.link.Cut()
		_, p = h.link("alice", d.resumeHello(second, 0, 2))
		d.wantsResumed(p)
		d.wantsStream(p, st)
	})
}

func TestSettingsOfASessionOutliveItsLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		d, st := h.dial()
		d.link.Cut()
		request := frame.Hello{
			MaxMessage: 1 << 20, MaxStreams: 500, InitialWindow: 1 << 20, Keepalive: 5000, ResumeWindow: 1000,
			Session: d.id, Token: d.token, Attempt: 1,
		}
		_, p := h.link("alice", request.Append(nil))
		d.wantsResumed(p)
		got, err := d.session.PeerSettings(t.Context())
		if err != nil || got.MaxMessage != frame.HelloDefaults.MaxMessage || got.MaxStreams != frame.HelloDefaults.MaxStreams ||
			got.InitialWindow != frame.HelloDefaults.InitialWindow || got.ResumeWindow != 30_000 {
			t.Errorf("settings %+v, %v", got, err)
		}
		d.wantsStream(p, st)
		p.link.Cut()
		advance(29 * time.Second) // not the 1 s of the second HELLO
		if err := d.session.Err(); err != nil {
			t.Error(err)
		}
	})
}

func TestCountsThatCannotBeEndTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // A8
		h := newAcceptorHost(t)
		d, st := h.dial()
		mustSend(t, st, "one")
		d.link.Cut()
		synctest.Wait()
		_, p := h.link("alice", d.resumeHello(d.token, 2, 1)) // only one frame was sent
		p.wantsClose(transport.CloseProtocolError)
		wantCode(t, d.session.Err(), transport.CloseProtocolError)
	})
}

func TestSessionEndsWhenItsTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		d, st := h.dial()
		d.link.Cut()
		advance(30*time.Second - 1)
		if err := d.session.Err(); err != nil || !d.session.Detached() {
			t.Fatalf("%v before its time, away: %v", err, d.session.Detached())
		}
		advance(1)
		wantCode(t, recvErr(t, st), transport.CloseAbnormal)
		_, p := h.link("alice", d.resumeHello(d.token, 0, 1))
		d.wantsNewSession(p)
	})
}

func TestPeerThatNeverAcknowledgesHoldsUpDataAndIsCutOffInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // A10
		h := newAcceptorHost(t)
		h.cfg.ReplayLimit, h.cfg.MaxReplay = 64<<10, 64<<10
		d, st := h.dial()
		d.send(window(1, 1<<30))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		sent := 0
		for ; sent < 200; sent++ {
			if err := st.Send(ctx, make([]byte, 1000), transport.SendOptions{}); err != nil {
				break
			}
		}
		if sent < 60 || sent > 97 { // a third of it is the reserve of small messages
			t.Fatalf("%d messages of 1000 bytes were taken", sent)
		}
		resets := 0
		for ; d.session.Err() == nil && resets < 200; resets++ { // they go on
			d.send(open(uint64(2*resets+3), ""))
			mustAccept(t, d.session).Reset(transport.ResetApplication, strings.Repeat("x", 1000))
			synctest.Wait()
		}
		if resets < 30 || resets > 70 {
			t.Errorf("cut off after %d resets", resets)
		}
		d.wantsClose(exhausted)
	})
}

func TestFrameOverTheReplayLimitGoesAloneAndEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // A10
		h := newAcceptorHost(t)
		h.cfg.ReplayLimit = 64 << 10
		first := frame.Hello{ResumeWindow: 30_000, MaxFrame: 1 << 20, MaxHeader: 1 << 20}
		s, p := h.link("alice", first.Append(nil))
		p.got()
		st, err := s.Open(t.Context(), make([]byte, 500<<10))
		if err != nil {
			t.Fatal(err)
		}
		p.wants("OPEN 2 512000 bytes")
		st.Reset(transport.ResetCancel, "")
		p.wants("RESET 2 cancel")
	})
}

func TestLossThatOnlyTheNewLinkShowsIsReportedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		var told []string
		h.cfg.OnDetached = func(*transport.Session, error) { told = append(told, "lost") }
		h.cfg.OnResumed = func(*transport.Session) { told = append(told, "back") }
		d, _ := h.dial()
		_, p := h.link("alice", d.resumeHello(d.token, 0, 1)) // the older link still exists
		next := d.wantsResumed(p)
		p.link.Cut()
		synctest.Wait()
		_, p = h.link("alice", d.resumeHello(next, 0, 2))
		d.wantsResumed(p)
		if want := []string{"lost", "back", "lost", "back"}; !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	})
}

// lateAnswer is a link on which the answer to a request to resume is read just after
// the session has been closed.
type lateAnswer struct {
	answer []byte
	closes func()

	once  sync.Once
	mu    sync.Mutex
	codes []transport.CloseCode
}

func (l *lateAnswer) NextReader() (r io.Reader, err error) {
	err = io.ErrClosedPipe
	l.once.Do(func() {
		l.closes()
		r, err = bytes.NewReader(l.answer), nil
	})
	return r, err
}

func (l *lateAnswer) WriteMessage([][]byte) error { return nil }

func (l *lateAnswer) Close(code transport.CloseCode, _ string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.codes = append(l.codes, code)
	return nil
}

func TestSessionThatIsClosedWhileItResumesFindsNoFaultWithItsPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hello := frame.Hello{ResumeWindow: 30_000, Session: make([]byte, frame.MinSessionLen), Token: make([]byte, frame.TokenLen)}
		cfg := transport.Config{OnDetached: func(*transport.Session, error) {}}
		s, p := connectSession(t, transport.Dialer, cfg, hello)
		st := mustOpen(t, s)
		mustSend(t, st, "one")
		synctest.Wait()
		p.link.Cut()
		synctest.Wait()
		hello.Answer = frame.SessionResumed // nothing received, which is valid
		link := &lateAnswer{answer: hello.Append(nil), closes: func() { s.Close(transport.CloseNormal, "") }}
		if _, err := s.Resume(t.Context(), link, nil); err == nil {
			t.Error("a closed session was resumed")
		}
		synctest.Wait()
		if len(link.codes) == 0 {
			t.Error("the link was left open")
		}
		for _, code := range link.codes {
			if code != transport.CloseNormal {
				t.Errorf("the link was closed with %d, want %d", code, transport.CloseNormal)
			}
		}
	})
}
