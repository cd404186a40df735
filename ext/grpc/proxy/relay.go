package proxy

import (
	"context"
	"errors"
	"io"
	"maps"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/ext/grpc/internal/translate"
	"github.com/parley-rpc/parley/rpc"
)

// relay is a call that is forwarded.
type relay struct {
	in      rpc.Stream        // of the caller
	out     grpc.ClientStream // to the backend
	backend string
	fail    context.CancelCauseFunc // ends the call at the backend
}

// passRequests forwards the caller's messages. If the backend ends the call
// first, its Recv waits until the handler has returned and the end of the call
// ends it.
func (r *relay) passRequests() {
	for {
		var msg rpc.Raw // a new one each time: grpc-go retains it
		err := r.in.Recv(&msg)
		if errors.Is(err, io.EOF) {
			_ = r.out.CloseSend() // returns nil always
			return
		}
		if err == nil {
			err = r.out.SendMsg(&msg)
		}
		switch {
		case errors.Is(err, io.EOF):
			return // the backend has ended the call; RecvMsg returns the status
		case err != nil:
			r.fail(translate.FromError(err))
			return
		}
	}
}

// passAnswers forwards the backend's messages and returns the status.
func (r *relay) passAnswers(ctx context.Context) error {
	header, err := r.out.Header()
	if err != nil {
		return r.status(ctx, err)
	}
	if header != nil { // otherwise there is only a trailer
		if err := translate.Set(answering(header), r.in.Call().SetHeader); err != nil {
			return rpc.Errorf(rpc.CodeInternal, "backend %s: its header cannot be passed on: %w", r.backend, err)
		}
		if err := r.in.Call().SendHeader(); err != nil {
			return err
		}
	}
	var msg rpc.Raw
	for {
		if err := r.out.RecvMsg(&msg); err != nil {
			return r.status(ctx, err)
		}
		if err := r.in.Send(&msg); err != nil {
			return err
		}
	}
}

// status forwards the trailer and returns the call's status. err is the error
// of the backend's end of the call.
func (r *relay) status(ctx context.Context, err error) error {
	if errors.Is(err, io.EOF) {
		err = nil
	}
	var failed *rpc.Error
	if errors.As(context.Cause(ctx), &failed) && err != nil {
		return failed // the caller's messages could not be forwarded
	}
	trailer := translate.Set(answering(r.out.Trailer()), r.in.Call().SetTrailer)
	if trailer != nil && err == nil {
		return rpc.Errorf(rpc.CodeInternal, "backend %s: its trailer cannot be passed on: %w", r.backend, trailer)
	}
	return translate.FromError(err)
}

// passing returns the part of md that passes: valid metadata in both protocols,
// without connection-related keys, for which the peer may reject the request,
// and without parley's own keys.
func passing(md metadata.MD) metadata.MD {
	md = translate.Clean(md)
	maps.DeleteFunc(md, func(key string, _ []string) bool { return hopByHop(key) })
	return md
}

// answering returns the part of a backend's header or trailer that passes to
// the caller. Cookies do not: browsers hide Set-Cookie from scripts too.
func answering(md metadata.MD) metadata.MD {
	md = passing(md)
	delete(md, "set-cookie")
	delete(md, "set-cookie2")
	return md
}

// hopByHop reports whether a key concerns a connection.
func hopByHop(key string) bool {
	key = strings.ToLower(key)
	switch key {
	case "connection", "content-length", "expect", "host", "http2-settings", "keep-alive", "proxy-connection", "trailer", "transfer-encoding", "upgrade":
		return true
	}
	return strings.HasPrefix(key, "parley-")
}
