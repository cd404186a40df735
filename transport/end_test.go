package transport_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

func TestCloseWritesWhatIsQueuedBeforeTheLinkEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, first := fillQueue(t, transport.Config{})
		for range 10 {
			mustSend(t, first, "queued")
		}
		p.link.Resume()
		begin := time.Now()
		s.Close(4007, "over")
		if took := time.Since(begin); took != 0 {
			t.Errorf("Close took %v", took)
		}
		p.wantsClose(4007)
		if got := strings.Count(strings.Join(p.got(), "\n"), `DATA 1 "queued"`); got != 10 {
			t.Errorf("%d of 10 messages came", got)
		}
	})
}

func TestCloseIsBoundedWhenThePeerTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, first := fillQueue(t, transport.Config{})
		mustSend(t, first, "queued")
		begin := time.Now()
		s.Close(transport.CloseNormal, "")
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("Close took %v", took)
		}
		first.Close()
		wantNothingLeft(t, s)
	})
}

func TestCloseBeforeThePeersHelloIsQuick(t *testing.T) {
	for _, side := range []transport.Side{transport.Dialer, transport.Acceptor} {
		synctest.Test(t, func(t *testing.T) {
			s, p := startSession(t, side, transport.Config{})
			mustOpen(t, s)
			begin := time.Now()
			s.Close(transport.CloseGoingAway, "")
			if took := time.Since(begin); took != 0 {
				t.Errorf("Close of the %v took %v", side, took)
			}
			p.wantsClose(transport.CloseGoingAway)
			_, err := s.PeerSettings(t.Context())
			wantCode(t, err, transport.CloseGoingAway)
		})
	}
}

func TestCloseFromManyGoroutinesEndsTheSessionOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ends := 0
		s, p := connectSession(t, transport.Acceptor, transport.Config{OnEnd: func(error) { ends++ }}, frame.Hello{})
		p.send(open(1, ""))
		st := mustAccept(t, s)
		var done []<-chan error
		for i := range 20 {
			code := transport.CloseRefusal + transport.CloseCode(i%10)
			done = append(done, start(func() error { return s.Close(code, "") }), start(func() error { st.Reset(300, ""); return st.Close() }))
		}
		for _, d := range done {
			if err := <-d; err != nil {
				t.Error(err)
			}
		}
		if ends != 1 {
			t.Errorf("OnEnd was called %d times", ends)
		}
		var why *transport.CloseError
		if !errors.As(s.Err(), &why) {
			t.Fatalf("ended with %v", s.Err())
		}
		p.wantsClose(why.Code)
		if !isClosed(s.Done()) {
			t.Error("not done")
		}
	})
}

func TestEverythingThatWaitsEndsWithTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSessionOver(t, pipe.Config{Capacity: 1}, transport.Dialer, transport.Config{Parameters: transport.Parameters{WriteQueue: 1}}, frame.Hello{MaxStreams: 17, MaxMessage: 1 << 20})
		var st [17]*transport.Stream
		for i := range st {
			st[i] = mustOpen(t, s)
			synctest.Wait()
		}
		waiting := map[string]<-chan error{
			"Send without credit": start(func() error { return st[0].Send(t.Context(), make([]byte, 1<<20), transport.SendOptions{}) }),
			"Recv":                start(func() error { _, err := st[0].Recv(t.Context(), nil); return err }),
			"RecvHeader":          start(func() error { _, err := st[0].RecvHeader(t.Context()); return err }),
			"Accept":              start(func() error { _, err := s.Accept(t.Context()); return err }),
			"Open without a slot": openLater(t, s),
		}
		synctest.Wait()
		p.link.Stall()
		for _, filler := range st[1:5] {
			waiting["Send without room"] = start(func() error { return filler.Send(t.Context(), make([]byte, 100), transport.SendOptions{}) })
			synctest.Wait()
		}
		waiting["CloseSend without room"] = start(func() error { return st[5].CloseSend(t.Context(), nil) })
		st[6].Close()
		waiting["Open without room"] = openLater(t, s)
		waiting["Ping"] = start(func() error { _, err := s.Ping(t.Context()); return err })
		for what, w := range waiting {
			synctest.Wait()
			if len(w) > 0 {
				t.Fatalf("%s does not wait: %v", what, <-w)
			}
		}
		p.link.Cut()
		for what, w := range waiting {
			if err := <-w; !isLost(err) {
				t.Errorf("%s ended with %v", what, err)
			}
		}
		_, err := s.Open(t.Context(), nil)
		wantCode(t, err, transport.CloseAbnormal)
		wantCode(t, st[0].Send(t.Context(), nil, transport.SendOptions{}), transport.CloseAbnormal)
	})
}

