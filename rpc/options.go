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

// Options combines several options into one.
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

// minReadLimit is the least limit for a WebSocket message: 64 KiB, and the
// largest frame that may begin there (PROTOCOL.md, section "Link messages").
const minReadLimit = 64<<10 + 16 + 64<<10

// validate returns an error that names the first invalid option.
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
			return fmt.Errorf("WithCodec: invalid name %q", name)
		}
	}
	for name := range e.compressors {
		if !validName(name) {
			return fmt.Errorf("WithCompressor: invalid name %q", name)
		}
	}
	return errors.Join(e.parameters().Validate(), e.resumption.validate())
}

// validName reports whether a codec or a compression may have a name
// (PROTOCOL.md, section "Codecs and compression").
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

// WithTransport sets the parameters of the sessions: message sizes, concurrent
// streams, windows, keepalive. It replaces an earlier WithTransport as a whole:
// fields that are zero have their defaults.
//
// WithResumption and WithoutResumption take precedence over ResumeWindow,
// ReplayLimit and MaxReplay, in any order of the options. At a server, a
// WindowBudget here takes precedence over Limits.MaxWindowMemory, and a
// ReplayBudget over Limits.MaxReplayMemory. A ReassemblyBudget takes the place
// of one half of Limits.MaxMessageMemory; inflated messages have the other
// half.
func WithTransport(p transport.Parameters) Option {
	return endpointOption(func(e *endpoint) { e.transport = p })
}

// WithCodec adds a codec, or replaces the codec of that name.
func WithCodec(c Codec) Option {
	return endpointOption(func(e *endpoint) {
		if c == nil {
			e.codecs[""] = nil // validate reports it
			return
		}
		e.codecs[c.Name()] = c
	})
}

// WithCompressor adds a compression, or replaces the compression of that name.
func WithCompressor(c Compressor) Option {
	return endpointOption(func(e *endpoint) {
		if c == nil {
			e.compressors[""] = nil
			return
		}
		e.compressors[c.Name()] = c
	})
}

// WithLogger sets the logger of what no API reports: panics of handlers and, at
// a server, clients that are refused, connections that are cut off and, at
// level Debug, the start and end of connections. The default is slog.Default.
func WithLogger(l *slog.Logger) Option {
	return endpointOption(func(e *endpoint) { e.log = l })
}

// WithReadLimit bounds a single WebSocket message, which contains frames of any
// number of calls. It is checked before the message is buffered. The default is
// 1 MiB, the minimum 131,088 bytes, which is the most that a conforming peer
// sends.
func WithReadLimit(bytes int64) Option {
	return endpointOption(func(e *endpoint) { e.readLimit = bytes })
}

// WithHandshakeTimeout bounds the time from the TCP connection to the response
// to the upgrade. The default is 10 s.
func WithHandshakeTimeout(d time.Duration) Option {
	return endpointOption(func(e *endpoint) { e.handshakeTimeout = d })
}
