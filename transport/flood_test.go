package transport_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// exhausted is the close code of RESOURCE_EXHAUSTED, for a peer that floods.
const exhausted = transport.CloseRefusal + 8

func TestStreamsOpenedAndResetAtOnceAreBoundedWhileTheyAreInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // S16
		s, p := connectSession(t, transport.Acceptor, smallest, frame.Hello{})
		const flood = 10_000
		refused := 0
		for i := range uint64(flood) {
			p.send(open(2*i+1, ""))
			p.send(reset(2*i+1, 1))
		}
		advance(slowReading)
		for _, f := range p.got() {
			var id uint64
			if _, err := fmt.Sscanf(f, "RESET %d refused", &id); err != nil {
				t.Fatalf("the peer got %s", f)
			}
			refused++
		}
		if refused != flood-32 { // handlers of twice MaxStreams are running
			t.Errorf("%d of %d streams were refused", refused, flood)
		}

		for range 32 {
			st := mustAccept(t, s)
			wantReset(t, recvErr(t, st), transport.ResetError{Code: transport.ResetCancel, Remote: true})
			st.Close()
		}
		if _, err := s.Accept(ended(t)); !errors.Is(err, context.Canceled) {
			t.Errorf("another stream is there: %v", err)
		}
		p.send(open(2*flood+1, "")) // everything was released, so it is served
		p.wants()
		mustAccept(t, s)
	})
}

func TestStreamsResetAsTheyOpenLeaveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // S16
		accepted := 0
		cfg := smallest
		cfg.OnStream = func(st *transport.Stream, _ []byte) *transport.ResetError {
			accepted++
			st.OnAbort(func(error) { st.Close() })
			return nil
		}
		s, p := connectSession(t, transport.Acceptor, cfg, frame.Hello{})
		for i := range uint64(10_000) {
			p.send(open(2*i+1, ""), data(2*i+1, "x"))
			p.send(reset(2*i+1, 1))
		}
		advance(slowReading)
		p.wantsLife()
		if accepted != 10_000 {
			t.Errorf("%d streams were accepted", accepted)
		}
		wantNothingLeft(t, s)
		if err := s.Err(); err != nil {
			t.Error(err)
		}
	})
}

func TestPeerThatProvokesRefusalsAndDoesNotReadThemIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // S16
		s, p := connectSessionOver(t, pipe.Config{Capacity: 64}, transport.Acceptor, smallest, frame.Hello{})
		p.link.Stall()
		sent := 0
		for ; s.Err() == nil && sent < 50_000; sent++ {
			p.send(open(uint64(2*sent+1), ""))
			synctest.Wait()
		}
		wantCode(t, s.Err(), exhausted)
		p.link.Resume()
		p.wantsClose(exhausted)
	})
}

// sendAbortedStream sends 500 streams that are reset at once, and one that
// stays open. Few of them reach the application: between their frames other
// goroutines may have run.
func (p *peer) sendAbortedStream() {
	for id := uint64(1); id < 1000; id += 2 {
		p.send(open(id, ""), data(id, "x"), reset(id, 1))
	}
	p.send(open(1001, "real"))
}

// fewStillborn is more than reach the application of 500.
const fewStillborn = 10

func TestOnStreamIsNotCalledForStreamsThatAreReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // S16
		var seen []string
		cfg := smallest
		cfg.OnStream = func(st *transport.Stream, header []byte) *transport.ResetError {
			seen = append(seen, string(header))
			st.Close()
			return nil
		}
		s, p := connectSession(t, transport.Acceptor, cfg, frame.Hello{})
		p.sendAbortedStream()
		synctest.Wait()
		if n := len(seen); n == 0 || n > fewStillborn || seen[n-1] != "real" {
			t.Errorf("%d streams were handed over, the last with %q", n, seen[max(n-1, 0):])
		}
		wantNothingLeft(t, s)
	})
}

func TestAcceptReturnsNoStreamsThatAreReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // S16
		s, p := connectSession(t, transport.Acceptor, smallest, frame.Hello{})
		p.sendAbortedStream()
		header := ""
		for range fewStillborn {
			st := mustAccept(t, s)
			header = string(st.OpenHeader())
			st.Close()
			if header != "" {
				break
			}
		}
		synctest.Wait()
		if header != "real" {
			t.Errorf("%d streams were handed over, and the one that lives was not", fewStillborn)
		}
		wantNothingLeft(t, s)
	})
}

func TestStreamsThatOnStreamRefusesCountAsAborted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := smallest
		cfg.MaxResets = 100
		cfg.OnStream = func(*transport.Stream, []byte) *transport.ResetError {
			return &transport.ResetError{Code: transport.ResetLimit, Reason: "too much"}
		}
		s, p := connectSession(t, transport.Acceptor, cfg, frame.Hello{})
		for i := range uint64(1000) {
			p.send(open(2*i+1, ""))
		}
		advance(slowReading)
		var want []string
		for i := range 1000 {
			want = append(want, fmt.Sprintf("RESET %d limit", 2*i+1))
		}
		p.wants(want...)
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
		wantNothingLeft(t, s)
		for i := range uint64(200) { // by now the bucket has drained a little
			p.send(open(2*i+2001, ""))
		}
		advance(slowReading)
		p.wantsClose(exhausted)
	})
}

