package rpc_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// sessionVector is a case of docs/spec/vectors/session.json or states.json.
type sessionVector struct {
	Name, Side, Rule, Needs string
	Settings                struct {
		InitialWindow int `json:"initial_window"`
	}
	Steps  []sessionStep
	Expect struct {
		Close  transport.CloseCode
		Pong   string
		Resets []struct{ Stream, Code uint64 }
		Hello  any
	}
}

type sessionStep struct {
	Receive, Behind, Do string
	Zeros, Times        int
}

func (s *sessionStep) message(t *testing.T) (msg []byte) {
	t.Helper()
	once, err := hex.DecodeString(s.Receive)
	if err != nil {
		t.Fatal(err)
	}
	behind, err := hex.DecodeString(s.Behind)
	if err != nil {
		t.Fatal(err)
	}
	for range max(s.Times, 1) {
		msg = append(append(msg, once...), make([]byte, s.Zeros)...)
	}
	return append(msg, behind...)
}

// fits reports whether a case applies to an endpoint that serves calls. Cases
// with actions of the application are left out, because a call ends by itself
// where a bare stream does not.
func (v *sessionVector) fits() bool {
	for _, s := range v.Steps {
		if s.Do != "" {
			return false
		}
	}
	return v.Needs == "" && v.Expect.Hello == nil
}

func (v *sessionVector) config() transport.Parameters {
	d := &frame.HelloDefaults
	cfg := transport.Parameters{
		MaxFrame: int(d.MaxFrame), MaxMessage: int(d.MaxMessage), MaxHeader: int(d.MaxHeader),
		MaxStreams: int(d.MaxStreams), InitialWindow: int(d.InitialWindow),
	}
	if w := v.Settings.InitialWindow; w != 0 {
		cfg.InitialWindow = w
	}
	return cfg
}

func TestTheVectorsOfSessionsHoldForClientsAndServers(t *testing.T) {
	ran := 0
	for _, file := range []string{"session.json", "states.json"} {
		text, err := os.ReadFile("../docs/spec/vectors/" + file)
		if err != nil {
			t.Fatal(err)
		}
		var vectors []sessionVector
		if err := json.Unmarshal(text, &vectors); err != nil {
			t.Fatal(err)
		}
		for _, v := range vectors {
			if v.fits() {
				ran++
				t.Run(v.Name, v.run)
			}
		}
	}
	if ran < 80 {
		t.Fatalf("only %d cases fit", ran)
	}
}

func (v *sessionVector) run(t *testing.T) {
	p, conn := v.start(t)
	for _, s := range v.Steps {
		p.write(s.message(t))
	}
	if v.Expect.Close != 0 {
		v.wantClose(t, p, conn)
		return
	}
	alive := v.Expect.Pong
	if alive == "" {
		alive = hex.EncodeToString([]byte("alive?!!"))
		p.write(frame.Append(nil, frame.Header{Type: frame.TypePing}, []byte("alive?!!")))
	}
	resets, pong := slices.Clone(v.Expect.Resets), false
	for len(resets) > 0 || !pong { // PONG overtakes queued frames
		f := p.next()
		switch {
		case f.Type == frame.TypePong && hex.EncodeToString(f.payload) == alive:
			pong = true
		case f.Type == frame.TypeReset && len(resets) > 0:
			code, _, err := frame.ParseReset(f.payload)
			if err != nil || f.Stream != resets[0].Stream || code != resets[0].Code {
				t.Fatalf("got RESET %d of stream %d, %v, want %v", code, f.Stream, err, resets[0])
			}
			resets = resets[1:]
		default:
			t.Fatalf("got %v of stream %d: %x", f.Type, f.Stream, f.payload)
		}
	}
}

func (v *sessionVector) wantClose(t *testing.T, p *raw, conn *rpc.Conn) {
	t.Helper()
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
}

// start starts the endpoint under test.
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
	register(srv, &rpc.Method{Service: "a", Name: "b", ClientStreams: true, ServerStreams: true}, func(ctx context.Context, _ rpc.Stream) error {
		<-ctx.Done() // reads nothing and sends nothing
		return ctx.Err()
	})
	conn, err := srv.StartLink(acceptor)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialer.Cut(); srv.Close() })
	return &raw{t: t, link: dialer, peer: acceptor}, conn
}
