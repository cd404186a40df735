package transport

import (
	"context"
	"reflect"
	"sync/atomic"

	"github.com/parley-rpc/parley/internal/frame"
)

// Settings are what the peer accepts and keeps, as its HELLO says (PROTOCOL.md,
// section "HELLO").
type Settings struct {
	MaxFrame      uint64 // bytes of the largest payload of a frame
	MaxMessage    uint64 // bytes of the largest message
	MaxHeader     uint64 // bytes of the largest header or trailer
	MaxStreams    uint64 // streams that this end may have open at once
	InitialWindow uint64 // bytes that this end may send on a new stream before the peer reads
	Keepalive     uint64 // milliseconds of silence after which the peer wants a sign of life
	ResumeWindow  uint64 // milliseconds for which the peer keeps a detached session; 0: none
	ReplayLimit   uint64 // bytes of unacknowledged frames that the peer keeps
	Agent         string // the peer's software
}

// PeerSettings waits for the peer's HELLO and returns its settings.
func (s *Session) PeerSettings(ctx context.Context) (Settings, error) {
	if err := s.waitHello(ctx); err != nil {
		return Settings{}, err
	}
	h := s.settings()
	return Settings{
		MaxFrame: h.MaxFrame, MaxMessage: h.MaxMessage, MaxHeader: h.MaxHeader, MaxStreams: h.MaxStreams,
		InitialWindow: h.InitialWindow, Keepalive: h.Keepalive,
		ResumeWindow: h.ResumeWindow, ReplayLimit: h.ReplayLimit, Agent: h.Agent,
	}, nil
}

// peerSettings are the settings in the peer's HELLO, the defaults until it has
// arrived.
type peerSettings struct {
	hello   atomic.Pointer[frame.Hello]
	arrived latch // the HELLO has arrived
}

func (p *peerSettings) init() {
	p.hello.Store(&frame.HelloDefaults)
}

func (p *peerSettings) hasArrived() bool {
	return p.arrived.tripped()
}

// set takes the settings of a HELLO over.
func (p *peerSettings) set(hello *frame.Hello) { p.hello.Store(shareSettings(hello)) }

// lastSettings are those of the last HELLO of any peer.
var lastSettings atomic.Pointer[frame.Hello]

// shareSettings returns the settings in a HELLO without what belongs to one
// session. Most peers have the same settings, which are in memory once then.
func shareSettings(hello *frame.Hello) *frame.Hello {
	settings := *hello
	settings.Session, settings.Token, settings.Received, settings.Attempt, settings.Answer = nil, nil, 0, 0, 0
	settings.Replaces, settings.ReplacesToken = nil, nil
	if last := lastSettings.Load(); last != nil && reflect.DeepEqual(*last, settings) {
		return last
	}
	lastSettings.Store(&settings)
	return &settings
}

// settings returns the peer's settings, the defaults until its HELLO arrives.
func (s *Session) settings() *frame.Hello { return s.peer.hello.Load() }

func (s *Session) waitHello(ctx context.Context) error { return s.await(ctx, s.peer.arrived.done()) }

// limitFor returns the peer's limit in bytes for a message or a header.
func limitFor(what string, peer *frame.Hello) uint64 {
	if what == "header" {
		return peer.MaxHeader
	}
	return peer.MaxMessage
}

// admit compares the size of a message or header with what the peer accepts. If
// the size is over a default, it calls wait, which returns once the peer's
// HELLO has arrived.
func (s *Session) admit(what string, size int, wait func() error) error {
	if uint64(size) <= limitFor(what, s.settings()) {
		return nil
	}
	if err := wait(); err != nil {
		return err
	}
	if limit := limitFor(what, s.settings()); uint64(size) > limit {
		return &LimitError{What: what, Size: size, Limit: limit}
	}
	return nil
}
