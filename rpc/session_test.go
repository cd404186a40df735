package rpc_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/frame"
	"github.com/parley-rpc/parley/transport/pipe"
)

// sessionVector is a case of docs/spec/vectors/session.json.
type sessionVector struct {
	Name, Side, Rule, Needs string
	Settings                struct {
		MaxFrame      int `json:"max_frame"`
		MaxMessage    int `json:"max_message"`
		MaxHeader     int `json:"max_header"`
		MaxStreams    int `json:"max_streams"`
		InitialWindow int `json:"initial_window"`
		Keepalive     int
	}
	Steps []struct {
		Receive string
		Do      string
		Zeros   int
	}
	Expect struct {
		Close transport.CloseCode
		Pong  string
	}
}

// fits tells whether a case says something of an endpoint that serves calls: one
// does not leave streams alone that a peer opens, and opens none by itself.
func (v *sessionVector) fits() bool {
	for _, s := range v.Steps {
		if s.Do != "" {
			return false
		}
	}
	return v.Needs == "" && (v.Expect.Close != 0 || v.Expect.Pong != "")
}

func (v *sessionVector) config() transport.Config {
	return transport.Config{
		MaxFrame: v.Settings.MaxFrame, MaxMessage: v.Settings.MaxMessage, MaxHeader: v.Settings.MaxHeader,
		MaxStreams: v.Settings.MaxStreams, InitialWindow: v.Settings.InitialWindow,
		Keepalive: time.Duration(v.Settings.Keepalive) * time.Millisecond,
	}
}

// TestTheVectorsOfSessionsHoldForClientsAndServers as far as calls do not matter.
func TestTheVectorsOfSessionsHoldForClientsAndServers(t *testing.T) {
	file, err := os.ReadFile("../docs/spec/vectors/session.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []sessionVector
	if err := json.Unmarshal(file, &vectors); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, v := range vectors {
		if !v.fits() {
			continue
		}
		ran++
		t.Run(v.Name, func(t *testing.T) {
			p, conn := v.start(t)
			for _, s := range v.Steps {
				msg, err := hex.DecodeString(s.Receive)
				if err != nil {
					t.Fatal(err)
				}
				p.write(msg, make([]byte, s.Zeros))
			}
			if v.Expect.Pong != "" {
				f := p.next()
				if f.Type != frame.TypePong || hex.EncodeToString(f.payload) != v.Expect.Pong {
					t.Fatalf("got %v %x", f.Type, f.payload)
				}
				return
			}
			var readErr error
			for readErr == nil {
				_, readErr = p.read()
			}
			var closed *transport.CloseError
			if !errors.As(readErr, &closed) || closed.Code != v.Expect.Close || closed.Reason == "" {
				t.Fatalf("the link ends with %v, want %d with a reason", readErr, v.Expect.Close)
			}
			<-conn.Done()
			wantError(t, conn.Err(), closeStatus()[v.Expect.Close])
		})
	}
	if ran < 15 {
		t.Fatalf("only %d cases fit", ran)
	}
}

// start starts the end under test.
func (v *sessionVector) start(t *testing.T) (*raw, *rpc.Conn) {
	t.Helper()
	dialer, acceptor := pipe.New(pipe.Config{})
	bounds := rpc.WithTransport(v.config())
	if v.Side == "dialer" {
		client := rpc.NewClient("ws://in.memory", bounds)
		conn, err := client.StartLink(dialer)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { acceptor.Cut(); client.Close() })
		return &raw{t: t, link: acceptor, peer: dialer}, conn
	}
	srv := rpc.NewServer(bounds)
	conn, err := srv.StartLink(acceptor)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialer.Cut(); srv.Close() })
	return &raw{t: t, link: dialer, peer: acceptor}, conn
}
