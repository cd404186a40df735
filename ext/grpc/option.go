package grpcparley

import (
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"

	"github.com/parley-rpc/parley/ext/grpc/internal/translate"
)

// ClientOption configures a ClientConn.
type ClientOption interface{ applyClient(*ClientConn) }

// ServerOption configures a Registrar.
type ServerOption interface{ applyServer(*Registrar) }

// Option configures either.
type Option interface {
	ClientOption
	ServerOption
}

type clientOption func(*ClientConn)

func (f clientOption) applyClient(c *ClientConn) { f(c) }

type serverOption func(*Registrar)

func (f serverOption) applyServer(r *Registrar) { f(r) }

type statsOption struct{ stats.Handler }

func (o statsOption) applyClient(c *ClientConn) { c.stats = append(c.stats, o.Handler) }
func (o statsOption) applyServer(r *Registrar)  { r.stats = append(r.stats, o.Handler) }

// WithStatsHandler calls h for each call, as grpc.WithStatsHandler and
// grpc.StatsHandler do. It does not call TagConn and HandleConn, because
// connections are not made here. Lengths are those of messages before
// compression. Several handlers are called in order.
func WithStatsHandler(h stats.Handler) Option { return statsOption{h} }

// WithCallOptions adds options to all calls of a ClientConn, before those of
// each call.
func WithCallOptions(opts ...grpc.CallOption) ClientOption {
	return clientOption(func(c *ClientConn) { c.opts = append(c.opts, opts...) })
}

// WithUnaryClientInterceptors adds interceptors of outgoing unary calls. The
// first is outermost. The *grpc.ClientConn that they get is a placeholder: no
// calls can be made on it, and its Target is "".
func WithUnaryClientInterceptors(interceptors ...grpc.UnaryClientInterceptor) ClientOption {
	return clientOption(func(c *ClientConn) { c.unary = append(c.unary, interceptors...) })
}

// WithStreamClientInterceptors is WithUnaryClientInterceptors for the other
// kinds of calls.
func WithStreamClientInterceptors(interceptors ...grpc.StreamClientInterceptor) ClientOption {
	return clientOption(func(c *ClientConn) { c.stream = append(c.stream, interceptors...) })
}

// WithUnaryServerInterceptors adds interceptors of incoming unary calls. The
// first is outermost.
func WithUnaryServerInterceptors(interceptors ...grpc.UnaryServerInterceptor) ServerOption {
	return serverOption(func(r *Registrar) { r.unary = append(r.unary, interceptors...) })
}

// WithStreamServerInterceptors is WithUnaryServerInterceptors for the other
// kinds of calls.
func WithStreamServerInterceptors(interceptors ...grpc.StreamServerInterceptor) ServerOption {
	return serverOption(func(r *Registrar) { r.stream = append(r.stream, interceptors...) })
}

// WithLogger sets the logger for invalid metadata that a handler has passed to
// SetTrailer of a stream. The default is slog.Default.
func WithLogger(l *slog.Logger) ServerOption {
	return serverOption(func(r *Registrar) { r.log = l })
}

// AllowMetadata passes metadata to handlers that proxies use to identify
// callers. By default it is removed, because a proxy in front of the server
// sees only the handshake, and a caller could write anything into its call. A
// pattern is a key, such as "x-forwarded-host", or a prefix and "*", such as
// "x-forwarded-*". It must be as precise as the built-in pattern
// (docs/gateway.md lists them). Headers that proxies set in the handshake are
// in rpc.FromContext(ctx).Peer.Header.
func AllowMetadata(patterns ...string) ServerOption {
	return serverOption(func(r *Registrar) {
		for _, p := range patterns {
			if !translate.Passes(strings.TrimSuffix(p, "*")) {
				panic(fmt.Sprintf("grpcparley: AllowMetadata: %q is neither a key of metadata nor a prefix of keys followed by *", p))
			}
			r.allow.Add(strings.ToLower(p))
		}
	})
}

// hasNil reports whether one of several functions or interfaces is nil.
func hasNil[T any](all []T) bool {
	return slices.ContainsFunc(all, func(one T) bool {
		v := reflect.ValueOf(one)
		return !v.IsValid() || v.Kind() == reflect.Func && v.IsNil()
	})
}
