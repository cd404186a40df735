package transport_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

// wantLimit checks that err names what exceeds which limit, in bytes.
func wantLimit(t *testing.T, err error, want transport.LimitError) {
	t.Helper()
	var got *transport.LimitError
	if !errors.As(err, &got) || *got != want {
		t.Errorf("got %v, want %v", err, &want)
	}
}

func TestMessageOverThePeersLimitFailsBeforeAnythingIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{MaxMessage: 100_000, InitialWindow: 1 << 20})
		st := mustOpen(t, s)
		p.wants(`OPEN 1 ""`)
		err := st.Send(t.Context(), make([]byte, 100_001), transport.SendOptions{})
		wantLimit(t, err, transport.LimitError{What: "message", Size: 100_001, Limit: 100_000})
		p.wants()
		if err := st.Send(t.Context(), make([]byte, 100_000), transport.SendOptions{}); err != nil {
			t.Error(err)
		}
		if n := len(p.got()); n != 7 {
			t.Errorf("the longest message came in %d frames", n)
		}
	})
}

func TestHeaderOverThePeersLimitFailsBeforeItIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{MaxHeader: 5000})
		p.send(open(1, ""))
		st := mustAccept(t, s)
		over, most := make([]byte, 5001), make([]byte, 5000)
		want := transport.LimitError{What: "header", Size: 5001, Limit: 5000}

		_, err := s.Open(t.Context(), over)
		wantLimit(t, err, want)
		wantLimit(t, st.SendHeader(t.Context(), over), want)
		wantLimit(t, st.CloseSend(t.Context(), over), want)
		p.wants()

		if _, err := s.Open(t.Context(), most); err != nil {
			t.Error(err)
		}
		if err := st.SendHeader(t.Context(), most); err != nil {
			t.Error(err)
		}
		if err := st.CloseSend(t.Context(), most); err != nil {
			t.Error(err)
		}
		p.wants("OPEN 2 5000 bytes", "HEADER 1 5000 bytes", "END 1 5000 bytes")
	})
}

func TestHeaderMayBeAsLargeAsThePeerAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{MaxFrame: 1 << 20, MaxHeader: 1 << 20})
		mustOpen(t, s)
		if _, err := s.Open(t.Context(), make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
		p.wants(`OPEN 1 ""`, "OPEN 3 1048576 bytes")
	})
}

func TestMessageOverOurLimitResetsItsStreamAtThePieceThatExceeds(t *testing.T) {
	for _, reads := range []string{"waiting for it", "not reading"} {
		t.Run(reads, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // S13
				s, p := connectSession(t, transport.Acceptor, smallest, frame.Hello{})
				p.send(open(1, ""))
				st := mustAccept(t, s)
				var received <-chan error
				if reads == "waiting for it" {
					received = start(func() error { _, err := st.Recv(t.Context(), nil); return err })
				}
				for range 4 {
					p.send(dataMore(1, string(make([]byte, 16<<10))))
				}
				for _, f := range p.got() {
					if f != "WINDOW 1 196736" {
						t.Errorf("the peer got %s", f)
					}
				}
				p.send(dataMore(1, "x"), data(1, "rest"))
				p.wants("RESET 1 limit")
				want := transport.ResetError{Code: transport.ResetLimit}
				if received != nil {
					wantReset(t, <-received, want)
				}
				wantReset(t, recvErr(t, st), want)
				p.wantsLife()
			})
		})
	}
}

func TestLargestMessagePasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // S13
		s, p := connectSession(t, transport.Acceptor, smallest, frame.Hello{})
		p.send(open(1, ""))
		for range 3 {
			p.send(dataMore(1, string(make([]byte, 16<<10))))
		}
		p.send(data(1, string(make([]byte, 16<<10))))
		if n := len(mustRecv(t, mustAccept(t, s))); n != 64<<10 {
			t.Errorf("got %d bytes", n)
		}
	})
}

