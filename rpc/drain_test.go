package rpc_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// patientHandler responds when finish is closed, or when its context ends.
func patientHandler(finish <-chan struct{}, told chan<- error) rpc.Handler {
	return arrivingHandler(nil, finish, told)
}

// arrivingHandler is a patientHandler that closes arrived when it has the
// request: a link that is lost before may take the request along.
func arrivingHandler(arrived chan<- struct{}, finish <-chan struct{}, told chan<- error) rpc.Handler {
	return rpc.UnaryHandler(func(ctx context.Context, in *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
		if arrived != nil {
			close(arrived)
		}
		select {
		case <-rpc.Draining(ctx):
			told <- ctx.Err()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		select {
		case <-finish:
			return in, nil
		case <-ctx.Done():
			told <- ctx.Err()
			return nil, ctx.Err()
		}
	})
}

// wantGoAway expects a GOAWAY and returns it.
func (p *raw) wantGoAway() frame.GoAway {
	p.t.Helper()
	info, err := frame.ParseGoAway(p.want(frame.TypeGoAway, 0).payload)
	if err != nil {
		p.t.Fatal(err)
	}
	return info
}

// wantNotice is like wantGoAway, for a notice.
func (p *raw) wantNotice() frame.GoAway {
	p.t.Helper()
	info := p.wantGoAway()
	if !info.Notice() {
		p.t.Fatalf("GOAWAY %+v is no notice", info)
	}
	return info
}

// notice returns the GOAWAY of a server that starts to drain.
func notice(delay time.Duration) []byte {
	return (&frame.GoAway{LastStream: frame.MaxVarint, Delay: uint64(delay.Milliseconds()), Reason: "deploy"}).Append(nil)
}

// moved returns the GOAWAY of a dialer that opens no more streams.
func moved() []byte { return notice(0) }

// wantClose expects the end of the link.
func (p *raw) wantClose(code transport.CloseCode) {
	p.t.Helper()
	_, err := p.read()
	p.wantCloseError(err, code)
}

// wantGone expects that the peer announces the end of the connection, and ends
// it.
func (p *raw) wantGone(code transport.CloseCode) {
	p.t.Helper()
	if info := p.wantGoAway(); rpc.Code(info.Status) != rpc.CodeUnavailable {
		p.t.Fatalf("GOAWAY %+v has no status", info)
	}
	p.wantClose(code)
}

// wantCloseError expects that err is a CloseError with a code.
func (p *raw) wantCloseError(err error, code transport.CloseCode) {
	p.t.Helper()
	var closed *transport.CloseError
	if !errors.As(err, &closed) || closed.Code != code {
		p.t.Fatalf("got %v, want the link closed with %d", err, code)
	}
}

// shutdown shuts a server down on another goroutine, within d.
func shutdown(srv *rpc.Server, d time.Duration) <-chan error {
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), d)
		defer cancel()
		done <- srv.Shutdown(ctx)
	}()
	return done
}

func TestShutdownSignalsHandlersAndLetsTheirCallsFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		finish, told := make(chan struct{}), make(chan error, 2)
		p := newPair(t, nil, nil, func(srv *rpc.Server) { register(srv, unary, patientHandler(finish, told)) })
		call := start(func() ([]string, error) { return converse(context.Background(), p.client, unary, []string{"question"}) })
		synctest.Wait()
		done := shutdown(p.srv, time.Minute)
		if err := <-told; err != nil {
			t.Errorf("the handler's context has ended: %v", err)
		}
		<-time.After(30 * time.Second)
		if len(done) > 0 {
			t.Fatal("Shutdown did not wait")
		}
		close(finish)
		if got := <-call; got.err != nil || len(got.texts) != 1 {
			t.Errorf("the call: %q, %v", got.texts, got.err)
		}
		if err := <-done; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

