package pipe_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// byPeer and foundHere are the two kinds of a *transport.CloseError.
func byPeer(code transport.CloseCode) transport.CloseError {
	return transport.CloseError{Code: code, Remote: true}
}

func foundHere(code transport.CloseCode) transport.CloseError {
	return transport.CloseError{Code: code}
}

// wantClose checks an error of NextReader and returns its reason.
func wantClose(t *testing.T, err error, want transport.CloseError) string {
	t.Helper()
	var closed *transport.CloseError
	if !errors.As(err, &closed) || closed.Code != want.Code || closed.Remote != want.Remote {
		t.Fatalf("got %v, want %+v", err, want)
	}
	return closed.Reason
}

func TestCloseCodeArrivesBehindTheMessagesBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pipe.New(pipe.Config{Latency: time.Second})
		write(t, d, "last words")
		if err := d.Close(transport.CloseGoingAway, "bye"); err != nil {
			t.Fatal(err)
		}
		if got := read(t, a); got != "last words" {
			t.Fatalf("got %q", got)
		}
		for range 2 {
			if got := wantClose(t, nextReader(a), byPeer(transport.CloseGoingAway)); got != "bye" {
				t.Fatalf("reason %q", got)
			}
		}
		wantClose(t, a.WriteMessage(nil), byPeer(transport.CloseGoingAway))
		if err := a.Close(transport.CloseNormal, ""); err != nil {
			t.Fatal(err)
		}
	})
}

func TestCloseUnblocksReaderAndWriterOfBothEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pipe.New(pipe.Config{Capacity: 1})
		write(t, d, "x")
		write(t, a, "x")
		a.Stall()
		d.Stall()
		reader := result(func() error { return nextReader(d) })
		writer := result(func() error { return d.WriteMessage([][]byte{[]byte("y")}) })
		peer := result(func() error { return a.WriteMessage([][]byte{[]byte("y")}) })
		synctest.Wait()
		if err := d.Close(transport.CloseNormal, ""); err != nil {
			t.Fatal(err)
		}
		for _, err := range []error{<-reader, <-writer} {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("own end: %v", err)
			}
		}
		if err := <-peer; err != nil {
			t.Errorf("the peer does not know yet: %v", err)
		}
	})
}

func TestFirstCloseDecides(t *testing.T) {
	d, a := pipe.New(pipe.Config{})
	for _, code := range []transport.CloseCode{transport.CloseServiceRestart, transport.CloseNormal} {
		if err := d.Close(code, ""); err != nil {
			t.Fatal(err)
		}
	}
	wantClose(t, nextReader(a), byPeer(transport.CloseServiceRestart))
	if err := d.WriteMessage(nil); !errors.Is(err, pipe.ErrClosed) {
		t.Fatalf("write after Close: %v", err)
	}
	if err := nextReader(d); !errors.Is(err, pipe.ErrClosed) {
		t.Fatalf("read after Close: %v", err)
	}
}

func TestCloseFollowsTheRulesOfACloseFrame(t *testing.T) {
	umlauts := strings.Repeat("ü", 62) // 124 bytes: the cut falls inside the last one
	tests := []struct {
		name   string
		code   transport.CloseCode
		reason string
		want   *transport.CloseError // nil: lost
	}{
		{"ordinary", transport.CloseNormal, "done", &transport.CloseError{Code: 1000, Reason: "done"}},
		{"refusal", transport.CloseRefusal + 7, "no", &transport.CloseError{Code: 4007, Reason: "no"}},
		{"no status", transport.CloseNoStatus, "lost on the way", &transport.CloseError{Code: 1005}},
		{"long reason", transport.CloseNormal, umlauts, &transport.CloseError{Code: 1000, Reason: umlauts[:122]}},
		{"broken reason", transport.CloseNormal, "a\xffb", &transport.CloseError{Code: 1000, Reason: "a\ufffdb"}},
		{"reserved 1004", 1004, "", &transport.CloseError{Code: 1011}},
		{"not a code", 7, "", &transport.CloseError{Code: 1011}},
		{"abnormal", transport.CloseAbnormal, "", nil},
		{"tls", transport.CloseTLSHandshake, "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, a := pipe.New(pipe.Config{})
			if err := d.Close(tt.code, tt.reason); err != nil {
				t.Fatal(err)
			}
			err := nextReader(a)
			if tt.want == nil {
				if !errors.Is(err, pipe.ErrLost) {
					t.Fatalf("got %v, want ErrLost", err)
				}
				return
			}
			if got := wantClose(t, err, byPeer(tt.want.Code)); got != tt.want.Reason {
				t.Fatalf("reason %q, want %q", got, tt.want.Reason)
			}
		})
	}
}

func TestBothEndsMayCloseAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pipe.New(pipe.Config{Latency: time.Second})
		for _, e := range []*pipe.End{d, a} {
			if err := e.Close(transport.CloseNormal, ""); err != nil {
				t.Fatal(err)
			}
		}
		for _, e := range []*pipe.End{d, a} {
			if err := nextReader(e); !errors.Is(err, net.ErrClosed) {
				t.Errorf("got %v", err)
			}
		}
	})
}
