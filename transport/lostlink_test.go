package transport_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// resumable starts a session with a stream, which can be resumed, and a peer
// for which the test writes frames.
func resumable(t *testing.T, side transport.Side) (*transport.Session, *peer, *transport.Stream) {
	t.Helper()
	hello := frame.Hello{ResumeWindow: 30_000}
	cfg := transport.Config{OnDetached: func(*transport.Session, error) {}}
	if side == transport.Dialer {
		hello.Session, hello.Token = make([]byte, frame.MinSessionLen), make([]byte, frame.TokenLen)
	} else {
		cfg.Sessions = new(transport.Sessions)
	}
	s, p := connectSession(t, side, cfg, hello)
	st := mustOpen(t, s)
	p.got()
	return s, p, st
}

var sides = []transport.Side{transport.Dialer, transport.Acceptor}

func TestCloseOfAProxyIsALostLink(t *testing.T) {
	for _, side := range sides {
		for _, code := range []transport.CloseCode{1001, 1012, 4101, 4112} {
			t.Run(fmt.Sprint(side, code), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, p, st := resumable(t, side)
					p.link.Close(code, "the proxy reloads")
					synctest.Wait()
					if err := s.Err(); err != nil || !s.Detached() {
						t.Fatalf("ended with %v, away: %v", err, s.Detached())
					}
					mustSend(t, st, "goes on")
				})
			})
		}
	}
}

func TestGoAwayWithoutAStatusDoesNotMakeACloseFinal(t *testing.T) {
	for _, side := range sides {
		synctest.Test(t, func(t *testing.T) {
			s, p, _ := resumable(t, side)
			p.send(goAway(frame.MaxVarint), goAway(2)) // it drains, and streams go on
			p.link.Close(transport.CloseGoingAway, "the proxy reloads")
			synctest.Wait()
			if err := s.Err(); err != nil || !s.Detached() {
				t.Errorf("%v ended with %v", side, err)
			}
		})
	}
}

func TestCloseOfAPeerThatHasSaidThatTheSessionEndsEndsIt(t *testing.T) {
	for _, side := range sides {
		for _, code := range []transport.CloseCode{1001, 1012} {
			synctest.Test(t, func(t *testing.T) {
				s, p, _ := resumable(t, side)
				over := frame.GoAway{Status: 14, Reason: "deploy"}
				p.send(goAway(0), over.Append(nil))
				p.link.Close(code, "deploy")
				synctest.Wait()
				wantCode(t, s.Err(), code)
			})
		}
	}
}

func TestCloseWithoutResumptionEndsTheSession(t *testing.T) {
	for _, side := range sides {
		synctest.Test(t, func(t *testing.T) {
			s, p := connectSession(t, side, transport.Config{}, frame.Hello{})
			p.link.Close(transport.CloseGoingAway, "")
			synctest.Wait()
			wantCode(t, s.Err(), transport.CloseGoingAway)
		})
	}
}

func TestOtherCloseCodesEndTheSession(t *testing.T) {
	for _, side := range sides {
		for _, code := range []transport.CloseCode{1000, 1002, 1003, 1008, 1009, 1011, 1013, 4010, 4014} {
			synctest.Test(t, func(t *testing.T) {
				s, p, _ := resumable(t, side)
				p.link.Close(code, "")
				synctest.Wait()
				wantCode(t, s.Err(), code)
			})
		}
	}
}

func TestEndThatDrainsSendsGoAwayBeforeItCloses(t *testing.T) {
	for _, code := range []transport.CloseCode{1001, 1012} {
		synctest.Test(t, func(t *testing.T) {
			s, p, _ := resumable(t, transport.Acceptor)
			p.send(open(1, ""), open(5, ""))
			p.got()
			s.Close(code, "deploy")
			p.wants("GOAWAY 5")
			p.wantsClose(code)
		})
	}
	synctest.Test(t, func(t *testing.T) { // it sends it once
		s, p, _ := resumable(t, transport.Acceptor)
		_ = s.GoAway(transport.GoAway{})
		p.send(open(1, ""))
		p.wants("GOAWAY 0", "RESET 1 refused")
		if err := s.GoAway(transport.GoAway{Status: 14}); err != nil {
			t.Error(err)
		}
		if err := s.GoAway(transport.GoAway{Status: 14}); !errors.Is(err, transport.ErrDraining) || s.CanOpen() {
			t.Errorf("again: %v; can open: %v", err, s.CanOpen())
		}
		s.Close(transport.CloseGoingAway, "")
		p.wants("GOAWAY 0") // not above the first one
	})
}

