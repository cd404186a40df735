package transport

import (
	"context"

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
	if err := s.waitGreeted(ctx); err != nil {
		return Settings{}, err
	}
	h := s.settings()
	return Settings{
		MaxFrame: h.MaxFrame, MaxMessage: h.MaxMessage, MaxHeader: h.MaxHeader, MaxStreams: h.MaxStreams,
		InitialWindow: h.InitialWindow, Keepalive: h.Keepalive,
		ResumeWindow: h.ResumeWindow, ReplayLimit: h.ReplayLimit, Agent: h.Agent,
	}, nil
}

// settings returns the peer's settings, the defaults until its HELLO has come.
func (s *Session) settings() *frame.Hello { return s.peer.Load() }
