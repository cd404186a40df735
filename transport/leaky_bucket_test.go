package transport_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

func TestPeerThatPingsTooOftenIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // A5
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		for range 1000 { // as many as 100 a second over 10 s
			p.send(ping("at once!"))
		}
		synctest.Wait()
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
		p.send(ping("one more"))
		p.wantsClose(exhausted)
	})
}

func TestPingsWithinTheRateGoOnForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // A5
		_, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		for range 3000 {
			p.send(ping("steady.."))
			advance(10 * time.Millisecond)
		}
		p.got()
		p.wantsLife()
	})
}

func TestPeerThatResetsTooManyStreamsIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // S16
		cfg := smallest
		cfg.MaxResets = 100
		cfg.OnStream = func(st *transport.Stream, _ []byte) *transport.ResetError {
			st.OnAbort(func(error) { st.Close() })
			return nil
		}
		s, p := connectSession(t, transport.Acceptor, cfg, frame.Hello{})
		for i := range uint64(1000) {
			p.send(open(2*i+1, ""), reset(2*i+1, 1))
		}
		advance(slowReading)
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
		for i := range uint64(200) { // by now the bucket has drained a little
			p.send(open(2*i+2001, ""), reset(2*i+2001, 1))
		}
		advance(slowReading)
		p.wantsClose(exhausted)
	})
}

// slowReading is longer than the delays for all streams that are aborted within
// one period, at any limit: all but a second's worth are read at four times the
// limit.
const slowReading = 2500 * time.Millisecond

func TestPeerThatResetsManyStreamsIsReadMoreSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // S16
		cfg := smallest
		cfg.MaxResets = 100
		var read atomic.Int64
		cfg.OnStream = func(st *transport.Stream, _ []byte) *transport.ResetError {
			read.Add(1)
			return &transport.ResetError{Code: transport.ResetLimit}
		}
		s, p := connectSession(t, transport.Acceptor, cfg, frame.Hello{})
		for i := range uint64(1000) {
			p.send(open(2*i+1, ""))
		}
		synctest.Wait()
		if n := read.Load(); n != 101 {
			t.Errorf("%d streams were read at once, want those of a second", n)
		}
		advance(time.Second)
		if n := read.Load(); n < 490 || n > 510 {
			t.Errorf("%d streams were read after a second, want four times as many more", n)
		}
		advance(slowReading)
		if n, err := read.Load(), s.Err(); n != 1000 || err != nil {
			t.Errorf("%d streams were read in the end, %v", n, err)
		}
	})
}

func TestPeerThatOpensTooManyStreamsOverTheLimitIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // S14
		cfg := smallest
		cfg.MaxResets = 100
		_, p := connectSession(t, transport.Acceptor, cfg, frame.Hello{})
		for i := range uint64(16 + 1001) {
			p.send(open(2*i+1, ""))
		}
		advance(slowReading)
		p.wantsClose(exhausted)
	})
}

func TestResetsAfterTheEndAreNoFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // S16
		cfg := smallest
		cfg.MaxResets = 100
		cfg.OnStream = func(st *transport.Stream, _ []byte) *transport.ResetError {
			go func() {
				mustCloseSend(t, st, "done")
				_, _ = st.Recv(t.Context(), nil)
				st.Close()
			}()
			return nil
		}
		s, p := connectSession(t, transport.Acceptor, cfg, frame.Hello{})
		for i := range uint64(3000) {
			p.send(open(2*i+1, ""))
			synctest.Wait()
			p.send(reset(2*i+1, 1)) // of a call that one end has ended
			synctest.Wait()
		}
		if err := s.Err(); err != nil {
			t.Error(err)
		}
	})
}

func TestWindowsOfAllSessionsGrowOutOfOneBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := smallWindows(1 << 20)
		cfg.WindowBudget = transport.NewBudget(16 << 10) // one window may double once
		s, p := connectSession(t, transport.Acceptor, cfg, frame.Hello{})
		other, q := connectSession(t, transport.Acceptor, cfg, frame.Hello{})
		p.send(open(1, ""))
		q.send(open(1, ""))
		first, second := mustAccept(t, s), mustAccept(t, other)
		for range 2 {
			takeHalf(t, p, first)
		}
		p.wants("WINDOW 1 24576", "WINDOW 1 49152")
		for range 3 {
			takeHalf(t, q, second)
		}
		q.wants("WINDOW 1 24576", "WINDOW 1 32768", "WINDOW 1 40960") // its window stays the same
		first.Close()
		for range 2 {
			takeHalf(t, q, second)
		}
		q.wants("WINDOW 1 65536") // and grows when the first one returns its share
	})
}
