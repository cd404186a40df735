package grpcparley

import (
	"context"
	"time"

	"google.golang.org/grpc/stats"

	"github.com/parley-rpc/parley/rpc"
)

// watch calls the stats handlers for one end of one call. Without handlers it
// does nothing.
type watch struct {
	handlers []stats.Handler
	ctx      context.Context // tagged by the handlers
	client   bool
	began    time.Time
}

// tag lets the handlers tag the context of a new call.
func (w *watch) tag(ctx context.Context, m *rpc.Method, failFast bool) context.Context {
	if !w.on() {
		return ctx
	}
	w.began = time.Now()
	info := &stats.RPCTagInfo{FullMethodName: "/" + m.Path(), FailFast: failFast}
	for _, h := range w.handlers {
		ctx = h.TagRPC(ctx, info)
	}
	w.ctx = ctx
	return ctx
}

// on reports whether there are handlers.
func (w *watch) on() bool { return len(w.handlers) > 0 }

func (w *watch) tell(s stats.RPCStats) {
	for _, h := range w.handlers {
		h.HandleRPC(w.ctx, s)
	}
}

func (w *watch) begin(m *rpc.Method, failFast bool) {
	if w.on() {
		w.tell(&stats.Begin{
			Client: w.client, BeginTime: w.began, FailFast: failFast,
			IsClientStream: m.ClientStreams, IsServerStream: m.ServerStreams,
		})
	}
}

func (w *watch) sent(msg any, size int) {
	if w.on() {
		w.tell(&stats.OutPayload{
			Client: w.client, Payload: msg, SentTime: time.Now(),
			Length: size, CompressedLength: size, WireLength: size,
		})
	}
}

func (w *watch) received(msg any, size int) {
	if w.on() {
		w.tell(&stats.InPayload{
			Client: w.client, Payload: msg, RecvTime: time.Now(),
			Length: size, CompressedLength: size, WireLength: size,
		})
	}
}

func (w *watch) end(status error) {
	if w.on() {
		w.tell(&stats.End{Client: w.client, BeginTime: w.began, EndTime: time.Now(), Error: status})
	}
}
