package rpc

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// Option configures either end.
type Option interface {
	ServerOption
	ClientOption
}

type endpointOption func(*endpoint)

func (f endpointOption) applyServer(s *Server) { f(&s.endpoint) }

func (f endpointOption) applyClient(c *Client) { f(&c.endpoint) }

// Options makes one Option of several.
func Options(opts ...Option) Option { return options(opts) }

type options []Option

func (all options) applyServer(s *Server) {
	for _, o := range all {
		o.applyServer(s)
	}
}

func (all options) applyClient(c *Client) {
	for _, o := range all {
		o.applyClient(c)
	}
}

// leastReadLimit is what one message of the WebSocket may have: 64 KiB, and the
// largest frame that begins there (PROTOCOL.md, section "Link messages").
const minReadLimit = 64<<10 + 16 + 64<<10

// validate names the first option that is malformed.
func (e *endpoint) validate() error {
	switch {
	case e.mux == nil:
		return errors.New("WithServices: no Mux")
	case e.log == nil:
		return errors.New("WithLogger: no Logger")
	case e.readLimit != 0 && e.readLimit < minReadLimit:
		return fmt.Errorf("WithReadLimit: %d bytes, must be at least %d", e.readLimit, minReadLimit)
	case hasNil(e.handlerChain):
		return errors.New("WithHandlerInterceptors: one is nil")
	case hasNil(e.callChain):
		return errors.New("WithCallInterceptors: one is nil")
	}
	for name := range e.codecs {
		if !validName(name) {
			return fmt.Errorf("WithCodec: the name %q cannot travel", name)
		}
	}
	for name := range e.compressors {
		if !validName(name) {
			return fmt.Errorf("WithCompressor: the name %q cannot travel", name)
		}
	}
	return errors.Join(e.parameters().Validate(), e.resumption.validate())
}

// validName tells whether a codec or a compression may have a name (PROTOCOL.md,
// section "Codecs and compression").
func validName(name string) bool {
	return name != "" && len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789+-._") == ""
}

// WithHandlerInterceptors adds interceptors of the calls that this end serves.
// The first is outermost.
func WithHandlerInterceptors(interceptors ...Interceptor) Option {
	return endpointOption(func(e *endpoint) { e.handlerChain = append(e.handlerChain, interceptors...) })
}

// WithCallInterceptors adds interceptors of the calls that this end makes. The
// first is outermost.
func WithCallInterceptors(interceptors ...Interceptor) Option {
	return endpointOption(func(e *endpoint) { e.callChain = append(e.callChain, interceptors...) })
}

// WithTransport sets the parameters of the sessions of connections: sizes, streams at
// once, windows, keepalive. It takes the place of an earlier WithTransport as a whole:
// fields that are zero have their defaults.
//
// ResumeWindow and ReplayLimit count unless WithResumption or WithoutResumption says
// otherwise, whichever option comes first. A server with a WindowBudget here uses that
// one, and not Limits.MaxWindowMemory; one with a ReassemblyBudget uses that one for
// messages in pieces, and half of Limits.MaxMessageMemory for those that are inflated.
func WithTransport(p transport.Parameters) Option {
	return endpointOption(func(e *endpoint) { e.transport = p })
}

// WithCodec adds a codec, or replaces the one of that name.
func WithCodec(c Codec) Option {
	return endpointOption(func(e *endpoint) {
		if c == nil {
			e.codecs[""] = nil // which validate finds
			return
		}
		e.codecs[c.Name()] = c
	})
}

// WithCompressor adds a compression, or replaces the one of that name.
func WithCompressor(c Compressor) Option {
	return endpointOption(func(e *endpoint) {
		if c == nil {
			e.compressors[""] = nil
			return
		}
		e.compressors[c.Name()] = c
	})
}

// WithLogger takes what no caller can be told: panics of handlers and, of a server,
// whom it refuses, whom it cuts off, and, at level Debug, how connections come and go.
// Default slog.Default.
func WithLogger(l *slog.Logger) Option {
	return endpointOption(func(e *endpoint) { e.log = l })
}

// WithReadLimit bounds a single message of the WebSocket, which carries frames
// of any number of calls. Default 1 MiB, at least 131,088: what a peer may put
// into one. It is checked before buffering.
func WithReadLimit(bytes int64) Option {
	return endpointOption(func(e *endpoint) { e.readLimit = bytes })
}

// WithHandshakeTimeout bounds the time from the TCP connection to the answered
// upgrade. Default 10 s.
func WithHandshakeTimeout(d time.Duration) Option {
	return endpointOption(func(e *endpoint) { e.handshakeTimeout = d })
}
