package transport_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// peer is the peer of a session. The test writes its frames and checks those
// that it receives. It reads all the time, unless its link is stalled.
type peer struct {
	t    *testing.T
	link *pipe.End
	side transport.Side // of the session that is tested

	mu     sync.Mutex
	hello  frame.Hello // the last one received
	frames []string    // received and not checked yet, in words
	sizes  []int       // lengths in bytes of all received link messages
	err    error       // how the link ended
}

// startSession starts a session whose peer has sent nothing yet. Both end with
// the test.
func startSession(t *testing.T, side transport.Side, cfg transport.Config) (*transport.Session, *peer) {
	t.Helper()
	return startSessionOver(t, pipe.Config{}, side, cfg)
}

func startSessionOver(t *testing.T, wire pipe.Config, side transport.Side, cfg transport.Config) (*transport.Session, *peer) {
	t.Helper()
	own, other := pipe.New(wire)
	p := &peer{t: t, link: other, side: side}
	t.Cleanup(func() { other.Close(transport.CloseNormal, "") })
	s, err := transport.NewSession(own, side, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(transport.CloseNormal, "") })
	go p.read()
	return s, p
}

// connectSession starts a session whose peer has sent hello and has received
// its HELLO.
func connectSession(t *testing.T, side transport.Side, cfg transport.Config, hello frame.Hello) (*transport.Session, *peer) {
	t.Helper()
	return connectSessionOver(t, pipe.Config{}, side, cfg, hello)
}

func connectSessionOver(t *testing.T, wire pipe.Config, side transport.Side, cfg transport.Config, hello frame.Hello) (*transport.Session, *peer) {
	t.Helper()
	s, p := startSessionOver(t, wire, side, cfg)
	p.send(hello.Append(nil))
	if _, err := s.PeerSettings(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, f := range p.got() {
		if f != "HELLO" {
			t.Fatalf("the session said %s before anything happened", f)
		}
	}
	return s, p
}

func (p *peer) read() {
	for {
		r, err := p.link.NextReader()
		if err != nil {
			p.mu.Lock()
			p.err = err
			p.mu.Unlock()
			return
		}
		msg, err := io.ReadAll(r)
		if err != nil {
			p.t.Errorf("the session's message broke off: %v", err)
		}
		p.mu.Lock()
		p.sizes = append(p.sizes, len(msg))
		for len(msg) > 0 {
			h, n, err := frame.ParseHeader(msg)
			if err != nil || uint64(len(msg)-n) < h.Length {
				p.t.Errorf("the session sent a malformed message: %x: %v", msg, err)
				break
			}
			payload := msg[n : n+int(h.Length)]
			if h.Type == frame.TypeHello {
				if p.hello, err = frame.ParseHello(payload); err != nil {
					p.t.Errorf("the session sent a malformed HELLO: %v", err)
				}
			}
			p.frames = append(p.frames, inWords(h, payload))
			msg = msg[n+int(h.Length):]
		}
		p.mu.Unlock()
	}
}

// inWords formats a frame: type, stream, flags, payload. Of a HELLO it shows
// only the answer to a request to resume, if any.
func inWords(h frame.Header, payload []byte) string {
	words := []string{h.Type.String()}
	if h.Stream != 0 {
		words = append(words, fmt.Sprint(h.Stream))
	}
	for _, f := range []struct {
		flag frame.Flags
		name string
	}{{frame.FlagEnd, "+end"}, {frame.FlagMore, "+more"}, {frame.FlagMark, "+mark"}} {
		if h.Flags&f.flag != 0 {
			words = append(words, f.name)
		}
	}
	switch h.Type {
	case frame.TypeHello:
		if hello, err := frame.ParseHello(payload); err != nil || hello.Answer != frame.NoAnswer {
			words = append(words, fmt.Sprintf("resumed %d", hello.Answer-frame.SessionUnknown))
		}
	case frame.TypeReset:
		code, _, _ := frame.ParseReset(payload)
		words = append(words, transport.ResetCode(code).String())
	case frame.TypeWindow:
		limit, _ := frame.ParseWindow(payload)
		words = append(words, fmt.Sprint(limit))
	case frame.TypeAck:
		n, _ := frame.ParseAck(payload)
		words = append(words, fmt.Sprint(n))
	case frame.TypeGoAway:
		info, _ := frame.ParseGoAway(payload)
		words = append(words, fmt.Sprint(info.LastStream))
	default:
		if len(payload) > 32 {
			words = append(words, fmt.Sprintf("%d bytes", len(payload)))
		} else {
			words = append(words, fmt.Sprintf("%q", payload))
		}
	}
	return strings.Join(words, " ")
}

// send sends the frames as one link message.
func (p *peer) send(frames ...[]byte) {
	p.t.Helper()
	if err := p.link.WriteMessage(frames); err != nil {
		p.t.Errorf("peer cannot send: %v", err)
	}
}

// got waits until all goroutines are blocked, and returns the frames received
// since the last call.
func (p *peer) got() []string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	frames := p.frames
	p.frames = nil
	return frames
}

// peerHello waits until all goroutines are blocked, and returns the last
// received HELLO.
func (p *peer) peerHello() frame.Hello {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hello
}

// wants checks that exactly these frames were received since got or wants.
func (p *peer) wants(frames ...string) {
	p.t.Helper()
	if got := p.got(); !slices.Equal(got, frames) {
		p.t.Errorf("the peer got %q, want %q", got, frames)
	}
}

// wantsMessages checks how many messages of the link were received in all.
func (p *peer) wantsMessages(n int) {
	p.t.Helper()
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sizes) != n {
		p.t.Errorf("%d messages of the link have arrived, want %d", len(p.sizes), n)
	}
}

// wantsClose checks that the session has closed the link with code.
func (p *peer) wantsClose(code transport.CloseCode) {
	p.t.Helper()
	synctest.Wait()
	p.mu.Lock()
	err := p.err
	p.mu.Unlock()
	var closed *transport.CloseError
	if !errors.As(err, &closed) || closed.Code != code || !closed.Remote {
		p.t.Errorf("the link ended with %v, want it closed with %d", err, code)
	}
}

// wantsLoss checks that the session has given up the link without a code.
func (p *peer) wantsLoss() {
	p.t.Helper()
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !errors.Is(p.err, pipe.ErrLost) {
		p.t.Errorf("the link ended with %v, want it lost", p.err)
	}
}

// wantsLife checks that the session still answers, and has sent nothing else.
func (p *peer) wantsLife() {
	p.t.Helper()
	p.send(ping("alive?!!"))
	p.wants(`PONG "alive?!!"`)
}

// advance lets virtual time pass.
func advance(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// wantNothingLeft fails the test if the session still holds something for streams
// once all goroutines of the bubble wait: a stream leaves the table a moment after
// its reader has seen the end.
func wantNothingLeft(t *testing.T, s *transport.Session) {
	t.Helper()
	synctest.Wait()
	if left := s.Residue(); len(left) > 0 {
		t.Errorf("the session holds %v", left)
	}
}

// start runs f on another goroutine and sends its error on the channel.
func start(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// stillWaits checks that a started function has not ended.
func stillWaits(t *testing.T, done <-chan error) {
	t.Helper()
	synctest.Wait()
	if len(done) > 0 {
		t.Fatalf("did not wait, but ended with %v", <-done)
	}
}