func TestPeerThatProvokesResetsAndDoesNotReadThemIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // S8, repeatedly
		cfg := smallest
		cfg.OnStream = func(st *transport.Stream, _ []byte) *transport.ResetError {
			st.Close()
			return nil
		}
		s, p := connectSessionOver(t, pipe.Config{Capacity: 64}, transport.Acceptor, cfg, frame.Hello{})
		p.link.Stall()
		for id := uint64(1); s.Err() == nil && id < 100_000; id += 2 {
			p.send(open(id, ""), header(id, ""))
			synctest.Wait()
		}
		wantCode(t, s.Err(), exhausted)
	})
}

func TestPingsOfAPeerThatDoesNotReadCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // A5
		s, p := connectSessionOver(t, pipe.Config{Capacity: 64}, transport.Acceptor, transport.Config{Parameters: transport.Parameters{MaxPings: 10_000}}, frame.Hello{})
		p.link.Stall()
		for i := range 50_000 {
			p.send(ping(fmt.Sprintf("%08d", i)))
			if i < 10 {
				synctest.Wait() // until the writer blocks
			}
		}
		synctest.Wait()
		p.link.Resume()
		pongs := p.got()
		if len(pongs) > 11 || pongs[len(pongs)-1] != `PONG "00049999"` {
			t.Errorf("%d PONGs, the last is %s", len(pongs), pongs[len(pongs)-1])
		}
		if err := s.Err(); err != nil {
			t.Error(err)
		}
	})
}

func TestPongWithoutAPingIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // A4
		_, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		p.send(pong("unasked!"), pong("\xff\xff\xff\xff\xff\xff\xff\xff"))
		p.wantsLife()
	})
}

func TestAckIsOnlyLookedAtForItsForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // A3: resumption is not in force
		_, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		p.send(frame.AppendAck(nil, 1<<40), frame.AppendAck(nil, 3))
		p.wantsLife()
	})
}

func TestIgnorableFramesAreSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // F3
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		p.send(raw(13, frame.FlagIgnorable, 99, "later"), open(1, ""), raw(15, 0xf0, 0, ""), data(1, "x"), raw(12, frame.FlagIgnorable, 1, string(make([]byte, 32<<10))))
		if got := mustRecv(t, mustAccept(t, s)); got != "x" {
			t.Errorf("got %q", got)
		}
		p.wantsLife()
	})
}

func TestSendToAPeerThatNeverReadsBlocksUntilItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // L7
		s, p := connectSessionOver(t, pipe.Config{Capacity: 1}, transport.Dialer, transport.Config{Parameters: transport.Parameters{WriteQueue: 10_000}}, generous)
		p.link.Stall()
		st := mustOpen(t, s)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		taken := 0
		var err error
		for ; err == nil; taken += 1000 {
			err = st.Send(ctx, make([]byte, 1000), transport.SendOptions{})
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		// What is queued, and what the writer has taken before.
		if taken > 10_000+64<<10 {
			t.Errorf("%d bytes were taken", taken)
		}
		if err := s.Err(); err != nil {
			t.Error(err)
		}
		p.link.Resume()
		synctest.Wait()
		mustSend(t, st, "the stream goes on: nothing was begun")
	})
}

func TestOpenToAPeerThatNeverReadsBlocksUntilItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // L7
		s, p := connectSessionOver(t, pipe.Config{Capacity: 1}, transport.Dialer, transport.Config{Parameters: transport.Parameters{WriteQueue: 1000}}, generous)
		p.link.Stall()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var err error
		for n := 0; err == nil; n++ {
			if n > 1000 {
				t.Fatal("Open never blocked")
			}
			_, err = s.Open(ctx, make([]byte, 100))
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestManyStreamsThatAreResetAtOnceAreNoFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSessionOver(t, pipe.Config{Capacity: 1}, transport.Acceptor, transport.Config{}, generous)
		const inbound, own = 1024, 50_000
		for i := range uint64(inbound) {
			p.send(open(2*i+1, ""))
		}
		streams := make([]*transport.Stream, 0, own)
		for range own {
			streams = append(streams, mustOpen(t, s))
		}
		synctest.Wait()
		p.got()
		p.link.Stall()
		for range 2 { // until the writer blocks
			mustSend(t, streams[0], "")
			synctest.Wait()
		}
		for range inbound {
			mustAccept(t, s).Reset(transport.ResetApplication, strings.Repeat("a long reason ", 70))
		}
		for _, st := range streams {
			st.Close()
		}
		synctest.Wait()
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
		p.link.Resume()
		resets := 0
		for _, f := range p.got() {
			if strings.HasPrefix(f, "RESET") {
				resets++
			}
		}
		if resets != inbound+own {
			t.Errorf("%d of %d RESETs came", resets, inbound+own)
		}
		p.wantsLife()
	})
}