func TestCallsThatAreLeftWhenShutdownEndsFailAsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := make(chan error, 2)
		p := newPair(t, nil, nil, func(srv *rpc.Server) { register(srv, unary, patientHandler(nil, told)) })
		call := start(func() ([]string, error) { return converse(context.Background(), p.client, unary, []string{"question"}) })
		synctest.Wait()
		began := time.Now()
		if err := <-shutdown(p.srv, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v", err)
		}
		if took := time.Since(began); took > 62*time.Second {
			t.Errorf("it took %v", took)
		}
		wantError(t, (<-call).err, rpc.CodeUnavailable)
		if err := <-told; err != nil {
			t.Errorf("told by cancellation: %v", err)
		}
		if err := <-told; !errors.Is(err, context.Canceled) {
			t.Errorf("in the end: %v", err)
		}
	})
}

func TestCallsThatComeDuringADrainAreSafeToTryElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		finish, told := make(chan struct{}), make(chan error, 2)
		srv := rpc.NewServer()
		register(srv, unary, patientHandler(finish, told))
		p := serveRaw(t, srv)
		p.write(openFrame(1, block(methodField(unary))), dataFrame(1, frame.FlagEnd, encoded(t, "question")))
		synctest.Wait()
		done := shutdown(srv, time.Minute)
		p.wantNotice()
		p.write(moved())
		if info := p.wantGoAway(); info.LastStream != 1 || info.Status != 0 {
			t.Errorf("GOAWAY %+v", info)
		}
		p.write(openFrame(3, block(methodField(unary))), dataFrame(3, frame.FlagEnd, encoded(t, "too late")))
		p.wantReset(3, transport.ResetRefused)
		close(finish)
		p.want(frame.TypeData, 1)
		p.wantStatus(1, rpc.CodeOK)
		p.wantGone(transport.CloseGoingAway)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestAClientThatDoesNotMoveIsServedForItsTimeAndRefusedAfterIt(t *testing.T) {
	for _, tt := range []struct{ all, served time.Duration }{{time.Minute, 5 * time.Second}, {8 * time.Second, 2 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			srv := rpc.NewServer(rpc.WithDrain(rpc.Drain{Spread: -1}))
			register(srv, unary, echo)
			p := serveRaw(t, srv)
			synctest.Wait()
			began := time.Now()
			done := shutdown(srv, tt.all)
			p.wantNotice()
			p.write(openFrame(1, block(methodField(unary))), dataFrame(1, frame.FlagEnd, encoded(t, "during the notice")))
			p.want(frame.TypeData, 1)
			p.wantStatus(1, rpc.CodeOK)
			if info := p.wantGoAway(); info.LastStream != 1 || time.Since(began) != tt.served {
				t.Errorf("after %v: GOAWAY %+v", time.Since(began), info)
			}
			p.wantGone(transport.CloseGoingAway)
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestServerThatRestartsSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer(rpc.WithDrain(rpc.Drain{Restart: true}))
		p := serveRaw(t, srv)
		synctest.Wait() // it has sent HELLO
		done := shutdown(srv, time.Minute)
		p.wantNotice()
		p.wantGoAway()
		p.wantGone(transport.CloseServiceRestart)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestNoticesAreSpreadOverTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients, spread = 200, 10 * time.Second
		srv := rpc.NewServer(rpc.WithDrain(rpc.Drain{Spread: spread}))
		began := make(chan time.Time)
		told := make(chan time.Duration, clients)
		for range clients {
			p := serveRaw(t, srv)
			go func() {
				start := <-began
				if info := p.wantNotice(); info.Delay != 0 {
					t.Errorf("told to retry in %d ms", info.Delay)
				}
				p.write(moved())
				told <- time.Since(start)
			}()
		}
		synctest.Wait()
		start := time.Now()
		done := shutdown(srv, time.Minute)
		var seconds [10]int
		for range clients {
			began <- start
		}
		for range clients {
			after := <-told
			if after > spread {
				t.Fatalf("told after %v", after)
			}
			seconds[min(after/time.Second, 9)]++
		}
		for i, n := range seconds {
			if n > clients/4 {
				t.Errorf("second %d: %d are told", i, n)
			}
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestDrainDoesNotSpreadBeyondHalfOfItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer(rpc.WithDrain(rpc.Drain{Spread: time.Hour}))
		began := time.Now()
		for range 20 {
			p := serveRaw(t, srv)
			go func() {
				<-time.After(time.Duration(p.wantNotice().Delay) * time.Millisecond)
				p.write(moved())
			}()
		}
		synctest.Wait()
		if err := <-shutdown(srv, time.Second); err != nil || time.Since(began) > 600*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestHandshakesAreRefusedWhileTheServerDrains(t *testing.T) {
	finish, told := make(chan struct{}), make(chan error, 2)
	srv := rpc.NewServer(rpc.WithDrain(rpc.Drain{Spread: -1}))
	arrived := make(chan struct{})
	register(srv, unary, arrivingHandler(arrived, finish, told))
	web := httptest.NewServer(srv)
	defer web.Close()
	url := "ws" + strings.TrimPrefix(web.URL, "http")
	conn := dial(t, url)
	call := start(func() ([]string, error) { return converse(context.Background(), conn, unary, []string{"question"}) })
	<-arrived
	done := shutdown(srv, time.Minute)
	<-told
	resp, err := http.Get(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("%s, Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
	}
	_, err = rpc.Dial(t.Context(), url)
	wantError(t, err, rpc.CodeUnavailable)
	close(finish)
	if got := <-call; got.err != nil {
		t.Errorf("the call: %v", got.err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestConnectionWithoutALinkFinishesItsCallsDuringADrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		finish, told := make(chan struct{}), make(chan error, 2)
		srv := rpc.NewServer()
		register(srv, unary, patientHandler(finish, told))
		p, hello := serveResumable(t, srv)
		p.write(openFrame(1, block(methodField(unary))), dataFrame(1, frame.FlagEnd, encoded(t, "question")))
		synctest.Wait()
		idle, _ := serveResumable(t, srv)
		idle.link.Cut()
		p.link.Cut()
		synctest.Wait()
		done := shutdown(srv, time.Minute)
		<-told
		close(finish)
		<-time.After(10 * time.Second)
		if len(done) > 0 || srv.Connections() != 1 {
			t.Fatalf("Shutdown did not wait for the client, or waits for the idle one: %d connections", srv.Connections())
		}

		stranger, _ := linkRaw(t, srv, resumable)
		if info := stranger.wantGoAway(); rpc.Code(info.Status) != rpc.CodeUnavailable {
			t.Errorf("GOAWAY %+v", info)
		}
		stranger.wantClose(transport.CloseServiceRestart)

		wish := resumable
		wish.Session, wish.Token, wish.Attempt = hello.Session, hello.Token, 1
		p, hello = linkRaw(t, srv, wish)
		if hello.Answer != frame.SessionResumed {
			t.Fatal("the session was not resumed")
		}
		p.wantNotice()
		p.wantGoAway()
		p.want(frame.TypeData, 1)
		p.wantStatus(1, rpc.CodeOK)
		p.write(frame.AppendAck(nil, 4))
		p.wantGone(transport.CloseGoingAway)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestShutdownGoesOnlyAsFarAsItsContextForConnectionsWithoutALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		finish, told := make(chan struct{}), make(chan error, 2)
		srv := rpc.NewServer()
		register(srv, unary, patientHandler(finish, told))
		p, _ := serveResumable(t, srv)
		p.write(openFrame(1, block(methodField(unary))), dataFrame(1, frame.FlagEnd, encoded(t, "question")))
		synctest.Wait()
		p.link.Cut()
		synctest.Wait()
		close(finish)
		if err := <-shutdown(srv, 10*time.Second); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if srv.Connections() != 0 {
			t.Errorf("%d connections are left", srv.Connections())
		}
	})
}

func TestShutdownOfAServerWithoutConnectionsReturnsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer()
		began := time.Now()
		if err := srv.Shutdown(t.Context()); err != nil || time.Since(began) != 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestDrainingOutsideOfCallsNeverHappens(t *testing.T) {
	if rpc.Draining(t.Context()) != nil {
		t.Error("there is a channel")
	}
}

// stayAlive makes the raw peer send PINGs until stop is called.
func (p *raw) stayAlive() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(5 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = p.link.WriteMessage([][]byte{frame.Append(nil, frame.Header{Type: frame.TypePong}, make([]byte, frame.PingLen))})
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}
