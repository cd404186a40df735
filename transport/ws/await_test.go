package ws_test

import (
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// awaiting calls AwaitMessage on another goroutine. That it waits by then can
// only be made likely.
func awaiting(c *ws.Conn, deadline time.Time) <-chan bool {
	done := make(chan bool, 1)
	go func() { done <- c.AwaitMessage(deadline) }()
	return done
}

func await(c *ws.Conn) bool { return c.AwaitMessage(time.Now().Add(5 * time.Second)) }

func wantMessage(t *testing.T, c *ws.Conn) {
	t.Helper()
	if !await(c) {
		t.Fatal("no whole message is there")
	}
}

func wantNoMessage(t *testing.T, c *ws.Conn) {
	t.Helper()
	if await(c) {
		t.Fatal("a whole message is there")
	}
}

func wantCanAwait(t *testing.T, c *ws.Conn) {
	t.Helper()
	if !c.CanAwait() {
		t.Fatal("AwaitMessage cannot wait")
	}
}

func wantCannotAwait(t *testing.T, c *ws.Conn) {
	t.Helper()
	if c.CanAwait() {
		t.Fatal("AwaitMessage can wait")
	}
}

func TestAwaitMessageWaitsForAWholeMessage(t *testing.T) {
	client, server := connect(t)
	for name, ends := range map[string][2]*ws.Conn{"client": {client, server}, "server": {server, client}} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{0, 1, 125, 126, 200} {
				wantCanAwait(t, ends[0])
				there := awaiting(ends[0], time.Time{})
				if err := ends[1].WriteMessage([][]byte{make([]byte, size)}); err != nil {
					t.Fatal(err)
				}
				if !<-there {
					t.Fatalf("a message of %d bytes is not there", size)
				}
				if got := read(t, ends[0]); len(got) != size {
					t.Fatalf("%d bytes, not %d", len(got), size)
				}
			}
		})
	}
}

func TestAwaitMessageLeavesWhatIsNoWholeMessageToNextReader(t *testing.T) {
	for name, c := range map[string]struct {
		first func(p *rawPeer)
		rest  func(p *rawPeer)
	}{
		"a part of a frame": {
			func(p *rawPeer) { p.frameOf(0x82, 5, "he") },
			func(p *rawPeer) { p.send("llo") },
		},
		"a fragment": {
			func(p *rawPeer) { p.frame(0x02, "he") },
			func(p *rawPeer) { p.frame(0x80, "llo") },
		},
		"a PING before it": {
			func(p *rawPeer) { p.frame(0x89, "") },
			func(p *rawPeer) { p.frame(0x82, "hello") },
		},
		"more than is read ahead": {
			func(p *rawPeer) { p.frame(0x82, strings.Repeat("hello", 10_000)) },
			func(*rawPeer) {},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c1, p := rawServer(t)
			c.first(p)
			wantNoMessage(t, c1)
			wantCannotAwait(t, c1)
			wantNoMessage(t, c1)
			c.rest(p)
			if got := read(t, c1); !strings.HasPrefix(got, "hello") {
				t.Errorf("read %q", got)
			}
			wantCanAwait(t, c1)
		})
	}
}

func TestAwaitMessageFindsMessagesThatCameTogether(t *testing.T) {
	c, p := rawServer(t)
	p.send("\x82\x03one\x82\x03two\x82\x05th")
	for _, want := range []string{"one", "two"} {
		wantMessage(t, c)
		if got := read(t, c); got != want {
			t.Errorf("read %q", got)
		}
		wantCannotAwait(t, c)
	}
	wantNoMessage(t, c)
	p.send("ree")
	if got := read(t, c); got != "three" {
		t.Errorf("read %q", got)
	}
	wantCanAwait(t, c)
}

func TestAwaitMessageEndsAtItsDeadline(t *testing.T) {
	client, server := connect(t)
	if client.AwaitMessage(time.Now().Add(10 * time.Millisecond)) {
		t.Error("a message is there")
	}
	if client.AwaitMessage(time.Unix(1, 0)) {
		t.Error("a message is there")
	}
	wantLinkLives(t, client, server)
}

func TestInterruptEndsAwaitMessage(t *testing.T) {
	client, server := connect(t)
	there := awaiting(client, time.Time{})
	client.Interrupt()
	if <-there {
		t.Error("a message is there")
	}
	wantLinkLives(t, client, server)
}

// wantLinkLives checks that a message arrives, whether it is awaited or not.
func wantLinkLives(t *testing.T, client, server *ws.Conn) {
	t.Helper()
	for _, awaits := range []bool{false, true} {
		if err := server.WriteMessage([][]byte{[]byte("hello")}); err != nil {
			t.Fatal(err)
		}
		if awaits {
			wantMessage(t, client)
		}
		if got := read(t, client); got != "hello" {
			t.Errorf("read %q", got)
		}
	}
}

func TestCloseEndsAwaitMessage(t *testing.T) {
	client, _ := connect(t)
	there := awaiting(client, time.Now().Add(time.Minute))
	_ = client.Close(transport.CloseAbnormal, "")
	if <-there {
		t.Error("a message is there")
	}
	wantCannotAwait(t, client)
	wantNoMessage(t, client)
	if nextReader(client) == nil {
		t.Error("NextReader returned a message")
	}
}

func TestEndOfTheLinkEndsAwaitMessage(t *testing.T) {
	for _, code := range []transport.CloseCode{transport.CloseGoingAway, transport.CloseAbnormal} {
		client, server := connect(t)
		there := awaiting(client, time.Time{})
		go server.Close(code, "")
		if <-there {
			t.Error("a message is there")
		}
		if nextReader(client) == nil {
			t.Error("NextReader returned a message")
		}
		wantCannotAwait(t, client)
		_ = client.Close(transport.CloseNormal, "")
	}
}