func TestWhatHasArrivedCanBeReadAfterTheSessionHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		p.send(open(1, ""), data(1, "a"), data(1, "b"), dataMore(1, "c"), open(3, ""), dataEnd(3, "d"))
		p.link.Close(transport.CloseGoingAway, "restart")
		<-s.Done()
		st, whole := mustAccept(t, s), mustAccept(t, s)
		if got := mustRecv(t, st) + mustRecv(t, st); got != "ab" {
			t.Errorf("got %q", got)
		}
		wantCode(t, recvErr(t, st), transport.CloseGoingAway)
		if got := mustRecv(t, whole); got != "d" {
			t.Errorf("got %q", got)
		}
		wantEnd(t, whole)
		_, err := s.Accept(t.Context())
		wantCode(t, err, transport.CloseGoingAway)
	})
}

func TestReasonWhyTheLinkEndedIsKept(t *testing.T) {
	for code, want := range map[transport.CloseCode]transport.CloseCode{
		transport.CloseNormal:             transport.CloseNormal,
		transport.CloseNoStatus:           transport.CloseNoStatus,
		transport.CloseServiceRestart:     transport.CloseServiceRestart,
		transport.CloseRefusal:            transport.CloseNormal, // 4000 is read as 1000
		transport.CloseRefusal + 7:        transport.CloseRefusal + 7,
		transport.CloseScripted + 2:       transport.CloseProtocolError, // how a script sends it
		transport.CloseScripted + 9:       transport.CloseMessageTooBig,
		transport.CloseScripted + 16:      transport.CloseScripted + 16,
		transport.CloseScripted:           transport.CloseScripted,
		transport.CloseAbnormal:           transport.CloseAbnormal,
		transport.ClosePolicyViolation:    transport.ClosePolicyViolation,
		transport.CloseMandatoryExtension: transport.CloseMandatoryExtension,
	} {
		synctest.Test(t, func(t *testing.T) {
			var why error
			s, p := connectSession(t, transport.Dialer, transport.Config{OnEnd: func(err error) { why = err }}, frame.Hello{})
			p.link.Close(code, "because")
			<-s.Done()
			wantCode(t, s.Err(), want)
			if code != transport.CloseAbnormal && !isRemote(s.Err()) {
				t.Errorf("%v is not said to come from the peer", s.Err())
			}
			synctest.Wait()
			if !errors.Is(why, s.Err()) {
				t.Errorf("OnEnd was told %v", why)
			}
		})
	}
}

func isLost(err error) bool {
	var c *transport.CloseError
	return errors.As(err, &c) && c.Code == transport.CloseAbnormal
}

func isRemote(err error) bool {
	var c *transport.CloseError
	return errors.As(err, &c) && c.Remote
}

