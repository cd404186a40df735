package transport_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/frame"
)

// The schema of the vectors is docs/spec/vectors/README.md.

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

type sessionVector struct {
	Name     string
	Side     string
	Rule     string
	Needs    string
	Settings struct {
		InitialWindow int `json:"initial_window"`
	}
	Steps []struct {
		Receive hexBytes
		Zeros   int
		Do      string
		Stream  uint64
	}
	Expect struct {
		Close  transport.CloseCode
		Pong   *hexBytes
		Resets []struct{ Stream, Code uint64 }
		Hello  *struct{ Resumed *uint64 }
	}
}

type malformedVector struct {
	Name     string
	Hex      hexBytes
	Code     transport.CloseCode
	Rule     string
	From     string
	MaxFrame int `json:"max_frame"`
}

// load reads a file of vectors.
func load[T any](t *testing.T, name string) []T {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "spec", "vectors", name))
	if err != nil {
		t.Fatal(err)
	}
	var cases []T
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(cases) == 0 {
		t.Fatalf("%s has no cases", name)
	}
	return cases
}

// defaults makes a session that announces nothing beyond the protocol's defaults.
var defaults = transport.Config{
	MaxStreams: int(frame.HelloDefaults.MaxStreams), MaxMessage: int(frame.HelloDefaults.MaxMessage),
	MaxHeader: int(frame.HelloDefaults.MaxHeader), MaxFrame: int(frame.HelloDefaults.MaxFrame),
	InitialWindow: int(frame.HelloDefaults.InitialWindow),
}

func TestSessionVectors(t *testing.T) {
	for _, c := range load[sessionVector](t, "session.json") {
		if c.Needs != "" { // what this end does not offer
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.run(t) })
		})
	}
}

func (c *sessionVector) run(t *testing.T) {
	cfg := defaults
	if c.Settings.InitialWindow != 0 {
		cfg.InitialWindow = c.Settings.InitialWindow
	}
	side := transport.Dialer
	if c.Side == "acceptor" {
		side = transport.Acceptor
	}
	s, p := alone(t, side, cfg)
	opened := make(map[uint64]*transport.Stream)
	for _, step := range c.Steps {
		switch step.Do {
		case "open":
			st := mustOpen(t, s)
			if opened[step.Stream] = st; st.ID() != step.Stream {
				t.Fatalf("opened stream %d, want %d", st.ID(), step.Stream)
			}
		case "end":
			mustCloseSend(t, opened[step.Stream], "")
		case "":
			p.send(step.Receive, make([]byte, step.Zeros))
		default:
			t.Fatalf("unknown step %q", step.Do)
		}
		synctest.Wait()
	}
	c.check(t, p)
}

func (c *sessionVector) check(t *testing.T, p *peer) {
	var want []string
	for _, r := range c.Expect.Resets {
		want = append(want, fmt.Sprintf("RESET %d %v", r.Stream, transport.ResetCode(r.Code)))
	}
	if c.Expect.Pong != nil {
		want = append(want, fmt.Sprintf("PONG %q", []byte(*c.Expect.Pong)))
	}
	ignored := []string{"HELLO", "OPEN", "END", "WINDOW", "ACK", "PING"}
	if h := c.Expect.Hello; h != nil && h.Resumed != nil {
		want = append(want, fmt.Sprintf("HELLO resumed %d", *h.Resumed))
		ignored = ignored[1:]
	}
	got := slices.DeleteFunc(p.got(), func(f string) bool {
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

// A malformed message closes the link whatever happened before: on the first
// message, with a stream that is open, and with one that is closed.
func TestMalformedVectors(t *testing.T) {
	for _, c := range load[malformedVector](t, "malformed.json") {
		for _, side := range []transport.Side{transport.Dialer, transport.Acceptor} {
			if c.From == side.String() {
				continue // it comes from the other side
			}
			for _, before := range []string{"nothing", "stream 1 open", "stream 1 closed"} {
				t.Run(c.Name+" at the "+side.String()+" with "+before, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { c.run(t, side, before) })
				})
			}
		}
	}
}

func (c *malformedVector) run(t *testing.T, side transport.Side, before string) {
	cfg := defaults
	if c.MaxFrame != 0 {
		cfg.MaxFrame = min(c.MaxFrame, 64<<10) // the most that this end announces
	}
	s, p := alone(t, side, cfg)
	if before != "nothing" {
		p.send(hello())
		if side == transport.Acceptor {
			p.send(open(1, ""))
		} else {
			mustOpen(t, s)
		}
	}
	if before == "stream 1 closed" {
		p.send(reset(1, 1))
	}
	synctest.Wait()
	p.got()
	p.send(c.Hex)
	p.wantsClose(c.Code)
	wantCode(t, s.Err(), c.Code)
}
