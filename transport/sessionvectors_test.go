package transport_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

type sessionVector struct {
	Name     string
	Side     string
	Rule     string
	Needs    string
	Settings struct {
		InitialWindow int `json:"initial_window"`
	}
	Steps  []sessionStep
	Expect struct {
		Close  transport.CloseCode
		Pong   *hexBytes
		Resets []struct{ Stream, Code uint64 }
		Hello  *struct{ Resumed, Received, Attempt *uint64 }
		Sent   []hexBytes
		// What the application can still receive.
		Streams []struct {
			Stream   uint64
			Messages []hexBytes
			Trailer  hexBytes
		}
	}
}

type sessionStep struct {
	Receive hexBytes
	Zeros   int
	Times   int
	Behind  hexBytes

	Do       string
	Stream   uint64
	Received uint64
	Attempt  uint64
	Token    string
	Code     transport.CloseCode
}

func TestSessionVectors(t *testing.T) { runSessionVectors(t, "session.json") }

func TestStreamStateVectors(t *testing.T) { runSessionVectors(t, "states.json") }

func runSessionVectors(t *testing.T, file string) {
	for _, c := range load[sessionVector](t, file) {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.run(t) })
		})
	}
}

// vectorRun runs one case of session.json.
type vectorRun struct {
	t      *testing.T
	cfg    transport.Config
	s      *transport.Session // the end under test
	p      *peer              // of the newest link
	first  frame.Hello        // the first HELLO of the end under test
	opened map[uint64]*transport.Stream
}

func (c *sessionVector) run(t *testing.T) {
	r := &vectorRun{t: t, cfg: defaults, opened: make(map[uint64]*transport.Stream)}
	if c.Settings.InitialWindow != 0 {
		r.cfg.InitialWindow = c.Settings.InitialWindow
	}
	side := transport.Dialer
	if c.Side == "acceptor" {
		side = transport.Acceptor
	}
	if c.Needs == "resumption" {
		r.cfg.Sessions, r.cfg.OnDetached = new(transport.Sessions), func(*transport.Session, error) {}
	}
	r.s, r.p = startSession(t, side, r.cfg)
	for _, step := range c.Steps {
		r.step(&step)
		synctest.Wait()
	}
	for _, want := range c.Expect.Streams {
		r.wantsReceivable(want.Stream, want.Messages, want.Trailer)
	}
	c.check(t, r.p)
}

func (r *vectorRun) step(step *sessionStep) {
	switch step.Do {
	case "open":
		st := mustOpen(r.t, r.s)
		if r.opened[step.Stream] = st; st.ID() != step.Stream {
			r.t.Fatalf("opened stream %d, want %d", st.ID(), step.Stream)
		}
	case "end":
		mustCloseSend(r.t, r.opened[step.Stream], "")
	case "announce":
		r.can(r.s.Announce(transport.GoAway{}))
	case "goaway":
		r.can(r.s.GoAway(transport.GoAway{}))
	case "retire":
		r.can(r.s.StopOpening())
	case "lose":
		r.p.link.Cut()
	case "close":
		r.p.link.Close(step.Code, "")
	case "replace":
		r.replace(step)
	case "resume":
		r.noteFirst()
		if r.p.side == transport.Dialer {
			r.redial()
		} else {
			r.askToResume(step)
		}
	case "":
		var message []byte
		for range max(step.Times, 1) {
			message = append(append(message, step.Receive...), make([]byte, step.Zeros)...)
		}
		r.p.send(message, step.Behind)
	default:
		r.t.Fatalf("unknown step %q", step.Do)
	}
}

func (r *vectorRun) can(err error) {
	if err != nil {
		r.t.Fatal(err)
	}
}

// noteFirst records the first HELLO of the end under test.
func (r *vectorRun) noteFirst() {
	if r.first.Session == nil {
		r.first = r.p.peerHello()
	}
}

// replace makes the peer start a new session in place of the first.
func (r *vectorRun) replace(step *sessionStep) {
	r.noteFirst()
	h := frame.Hello{ResumeWindow: 30_000, Replaces: r.first.Session, ReplacesToken: r.first.Token}
	if step.Token == "wrong" {
		h.ReplacesToken = make([]byte, frame.TokenLen)
	}
	_, r.p = startSession(r.t, transport.Acceptor, r.cfg)
	r.p.send(h.Append(nil))
}

