package transport_test

import (
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

func TestParametersOutOfRangeAreRefusedByTheNameOfTheField(t *testing.T) {
	for _, c := range []struct {
		field  string
		within []transport.Parameters
		out    []transport.Parameters
	}{
		{"MaxStreams", []transport.Parameters{{MaxStreams: 16}}, []transport.Parameters{{MaxStreams: 15}, {MaxStreams: -1}, {MaxStreams: math.MaxInt}}},
		{"MaxMessage", []transport.Parameters{{MaxMessage: 64 << 10}}, []transport.Parameters{{MaxMessage: 64<<10 - 1}, {MaxMessage: -1}, {MaxMessage: math.MaxInt}}},
		{"MaxFrame", []transport.Parameters{{MaxFrame: 16 << 10}, {MaxFrame: 64 << 10}}, []transport.Parameters{{MaxFrame: 16<<10 - 1}, {MaxFrame: 64<<10 + 1}}},
		{"MaxHeader", []transport.Parameters{{MaxHeader: 4 << 10}, {MaxHeader: 32 << 10}, {MaxHeader: 64 << 10, MaxFrame: 64 << 10}},
			[]transport.Parameters{{MaxHeader: 4<<10 - 1}, {MaxHeader: 32<<10 + 1}, {MaxHeader: 64<<10 + 1, MaxFrame: 64 << 10}, {MaxHeader: 20 << 10, MaxFrame: 16 << 10}}},
		{"InitialWindow", []transport.Parameters{{InitialWindow: 16 << 10}}, []transport.Parameters{{InitialWindow: 16<<10 - 1}, {InitialWindow: math.MaxInt}}},
		{"MaxWindow", []transport.Parameters{{MaxWindow: 16 << 10}}, []transport.Parameters{{MaxWindow: 16<<10 - 1}, {MaxWindow: math.MaxInt}}},
		{"MaxBuffered", []transport.Parameters{{MaxBuffered: 1024 * 64 << 10}}, []transport.Parameters{{MaxBuffered: 1024*64<<10 - 1}, {MaxBuffered: -1}}},
		{"WriteQueue", []transport.Parameters{{WriteQueue: 1}}, []transport.Parameters{{WriteQueue: -1}, {WriteQueue: math.MaxInt}}},
		{"Keepalive", []transport.Parameters{{Keepalive: time.Second}, {Keepalive: 25 * time.Second}},
			[]transport.Parameters{{Keepalive: time.Second - 1}, {Keepalive: 25*time.Second + 1}, {Keepalive: -1}}},
		{"WriteTimeout", []transport.Parameters{{WriteTimeout: time.Millisecond}}, []transport.Parameters{{WriteTimeout: time.Millisecond - 1}, {WriteTimeout: time.Hour + 1}}},
		{"MaxResets", []transport.Parameters{{MaxResets: 100}}, []transport.Parameters{{MaxResets: 99}, {MaxResets: -1}}},
		{"MaxPings", []transport.Parameters{{MaxPings: 100}}, []transport.Parameters{{MaxPings: 99}, {MaxPings: -1}}},
		{"KeepaliveTimeout", []transport.Parameters{{KeepaliveTimeout: time.Millisecond}}, []transport.Parameters{{KeepaliveTimeout: time.Millisecond - 1}, {KeepaliveTimeout: math.MaxInt64}}},
		{"HelloTimeout", []transport.Parameters{{HelloTimeout: time.Millisecond}}, []transport.Parameters{{HelloTimeout: time.Millisecond - 1}, {HelloTimeout: math.MaxInt64}}},
	} {
		t.Run(c.field, func(t *testing.T) {
			for _, cfg := range c.within {
				if err := cfg.Validate(); err != nil {
					t.Errorf("%+v: %v", cfg, err)
				}
			}
			for _, cfg := range c.out {
				own, _ := pipe.New(pipe.Config{})
				s, err := transport.NewSession(own, transport.Dialer, transport.Config{Parameters: cfg})
				if err == nil {
					s.Close(transport.CloseNormal, "")
				}
				if err == nil || !strings.Contains(err.Error(), "Parameters."+c.field+" ") {
					t.Errorf("%+v: %v", cfg, err)
				}
			}
		})
	}
}

func TestPeerLearnsTheSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pair(t, transport.Config{}, transport.Config{
			Parameters: transport.Parameters{
				MaxStreams: 20, MaxMessage: 100_000, MaxHeader: 5000, MaxFrame: 20_000, InitialWindow: 30_000,
				Keepalive: 7 * time.Second, Agent: "tester/1",
			},
		})
		got, err := d.PeerSettings(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := frame.HelloDefaults
		want.MaxStreams, want.MaxMessage, want.MaxHeader, want.MaxFrame, want.InitialWindow = 20, 100_000, 5000, 20_000, 30_000
		want.Keepalive, want.Agent = 7000, "tester/1"
		if !sameSettings(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		got, err = a.PeerSettings(t.Context())
		want = frame.HelloDefaults
		want.MaxStreams, want.MaxMessage, want.MaxHeader, want.MaxFrame, want.InitialWindow = 1024, 4<<20, 16<<10, 32<<10, 64<<10
		want.Keepalive, want.Agent = 15_000, "parley-go"
		if err != nil || !sameSettings(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	})
}

func sameSettings(a transport.Settings, b frame.Hello) bool {
	return a.MaxFrame == b.MaxFrame && a.MaxMessage == b.MaxMessage && a.MaxHeader == b.MaxHeader && a.MaxStreams == b.MaxStreams &&
		a.InitialWindow == b.InitialWindow && a.Keepalive == b.Keepalive && a.Agent == b.Agent && a.ResumeWindow == b.ResumeWindow
}
