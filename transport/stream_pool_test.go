package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// converse sends a message each way on a stream, with header and trailer.
func converse(t *testing.T, d, a *transport.Session, say string) (out, in *transport.Stream) {
	t.Helper()
	ctx := context.Background()
	out, err := d.Open(ctx, []byte("header of "+say))
	if err != nil {
		t.Fatal(err)
	}
	mustSend(t, out, say)
	mustCloseSend(t, out, "trailer of "+say)
	in = mustAccept(t, a)
	if got := string(in.OpenHeader()); got != "header of "+say {
		t.Errorf("opened with %q", got)
	}
	if got := mustRecv(t, in); got != say {
		t.Errorf("received %q, not %q", got, say)
	}
	wantEnd(t, in)
	if err := in.SendHeader(ctx, []byte("answer to "+say)); err != nil {
		t.Fatal(err)
	}
	mustSend(t, in, say)
	mustCloseSend(t, in, "")
	if got, err := out.RecvHeader(ctx); err != nil || string(got) != "answer to "+say {
		t.Errorf("answered with %q, %v", got, err)
	}
	if got := mustRecv(t, out); got != say {
		t.Errorf("received %q, not %q", got, say)
	}
	wantEnd(t, out)
	synctest.Wait()
	return out, in
}

func TestFreedStreamsAreReusedAsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pair(t, transport.Config{}, transport.Config{})
		out, in := converse(t, d, a, "one")
		out.Free()
		in.Free()
		again, inAgain := converse(t, d, a, "two")
		if again != out || inAgain != in {
			t.Error("not used again")
		}
		if again.ID() != 3 || inAgain.ID() != 3 {
			t.Errorf("ids %d and %d", again.ID(), inAgain.ID())
		}
		again.Free()
		inAgain.Free()
		for _, s := range []*transport.Session{d, a} {
			wantNothingLeft(t, s)
		}
	})
}

func TestClosedStreamsAreNotReused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pair(t, transport.Config{}, transport.Config{})
		out, in := converse(t, d, a, "one")
		out.Close()
		in.Close()
		out.Free() // is too late to have an effect
		in.Free()
		again, inAgain := converse(t, d, a, "two")
		if again == out || inAgain == in {
			t.Error("used again")
		}
	})
}

func TestStreamThatThisEndAbandonsIsNotReusedAsALocalOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pair(t, transport.Config{}, transport.Config{})
		out := mustOpen(t, d)
		in := mustAccept(t, a)
		out.Free() // the reader goroutine may be using it
		synctest.Wait()
		in.Free()
		again := mustOpen(t, d)
		if again == out {
			t.Error("used again")
		}
		if inAgain := mustAccept(t, a); inAgain != in {
			t.Error("the peer's stream is not used again")
		}
	})
}

func TestPooledStreamsAreReleasedWhereItIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pair(t, transport.Config{}, transport.Config{})
		out, in := converse(t, d, a, "one")
		out.Free()
		in.Free()
		if d.PooledStreams() != 1 || a.PooledStreams() != 1 {
			t.Fatalf("%d and %d streams are kept", d.PooledStreams(), a.PooledStreams())
		}
		advance(15 * time.Second) // the default interval of the keepalive
		if d.PooledStreams() != 0 || a.PooledStreams() != 0 {
			t.Errorf("%d and %d streams are kept though nothing goes on", d.PooledStreams(), a.PooledStreams())
		}
	})
}

// TestReusedStreamsKeepNothingOfTheirPast ends calls of both ends in all ways
// at once, so that streams are reused while the ends of others arrive.
func TestReusedStreamsKeepNothingOfTheirPast(t *testing.T) {
	d, a := pair(t, transport.Config{}, transport.Config{})
	var ends sync.WaitGroup
	for _, s := range []*transport.Session{d, a} {
		ends.Go(func() {
			for {
				st, err := s.Accept(context.Background())
				if err != nil {
					return
				}
				ends.Go(func() { answerAndFree(st) })
			}
		})
	}
	var calls sync.WaitGroup
	for caller, s := range []*transport.Session{d, a} {
		for worker := range 8 {
			calls.Go(func() {
				random := rand.New(rand.NewPCG(uint64(caller), uint64(worker)))
				for i := range 500 {
					if err := callAndFree(s, fmt.Sprint(caller, worker, i), random.IntN(4)); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	calls.Wait()
	_ = d.Close(transport.CloseNormal, "")
	_ = a.Close(transport.CloseNormal, "")
	ends.Wait()
}

// answerAndFree sends the message back, if it matches the header.
func answerAndFree(st *transport.Stream) {
	defer st.Free()
	ctx := context.Background()
	m, err := st.Recv(ctx, nil)
	if err == nil && string(m.Bytes) == string(st.OpenHeader()) {
		_ = st.Send(ctx, m.Bytes, transport.SendOptions{End: true}) // may have been reset
	}
}

// callAndFree makes a call, which it abandons in three of four ways.
func callAndFree(s *transport.Session, say string, abandon int) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	st, err := s.Open(ctx, []byte(say))
	if err != nil {
		return err
	}
	defer st.Free()
	if abandon == 1 {
		return nil
	}
	if err := st.Send(ctx, []byte(say), transport.SendOptions{End: true}); err != nil {
		return err
	}
	switch abandon {
	case 2:
		return nil
	case 3:
		st.Reset(transport.ResetCancel, "")
		return nil
	}
	m, err := st.Recv(ctx, nil)
	if err != nil || string(m.Bytes) != say {
		return fmt.Errorf("%q was answered by %q, %w", say, m.Bytes, err)
	}
	if _, err := st.Recv(ctx, nil); !errors.Is(err, io.EOF) {
		return fmt.Errorf("behind the answer to %q: %w", say, err)
	}
	return nil
}

// TestUnreadIsCountedWhileStreamsAreReused: the writer goroutine counts them if
// it is the one that finds the link lost.
func TestUnreadIsCountedWhileStreamsAreReused(t *testing.T) {
	d, a := pair(t, transport.Config{}, transport.Config{})
	var ends sync.WaitGroup
	ends.Go(func() {
		for {
			st, err := a.Accept(context.Background())
			if err != nil {
				return
			}
			ends.Go(func() { answerAndFree(st) })
		}
	})
	var calls sync.WaitGroup
	for worker := range 4 {
		calls.Go(func() {
			for i := range 300 {
				if err := callAndFree(d, fmt.Sprint(worker, i), 0); err != nil {
					t.Error(err)
				}
				d.Unread()
				a.Unread()
			}
		})
	}
	calls.Wait()
	_ = d.Close(transport.CloseNormal, "")
	_ = a.Close(transport.CloseNormal, "")
	ends.Wait()
}