func TestWhatIsSentBeforeThePeersHelloStaysWithinTheDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := startSession(t, transport.Dialer, transport.Config{})
		want := []string{"HELLO"}
		for i := range 16 {
			mustOpen(t, s)
			want = append(want, fmt.Sprintf("OPEN %d \"\"", 2*i+1))
		}
		p.wants(want...)
		st := openLater(t, s)
		big := openWithLater(t, s, make([]byte, 4097))
		stillWaits(t, st)
		stillWaits(t, big)
		if _, err := s.Open(ended(t), nil); !errors.Is(err, context.Canceled) {
			t.Errorf("Open with nothing free: %v", err)
		}
		p.wants()

		hello := frame.Hello{MaxStreams: 18, MaxHeader: 5000}
		p.send(hello.Append(nil))
		for _, opened := range []<-chan error{st, big} {
			if err := <-opened; err != nil {
				t.Fatal(err)
			}
		}
		stillWaits(t, openLater(t, s))
		if n := len(p.got()); n != 2 {
			t.Errorf("%d frames came", n)
		}
	})
}

func openLater(t *testing.T, s *transport.Session) <-chan error {
	return openWithLater(t, s, nil)
}

// openWithLater opens a stream on another goroutine.
func openWithLater(t *testing.T, s *transport.Session, header []byte) <-chan error {
	t.Helper()
	return start(func() error {
		_, err := s.Open(t.Context(), header)
		return err
	})
}

func TestEarlyMessageThatOnlyThePeersHelloCanAllowWaitsForIt(t *testing.T) {
	for name, limit := range map[string]uint64{"allowed": 70_000, "not allowed": 65_536} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := startSession(t, transport.Dialer, transport.Config{})
				st := mustOpen(t, s)
				sent := start(func() error {
					return st.Send(t.Context(), make([]byte, 70_000), transport.SendOptions{})
				})
				p.wants("HELLO", `OPEN 1 ""`)
				stillWaits(t, sent)
				hello := frame.Hello{MaxMessage: limit, InitialWindow: 1 << 20}
				p.send(hello.Append(nil))
				if limit < 70_000 {
					wantLimit(t, <-sent, transport.LimitError{What: "message", Size: 70_000, Limit: limit})
					return
				}
				if err := <-sent; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestEarlyOpenAndSendEndWithTheirContextAndWithTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := startSession(t, transport.Dialer, transport.Config{})
		st := mustOpen(t, s)
		big := bytes.Repeat([]byte("x"), 70_000)
		ctx, cancel := context.WithCancel(t.Context())
		sent := start(func() error { return st.Send(ctx, big, transport.SendOptions{}) })
		stillWaits(t, sent)
		cancel()
		if err := <-sent; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		sent = start(func() error { return st.Send(t.Context(), big, transport.SendOptions{}) })
		opened := openWithLater(t, s, big[:5000])
		stillWaits(t, sent)
		s.Close(transport.CloseNormal, "")
		wantCode(t, <-sent, transport.CloseNormal)
		wantCode(t, <-opened, transport.CloseNormal)
	})
}

func TestCloseEndsAnEarlySendThatWaitsForThePeersHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := startSession(t, transport.Dialer, transport.Config{})
		st := mustOpen(t, s)
		sent := start(func() error { return st.Send(t.Context(), make([]byte, 70_000), transport.SendOptions{}) })
		stillWaits(t, sent)
		st.Close()
		synctest.Wait()
		if len(sent) == 0 {
			t.Fatal("Send still waits")
		}
		if err := <-sent; !errors.Is(err, transport.ErrStreamClosed) {
			t.Errorf("got %v", err)
		}
		p.wants("HELLO", `OPEN 1 ""`, "RESET 1 cancel")
	})
}

func TestAcceptorSaysNothingBeforeTheDialersHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := startSession(t, transport.Acceptor, transport.Config{})
		st := mustOpen(t, s)
		mustSend(t, st, "early")
		go func() { _, _ = s.Ping(t.Context()) }()
		p.wants()
		p.send(hello())
		p.wants("HELLO", `PING "\x00\x00\x00\x00\x00\x00\x00\x01"`, `OPEN 2 ""`, `DATA 2 "early"`)
	})
}
