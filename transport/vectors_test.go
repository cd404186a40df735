package transport_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

// The schema of the vectors is docs/spec/vectors/README.md.

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
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

// defaults makes a session that announces only the protocol's defaults.
var defaults = transport.Config{
	Parameters: transport.Parameters{
		MaxStreams: int(frame.HelloDefaults.MaxStreams), MaxMessage: int(frame.HelloDefaults.MaxMessage),
		MaxHeader: int(frame.HelloDefaults.MaxHeader), MaxFrame: int(frame.HelloDefaults.MaxFrame),
		InitialWindow: int(frame.HelloDefaults.InitialWindow),
	},
}

// A malformed message closes the link whatever happened before: on the first
// message, with a stream that is open, and with one that is closed.
func TestMalformedVectors(t *testing.T) {
	for _, c := range load[malformedVector](t, "malformed.json") {
		for _, side := range []transport.Side{transport.Dialer, transport.Acceptor} {
			if c.From == side.String() {
				continue // the other side sends it
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
	s, p := startSession(t, side, cfg)
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
