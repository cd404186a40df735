package ws

import (
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// countingConn counts the writes that net.Buffers does not do by writev.
type countingConn struct {
	readTCPConn
	writes *int
}

func (c countingConn) Write(p []byte) (int, error) {
	*c.writes++
	return c.readTCPConn.Write(p)
}

func TestLargeMessagesOfAServerGoOutInOneSystemCall(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	out, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	back, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()

	in := &inbound{conn: out, budget: unlimited}
	wrapped, ok := in.wrap().(readTCPConn)
	if !ok {
		t.Fatalf("TCP is wrapped as %T", in.wrap())
	}
	writes := 0
	buffers := net.Buffers{[]byte("head"), []byte("body")}
	if _, err := buffers.WriteTo(countingConn{wrapped, &writes}); err != nil {
		t.Fatal(err)
	}
	if writes != 0 {
		t.Errorf("%d writes one by one instead of writev", writes)
	}
	got := make([]byte, 8)
	if _, err := io.ReadFull(back, got); err != nil || string(got) != "headbody" {
		t.Fatalf("%q, %v", got, err)
	}
}

// flood is a connection whose peer sends without end.
type flood struct {
	net.Conn
	deadline time.Time
	read     int
}

func (f *flood) SetReadDeadline(t time.Time) error {
	f.deadline = t
	return nil
}

func (f *flood) Read(p []byte) (int, error) {
	if !time.Now().Before(f.deadline) {
		return 0, os.ErrDeadlineExceeded
	}
	f.read += len(p)
	return len(p), nil
}

func TestPeerThatGoesOnAfterTheCloseIsReadSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, manner := range map[string]drainLimits{"politeDrain": politeDrain, "strictDrain": strictDrain} {
			f := new(flood)
			in := &inbound{conn: f}
			began := time.Now()
			in.drain(manner, func() {})
			if took := time.Since(began); took != closeDrainWait {
				t.Errorf("%s: it took %v", name, took)
			}
			if most := manner.free + manner.rate/2 + 32<<10; f.read < manner.free || f.read > most {
				t.Errorf("%s: %d bytes were read", name, f.read)
			}
		}
	})
}

func TestTheEndFollowsTheCloseFrameWhenThePeerHasAnsweredOrIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for answer, want := range map[time.Duration]time.Duration{
			0:                    0,
			closeAnswerWait / 2:  closeAnswerWait / 2,
			closeAnswerWait * 2:  closeAnswerWait,
			2 * closeDrainWait:   closeAnswerWait,
			-closeAnswerWait / 2: -1, // the peer closes without an answer, so its end is known
		} {
			conn, peer := net.Pipe()
			in := &inbound{conn: conn}
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				<-time.After(max(answer, -answer))
				if answer >= 0 {
					_, _ = peer.Write([]byte("an answer")) // Close may not wait for it
				}
				_ = peer.Close()
			}()
			began, ended := time.Now(), time.Duration(-1)
			in.drain(politeDrain, func() { ended = time.Since(began) })
			if ended != want {
				t.Errorf("with an answer after %v: ended after %v, want %v", answer, ended, want)
			}
			_ = conn.Close()
			<-gone
		}
	})
}