func TestBrokenFramingLosesTheLinkAndIsReportedToThePeer(t *testing.T) {
	for _, side := range sides {
		synctest.Test(t, func(t *testing.T) { // L4
			own, other := pipe.New(pipe.Config{})
			s, p := resumableOver(t, side, own, other)
			own.Fail(&transport.FramingError{Reason: "not masked"})
			synctest.Wait()
			if err := s.Err(); err != nil || !s.Detached() {
				t.Errorf("ended with %v, away: %v", err, s.Detached())
			}
			p.wantsClose(malformed)
		})
	}
}

func TestBrokenFramingWithoutResumptionIsALossToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own, other := pipe.New(pipe.Config{})
		s, err := transport.NewSession(own, transport.Acceptor, transport.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close(transport.CloseNormal, "")
		p := &peer{t: t, link: other}
		go p.read()
		own.Fail(&transport.FramingError{Reason: "not masked"})
		p.wantsClose(malformed)
		wantCode(t, s.Err(), transport.CloseAbnormal)
		var broken *transport.FramingError
		if !errors.As(s.Err(), &broken) {
			t.Errorf("%v does not say what was wrong", s.Err())
		}
	})
}

// resumableOver is like resumable, over a link of the test's own and without a
// stream.
func resumableOver(t *testing.T, side transport.Side, own, other *pipe.End) (*transport.Session, *peer) {
	t.Helper()
	hello := frame.Hello{ResumeWindow: 30_000}
	cfg := transport.Config{OnDetached: func(*transport.Session, error) {}}
	if side == transport.Dialer {
		hello.Session, hello.Token = make([]byte, frame.MinSessionLen), make([]byte, frame.TokenLen)
	} else {
		cfg.Sessions = new(transport.Sessions)
	}
	s, err := transport.NewSession(own, side, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(transport.CloseNormal, "") })
	p := &peer{t: t, link: other, side: side}
	go p.read()
	p.send(hello.Append(nil))
	p.got()
	return s, p
}

// A close frame that a proxy puts into the middle of a frame. It looks like a
// part of the message.

func TestTailOfAnUnfinishedMessageIsNotActedOn(t *testing.T) {
	const injected = "\x88\x02\x03\xe9" // a close frame with 1001
	for name, tail := range map[string]string{
		"as the end of a message":         injected,
		"with the longest reason":         "\x88\x7d\x03\xe9" + strings.Repeat("r", 123),
		"masked, with the longest reason": "\x88\xfd\x00\x00\x00\x00\x03\xe9" + strings.Repeat("r", 123),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // L5
				s, p, _ := resumable(t, transport.Acceptor)
				p.send(open(1, ""))
				st := mustAccept(t, s)
				genuine := append(data(1, strings.Repeat("a", 200)), data(1, strings.Repeat("b", 200))...)
				whole := append(genuine, data(1, tail)...) // the tail replaces a message
				unfinished := append(whole, data(1, "never comes")...)
				p.link.CutAfterBytes(int64(len(whole)))
				if err := p.link.WriteMessage([][]byte{unfinished}); err == nil {
					t.Fatal("the link was not cut")
				}
				synctest.Wait()
				if got := mustRecv(t, st); got != strings.Repeat("a", 200) {
					t.Errorf("got %q", got)
				}
				received := s.Received()
				if most := uint64(3); received < 2 || received > most {
					t.Errorf("%d frames count, want 2 at least and the genuine ones, %d, at the most", received, most)
				}
			})
		})
	}
}

func TestInjectedCloseFrameIsNoMalformedFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, _ := resumable(t, transport.Dialer)
		whole := append(ping("alive?!!"), "\x88\x02\x03\xe9"...) // a frame should begin here, and this is none
		p.link.CutAfterBytes(int64(len(whole)))
		if err := p.link.WriteMessage([][]byte{whole, ping("never...")}); err == nil {
			t.Fatal("the link was not cut")
		}
		synctest.Wait()
		if err := s.Err(); err != nil || !s.Detached() {
			t.Errorf("ended with %v, away: %v", err, s.Detached())
		}
	})
}

func TestLinkThatEndsInsideAMessageIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // L5
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		whole := append(open(1, ""), data(1, "whole")...)
		p.link.CutAfterBytes(int64(len(whole) + 131))
		if err := p.link.WriteMessage([][]byte{whole, data(1, strings.Repeat("c", 200))}); err == nil {
			t.Fatal("the link was not cut")
		}
		st := mustAccept(t, s)
		if got := mustRecv(t, st); got != "whole" {
			t.Errorf("got %q", got)
		}
		wantCode(t, recvErr(t, st), transport.CloseAbnormal)
		wantCode(t, s.Err(), transport.CloseAbnormal)
	})
}
