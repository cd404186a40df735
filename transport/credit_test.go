package transport_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

// cost is what a DATA frame costs beyond its payload, in bytes (PROTOCOL.md,
// section 7).
const cost = 32

// smallWindows gives the peer the smallest window, and a budget of growth bytes.
func smallWindows(growth int) transport.Config {
	return transport.Config{Parameters: transport.Parameters{MaxStreams: 16, InitialWindow: 16 << 10, MaxBuffered: 16*16<<10 + growth}}
}

// half is a message that costs half of the smallest window.
var half = strings.Repeat("h", 8<<10-cost)

func TestDataBeyondTheCreditResetsItsStream(t *testing.T) {
	empty := data(1, "")
	for _, c := range []struct {
		what string
		most []byte // uses up the credit
		over []byte
	}{
		{"in one frame", data(1, strings.Repeat("x", 16<<10-cost)), data(1, "")},
		{"by one byte", data(1, half), data(1, half+"x")},
		{"by empty messages", bytes.Repeat(empty, 16<<10/cost), empty},
		{"inside a message", concat(dataMore(1, half), dataMore(1, half)), dataMore(1, "x")},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // W1
				s, p := connectSession(t, transport.Acceptor, smallWindows(0), frame.Hello{})
				p.send(open(1, ""), open(3, ""), c.most)
				p.wantsLife()
				p.send(c.over)
				p.wants("RESET 1 protocol")
				st, other := mustAccept(t, s), mustAccept(t, s)
				wantReset(t, recvErr(t, st), transport.ResetError{Code: transport.ResetProtocol})
				p.send(data(3, "alive"))
				if got := mustRecv(t, other); got != "alive" {
					t.Errorf("got %q", got)
				}
			})
		})
	}
}

func TestSenderSpendsTheCreditAndNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{MaxMessage: 1 << 20})
		st := mustOpen(t, s)
		sent := start(func() error {
			return st.Send(t.Context(), make([]byte, 40<<10), transport.SendOptions{Mark: true})
		})
		p.wants(`OPEN 1 ""`, "DATA 1 +more +mark 16352 bytes")
		stillWaits(t, sent)

		limit := uint64(16 << 10)
		for _, old := range []uint64{limit, 5, 0} { // W2: repeats, or goes back
			p.send(window(1, old))
			p.wants()
		}
		p.send(window(1, limit+4096+cost-1)) // less than the message needs
		p.wants()
		limit += 4096 + cost
		p.send(window(1, limit))
		p.wants("DATA 1 +more +mark 4096 bytes")
		p.send(window(1, frame.MaxVarint)) // W4
		p.wants("DATA 1 +more +mark 16384 bytes", "DATA 1 +mark 4128 bytes")
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		p.send(window(1, 1)) // W2
		mustSend(t, st, "still free")
		p.wants(`DATA 1 "still free"`)
	})
}

func TestCreditForADirectionThatIsOverIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // W3
		s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
		st := mustOpen(t, s)
		mustCloseSend(t, st, "")
		p.wants(`OPEN 1 ""`, `END 1 ""`)
		p.send(window(1, 1<<30), data(1, "answer"))
		if got := mustRecv(t, st); got != "answer" {
			t.Errorf("got %q", got)
		}
		p.wantsLife()
	})
}

func TestHelloOfThePeerRaisesTheCreditOfStreamsThatAreOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := startSession(t, transport.Dialer, transport.Config{})
		st := mustOpen(t, s)
		sent := start(func() error {
			return st.Send(t.Context(), make([]byte, 60<<10), transport.SendOptions{})
		})
		p.wants("HELLO", `OPEN 1 ""`, "DATA 1 +more 16352 bytes")
		stillWaits(t, sent)
		hello := frame.Hello{InitialWindow: 64 << 10}
		p.send(hello.Append(nil))
		p.wants("DATA 1 +more 16384 bytes", "DATA 1 +more 16384 bytes", "DATA 1 12320 bytes")
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	})
}

func TestMessageLargerThanTheWindowPassesInPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, smallWindows(0), frame.Hello{})
		p.send(open(1, ""), dataMore(1, half), dataMore(1, half))
		st := mustAccept(t, s)
		p.wants() // the application does not read: no more credit
		received := start(func() error {
			m, err := st.Recv(t.Context(), nil)
			if len(m.Bytes) != 6*len(half) {
				t.Errorf("got %d bytes", len(m.Bytes))
			}
			return err
		})
		p.wants("WINDOW 1 32768") // 16 KiB are consumed, 16 KiB may follow
		stillWaits(t, received)
		p.send(dataMore(1, half))
		p.wants("WINDOW 1 40960")
		p.send(dataMore(1, half), dataMore(1, half))
		p.wants("WINDOW 1 49152", "WINDOW 1 57344")
		p.send(data(1, half))
		p.wants("WINDOW 1 65536")
		if err := <-received; err != nil {
			t.Fatal(err)
		}
	})
}

func TestCreditComesWhenTheApplicationTakesAndOnlyThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, smallWindows(0), frame.Hello{})
		p.send(open(1, ""), data(1, half), data(1, "12"), data(1, ""))
		st := mustAccept(t, s)
		advance(time.Second)
		p.wants()
		mustRecv(t, st)
		p.wants("WINDOW 1 24576")
		mustRecv(t, st)
		mustRecv(t, st)
		p.wants() // less than half of the window is used up
	})
}

func TestNoCreditIsGivenOnceThePeerHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, smallWindows(0), frame.Hello{})
		p.send(open(1, ""), data(1, half), dataEnd(1, half))
		st := mustAccept(t, s)
		synctest.Wait() // for the end
		mustRecv(t, st)
		mustRecv(t, st)
		wantEnd(t, st)
		p.wants()
	})
}

func TestMessageThatEndsTheStreamBringsNoCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, smallWindows(0), frame.Hello{})
		p.send(open(1, ""))
		st := mustAccept(t, s)
		received := start(func() error {
			_, err := st.Recv(t.Context(), nil)
			return err
		})
		stillWaits(t, received)
		p.send(dataEnd(1, half+half))
		if err := <-received; err != nil {
			t.Fatal(err)
		}
		p.wants()
	})
}

func TestUnreadStreamDoesNotStallOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pair(t, transport.Config{}, transport.Config{})
		deaf, other := mustOpen(t, d), mustOpen(t, d)
		stuck := start(func() error {
			return deaf.Send(t.Context(), make([]byte, 4<<20), transport.SendOptions{})
		})
		stillWaits(t, stuck)
		lively := start(func() error {
			for range 100 {
				if err := other.Send(t.Context(), make([]byte, 100<<10), transport.SendOptions{}); err != nil {
					return err
				}
			}
			return nil
		})
		unread, in := mustAccept(t, a), mustAccept(t, a)
		for range 100 {
			mustRecv(t, in)
		}
		if err := <-lively; err != nil {
			t.Fatal(err)
		}
		stillWaits(t, stuck)
		if got := len(mustRecv(t, unread)); got != 4<<20 {
			t.Errorf("got %d bytes", got)
		}
		if err := <-stuck; err != nil {
			t.Fatal(err)
		}
	})
}