// redial gives the dialer under test another link.
func (r *vectorRun) redial() {
	own, other := pipe.New(pipe.Config{})
	r.p = &peer{t: r.t, link: other, side: transport.Dialer}
	r.t.Cleanup(func() { other.Close(transport.CloseNormal, "") })
	go r.p.read()
	go func() { _, _ = r.s.Resume(r.t.Context(), own, nil) }()
}

// askToResume makes the peer dial the acceptor under test again.
func (r *vectorRun) askToResume(step *sessionStep) {
	last := r.p.peerHello()
	h := frame.Hello{ResumeWindow: 30_000, Session: last.Session, Token: last.Token, Received: step.Received, Attempt: step.Attempt}
	if step.Token == "first" {
		h.Session, h.Token = r.first.Session, r.first.Token
	}
	_, r.p = startSession(r.t, transport.Acceptor, r.cfg)
	r.p.send(h.Append(nil), step.Behind)
}

// wantsReceivable checks what the application can receive of a stream to its end.
func (r *vectorRun) wantsReceivable(id uint64, messages []hexBytes, trailer hexBytes) {
	r.t.Helper()
	st := r.opened[id]
	for _, want := range messages {
		if got := mustRecv(r.t, st); got != string(want) {
			r.t.Errorf("stream %d: received %q, want %q", id, got, want)
		}
	}
	if err := recvErr(r.t, st); !errors.Is(err, io.EOF) {
		r.t.Errorf("stream %d: %v behind %d messages, want io.EOF", id, err, len(messages))
	}
	if got, ended := st.Trailer(); !ended || string(got) != string(trailer) {
		r.t.Errorf("stream %d: trailer %q, ended %t, want %q", id, got, ended, trailer)
	}
}

func (c *sessionVector) check(t *testing.T, p *peer) {
	frames := p.got()
	c.checkHello(t, p, frames)
	want := c.wanted(t)
	ignored := []string{"HELLO", "OPEN", "END", "WINDOW", "ACK", "PING"}
	if c.Expect.Sent != nil {
		ignored = []string{"HELLO", "WINDOW", "PING"}
	}
	got := slices.DeleteFunc(frames, func(f string) bool {
		word, _, _ := strings.Cut(f, " ")
		return slices.Contains(ignored, word)
	})
	if !slices.Equal(got, want) {
		t.Errorf("rule %s: the peer got %q, want %q", c.Rule, got, want)
	}
	if c.Expect.Close != 0 {
		p.wantsClose(c.Expect.Close)
		return
	}
	p.wantsLife()
}

// wanted returns the frames that the peer must receive, in words.
func (c *sessionVector) wanted(t *testing.T) (want []string) {
	for _, r := range c.Expect.Resets {
		want = append(want, fmt.Sprintf("RESET %d %v", r.Stream, transport.ResetCode(r.Code)))
	}
	if c.Expect.Pong != nil {
		want = append(want, fmt.Sprintf("PONG %q", []byte(*c.Expect.Pong)))
	}
	for _, b := range c.Expect.Sent {
		h, n, err := frame.ParseHeader(b)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, inWords(h, b[n:]))
	}
	return want
}

func (c *sessionVector) checkHello(t *testing.T, p *peer, frames []string) {
	want := c.Expect.Hello
	if want == nil {
		return
	}
	if !slices.ContainsFunc(frames, func(f string) bool { return strings.HasPrefix(f, "HELLO") }) {
		t.Errorf("rule %s: no HELLO on the newest link", c.Rule)
	}
	got := p.peerHello()
	var resumed uint64
	if got.Answer != frame.NoAnswer {
		resumed = uint64(got.Answer - frame.SessionUnknown)
	}
	for name, v := range map[string]struct {
		want *uint64
		got  uint64
	}{"resumed": {want.Resumed, resumed}, "received": {want.Received, got.Received}, "attempt": {want.Attempt, got.Attempt}} {
		if v.want != nil && *v.want != v.got {
			t.Errorf("rule %s: HELLO says %s %d, want %d", c.Rule, name, v.got, *v.want)
		}
	}
	if want.Resumed != nil && got.Answer == frame.NoAnswer {
		t.Errorf("rule %s: HELLO does not answer", c.Rule)
	}
}