func TestOnAbortIsCalledOnceWithTheCause(t *testing.T) {
	causes := map[string]struct {
		abort func(*transport.Session, *peer, *transport.Stream)
		check func(*testing.T, error)
	}{
		"the peer resets": {
			func(_ *transport.Session, p *peer, _ *transport.Stream) { p.send(reset(1, 300)) },
			func(t *testing.T, err error) { wantReset(t, err, transport.ResetError{Code: 300, Remote: true}) },
		},
		"this end resets": {
			func(_ *transport.Session, _ *peer, st *transport.Stream) { st.Reset(301, "") },
			func(t *testing.T, err error) { wantReset(t, err, transport.ResetError{Code: 301}) },
		},
		"the peer breaks a rule": {
			func(_ *transport.Session, p *peer, _ *transport.Stream) { p.send(header(1, ""), header(1, "")) },
			func(t *testing.T, err error) { wantReset(t, err, transport.ResetError{Code: transport.ResetProtocol}) },
		},
		"the session ends": {
			func(_ *transport.Session, p *peer, _ *transport.Stream) { p.link.Cut() },
			func(t *testing.T, err error) { wantCode(t, err, transport.CloseAbnormal) },
		},
	}
	for what, c := range causes {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
				st := mustOpen(t, s)
				var got []error
				st.OnAbort(func(err error) { got = append(got, err) })
				c.abort(s, p, st)
				synctest.Wait()
				st.Reset(302, "")
				st.Close()
				if len(got) != 1 {
					t.Fatalf("called %d times: %v", len(got), got)
				}
				c.check(t, got[0])
				late := 0
				st.OnAbort(func(err error) { late++; c.check(t, err) })
				if late != 1 {
					t.Error("not called at once for a stream that is abandoned")
				}
			})
		})
	}
}

func TestOnAbortIsNotCalledForAStreamThatEndsProperlyOrIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
		st, closed := mustOpen(t, s), mustOpen(t, s)
		never := func(err error) { t.Errorf("called with %v", err) }
		st.OnAbort(never)
		closed.OnAbort(never)
		closed.Close()
		p.send(end(1, ""))
		mustCloseSend(t, st, "")
		wantEnd(t, st)
		p.send(reset(1, 1))
		s.Close(transport.CloseNormal, "")
	})
}

func TestWriteThatFailsEndsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own, other := pipe.New(pipe.Config{})
		broken := errors.New("cable cut")
		s, err := transport.NewSession(&mute{own, broken}, transport.Dialer, transport.Config{})
		if err != nil {
			t.Fatal(err)
		}
		<-s.Done()
		if err := s.Err(); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		wantCode(t, s.Err(), transport.CloseAbnormal)
		s.Close(transport.CloseNormal, "")
		other.Close(transport.CloseNormal, "")
	})
}

// mute is a link that cannot write.
type mute struct {
	*pipe.End
	err error
}

func (m *mute) WriteMessage([][]byte) error { return m.err }

func TestErrorsSayWhatHappened(t *testing.T) {
	for want, err := range map[string]error{
		"closed by the peer with code 1001: bye":                         &transport.CloseError{Code: 1001, Reason: "bye", Remote: true},
		"link lost: EOF":                                                 &transport.CloseError{Code: 1006, Reason: "link lost", Err: io.EOF},
		"link lost":                                                      &transport.CloseError{Code: 1006},
		"closed with code 1002: empty message":                           &transport.CloseError{Code: 1002, Reason: "empty message"},
		"stream reset (cancel)":                                          &transport.ResetError{Code: 1},
		"stream reset by the peer (refused): too many":                   &transport.ResetError{Code: 2, Reason: "too many", Remote: true},
		"stream reset (limit)":                                           &transport.ResetError{Code: 3},
		"stream reset (protocol)":                                        &transport.ResetError{Code: 4},
		"stream reset (internal)":                                        &transport.ResetError{Code: 5},
		"stream reset (code 261)":                                        &transport.ResetError{Code: 261},
		"message of 5 bytes exceeds the peer's limit of 4":               &transport.LimitError{What: "message", Size: 5, Limit: 4},
		"transport: session is draining: open the stream on another one": transport.ErrDraining,
	} {
		if got := err.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if !errors.Is(&transport.CloseError{Err: context.Canceled}, context.Canceled) {
		t.Error("what lies beneath cannot be found")
	}
	if transport.Dialer.String() != "dialer" || transport.Acceptor.String() != "acceptor" {
		t.Error("sides have wrong names")
	}
}
