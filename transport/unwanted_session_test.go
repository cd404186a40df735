package transport_test

import (
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

func TestASessionInPlaceOfAnUnknownOneBeginsWhenTheDialerWantsIt(t *testing.T) {
	for name, c := range map[string]struct {
		frames [][]byte
		begins bool
	}{
		"nothing":             {nil, false},
		"an answer":           {[][]byte{pong("\x00\x00\x00\x00\x00\x00\x00\x01")}, true},
		"a stream":            {[][]byte{open(1, "")}, true},
		"a farewell":          {[][]byte{goAway(0), pong("\x00\x00\x00\x00\x00\x00\x00\x01")}, false},
		"a stream after that": {[][]byte{goAway(0), open(1, "")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := 0
				_, p := startSession(t, transport.Acceptor, transport.Config{OnHello: func(*transport.Session) { begun++ }})
				ask := frame.Hello{Session: make([]byte, 16), Token: make([]byte, 32)}
				p.send(ask.Append(nil))
				synctest.Wait()
				if begun != 0 {
					t.Error("it has begun with the request to resume another one")
				}
				for _, f := range c.frames {
					p.send(f)
				}
				synctest.Wait()
				if (begun == 1) != c.begins || begun > 1 {
					t.Errorf("it has begun %d times", begun)
				}
			})
		})
	}
}

func TestASessionThatIsResumedBeforeItsDialerHasSentAnythingBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []string
		sessions := new(transport.Sessions)
		config := transport.Config{
			Sessions:   sessions,
			OnHello:    func(*transport.Session) { events = append(events, "hello") },
			OnDetached: func(*transport.Session, error) { events = append(events, "detached") },
			OnResumed:  func(*transport.Session) { events = append(events, "resumed") },
		}
		_, p := startSession(t, transport.Acceptor, config)
		ask := frame.Hello{ResumeWindow: 30_000, Session: make([]byte, 16), Token: make([]byte, 32)}
		p.send(ask.Append(nil))
		fresh := p.peerHello()
		p.link.Cut()
		synctest.Wait()
		_, p = startSession(t, transport.Acceptor, config)
		again := frame.Hello{ResumeWindow: 30_000, Session: fresh.Session, Token: fresh.Token, Attempt: 1}
		p.send(again.Append(nil))
		if got := p.peerHello(); got.Answer != frame.SessionResumed {
			t.Fatalf("answer %d", got.Answer)
		}
		if want := []string{"detached", "hello", "resumed"}; len(events) != 3 || events[0] != want[0] || events[1] != want[1] || events[2] != want[2] {
			t.Errorf("events %v, want %v", events, want)
		}
	})
}
