package transport_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

func TestNoAcknowledgementComesBehindAHigherOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := transport.Config{Sessions: new(transport.Sessions), Parameters: transport.Parameters{InitialWindow: 1 << 26}}
		s, p := connectSession(t, transport.Acceptor, cfg, frame.Hello{ResumeWindow: 30_000, ReplayLimit: 64 << 10})
		p.send(open(1, ""))
		for range 2 {
			go func() { // as the timer does, but all the time
				for range 20_000 {
					s.AckTimeout()
				}
			}()
		}
		piece := strings.Repeat("x", 8<<10)
		for range 2000 { // the reader goroutine acknowledges every 16 KiB
			p.send(data(1, piece))
		}
		last, seen := uint64(0), 0
		for _, f := range p.got() {
			var n uint64
			if _, err := fmt.Sscanf(f, "ACK %d", &n); err != nil {
				continue
			}
			if n < last {
				t.Fatalf("ACK %d comes behind ACK %d", n, last)
			}
			last = n
			seen++
		}
		if last < 1900 || seen < 10 {
			t.Errorf("%d acknowledgements, the last of %d frames", seen, last)
		}
	})
}

// A peer may acknowledge what it has not read: this end has only begun to write
// it.
func TestFrameMayBeAcknowledgedWhileItIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, g := connectBehindGate(t, nil)
		st := mustOpen(t, s)
		p.wants(`OPEN 2 ""`)
		first, second := strings.Repeat("1", 30), strings.Repeat("2", 30)
		g.shut <- struct{}{}
		mustSend(t, st, first)
		synctest.Wait()
		p.send(frame.AppendAck(nil, 2))
		synctest.Wait()
		mustSend(t, st, second) // uses the memory of the first if that is free
		<-g.shut
		p.wants(fmt.Sprintf("DATA 2 %q", first), fmt.Sprintf("DATA 2 %q", second))
	})
}
