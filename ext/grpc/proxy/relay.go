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

// relay is a call that is passed on.
type relay struct {
	in      rpc.Stream        // of the caller
	out     grpc.ClientStream // to the backend
	backend string
	fail    context.CancelCauseFunc // ends the call at the backend
}

// passRequests forwards what the caller sends. If the backend ends the call first, its
// Recv blocks until the handler has returned and the end of the call ends it.
func (r *relay) passRequests() {
	for {
		var msg rpc.Raw // another each time: grpc-go keeps it
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
			return // the backend has ended the call; RecvMsg tells how
		case err != nil:
			r.fail(translate.FromError(err))
			return
		}
	}
}

// passAnswers passes on what the backend sends and returns the status.
func (r *relay) passAnswers(ctx context.Context) error {
	header, err := r.out.Header()
	if err != nil {
		return r.status(ctx, err)
	}
	if header != nil { // otherwise there is nothing but a trailer
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

// status returns the call's status, where err is what the backend's end of it ended
// with, and passes the trailer on.
func (r *relay) status(ctx context.Context, err error) error {
	if errors.Is(err, io.EOF) {
		err = nil
	}
	var failed *rpc.Error
	if errors.As(context.Cause(ctx), &failed) && err != nil {
		return failed // what the caller has sent could not be passed on
	}
	trailer := translate.Set(answering(r.out.Trailer()), r.in.Call().SetTrailer)
	if trailer != nil && err == nil {
		return rpc.Errorf(rpc.CodeInternal, "backend %s: its trailer cannot be passed on: %w", r.backend, trailer)
	}
	return translate.FromError(err)
}

// passing returns what of md passes: what is metadata in either world, without keys that
// are about a connection, which the peer may take for a malformed request, and those
// that are parley's own.
func passing(md metadata.MD) metadata.MD {
	md = translate.Clean(md)
	maps.DeleteFunc(md, func(key string, _ []string) bool { return hopByHop(key) })
	return md
}

// answering returns what of a backend's header or trailer passes to the caller. Of cookies
// a script in a page may not know: browsers hide Set-Cookie, too.
func answering(md metadata.MD) metadata.MD {
	md = passing(md)
	delete(md, "set-cookie")
	delete(md, "set-cookie2")
	return md
}

// hopByHop reports whether a key is about a connection.
func hopByHop(key string) bool {
	key = strings.ToLower(key)
	switch key {
	case "connection", "content-length", "expect", "host", "http2-settings", "keep-alive", "proxy-connection", "trailer", "transfer-encoding", "upgrade":
		return true
	}
	return strings.HasPrefix(key, "parley-")
}
