package transport_test

import (
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

func TestStatsOfBothEndsAgree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pair(t, transport.Config{}, transport.Config{})
		mustSend(t, mustOpen(t, d), "up")
		mustSend(t, mustOpen(t, d), "up")
		mustSend(t, mustOpen(t, a), "down")
		synctest.Wait()
		ds, as := d.Stats(), a.Stats()
		if ds.LocalStreams != 2 || ds.RemoteStreams != 1 || as.LocalStreams != 1 || as.RemoteStreams != 2 {
			t.Errorf("streams: dialer %+v, acceptor %+v", ds, as)
		}
		if ds.SentBytes == 0 || ds.SentBytes != as.ReceivedBytes || as.SentBytes == 0 || as.SentBytes != ds.ReceivedBytes {
			t.Errorf("bytes: dialer %+v, acceptor %+v", ds, as)
		}
	})
}

func TestStatsTellWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSessionOver(t, pipe.Config{Capacity: 1}, transport.Dialer, transport.Config{Parameters: transport.Parameters{WriteQueue: 1}}, frame.Hello{MaxStreams: 16})
		var streams []*transport.Stream
		for range 16 {
			streams = append(streams, mustOpen(t, s))
			synctest.Wait()
		}
		openLater(t, s)
		synctest.Wait()
		if got := s.Stats(); got.LocalStreams != 16 || got.WaitingOpens != 1 || got.QueuedBytes != 0 || got.BlockedSends != 0 {
			t.Errorf("with one stream too many: %+v", got)
		}
		p.link.Stall()
		for _, st := range streams {
			start(func() error { return st.Send(t.Context(), make([]byte, 100), transport.SendOptions{}) })
			synctest.Wait()
		}
		got := s.Stats()
		if got.QueuedBytes < 100 || got.BlockedSends < 10 {
			t.Errorf("with a peer that does not read: %+v", got)
		}
		p.link.Cut()
		synctest.Wait()
		if got = s.Stats(); got.LocalStreams != 0 || got.WaitingOpens != 0 || got.QueuedBytes != 0 || got.BlockedSends != 0 {
			t.Errorf("of a session that has ended: %+v", got)
		}
	})
}

func TestStatsGoOnWithTheNextLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMobileDialer(t, nil)
		a := <-m.made
		st := mustOpen(t, m.dialer)
		synctest.Wait()
		m.cut()
		mustSend(t, st, "kept")
		if got := m.dialer.Stats(); got.QueuedBytes+got.UnacknowledgedBytes < len("kept") {
			t.Errorf("without a link: %+v", got)
		}
		before := a.Stats().ReceivedBytes
		if got := mustRecv(t, mustAccept(t, a)); got != "kept" {
			t.Fatalf("got %q", got)
		}
		if got := a.Stats().ReceivedBytes; got <= before {
			t.Errorf("%d bytes have come on two links, %d on the first", got, before)
		}
	})
}
