package cluster

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	clusterv1 "github.com/parley-rpc/parley/ext/cluster/internal/gen/parley/cluster/v1"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// relayHandler is what a node serves to others that pass links on to it.
// serverOf returns the server that has a session, or nil.
func relayHandler(serverOf func(session []byte) *rpc.Server) rpc.ServiceMethod {
	return rpc.ServiceMethod{
		Method:  relayMethod,
		Raw:     true,
		Handler: func(ctx context.Context, s rpc.Stream) error { return serveRelay(ctx, s, serverOf) },
	}
}

// relayMethod carries the messages of a link between two nodes.
var relayMethod = &rpc.Method{
	Service: nodeService, Name: "Relay",
	ClientStreams: true, ServerStreams: true,
}

// rawCodec is the name of the codec of relayed links: bytes.
const rawCodec = "bytes"

// relayTimeout is how long the owner of a session may take to answer whether it
// has the session.
const relayTimeout = 5 * time.Second

// errNotOwner is returned if the owner of a session does not have it any more.
var errNotOwner = errors.New("cluster: the node does not have the session")

// relays passes the links of clients on to the nodes that have their sessions,
// and counts them.
type relays struct {
	limit int64
	open  atomic.Int64
	total atomic.Int64

	refused, failed, lost atomic.Uint64 // Stats
}

// pass passes a link on to the owner of the session that it asks for, and
// returns when the link has ended. If the owner does not have the session,
// pass returns errNotOwner, and the link is as it was.
func (r *relays) pass(ctx context.Context, owner rpc.Caller, session []byte, l *rpc.AcceptedLink, link transport.Link) error {
	if r.open.Add(1) > r.limit {
		r.open.Add(-1)
		r.refused.Add(1)
		_ = link.Close(transport.CloseTryAgainLater, "too many relayed links")
		return rpc.Errorf(rpc.CodeResourceExhausted, "more than %d relayed links", r.limit)
	}
	defer r.open.Add(-1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	timer := time.AfterFunc(relayTimeout, cancel)
	stream, err := startRelay(ctx, owner, session, l)
	if err == nil && !timer.Stop() {
		err = rpc.Errorf(rpc.CodeUnavailable, "the owner of the session does not answer")
	}
	if err != nil {
		if !errors.Is(err, errNotOwner) {
			r.failed.Add(1)
			_ = link.Close(transport.CloseAbnormal, "")
		}
		return err
	}
	r.total.Add(1)
	up := make(chan struct{})
	go func() {
		defer close(up)
		if !passUp(link, stream) {
			cancel()
		}
	}()
	code, reason := passDown(stream, link)
	_ = link.Close(code, reason)
	cancel()
	<-up
	return nil
}

// startRelay opens a stream to the owner of a session, and waits until the owner
// has accepted it. ctx bounds the stream.
func startRelay(ctx context.Context, owner rpc.Caller, session []byte, l *rpc.AcceptedLink) (rpc.Stream, error) {
	start, err := encodeRelayStart(l.Context(), l.Peer(), session)
	if err != nil {
		return nil, err
	}
	stream, err := owner.Open(ctx, relayMethod, rpc.WithRawCodec(rawCodec))
	if err != nil {
		return nil, err
	}
	if err = sendRaw(stream, start); err == nil {
		err = awaitAccepted(stream)
	}
	if errors.Is(err, rpc.CodeNotFound) {
		err = errNotOwner
	}
	if err != nil {
		_ = stream.Close()
		return nil, err
	}
	return stream, nil
}

// acceptedHeader is in the response header of a relay that the owner serves.
const acceptedHeader = "accepted"

// awaitAccepted waits until the owner serves the relay, or returns the status
// with which it does not.
func awaitAccepted(stream rpc.Stream) error {
	header, err := stream.Call().ResponseHeader()
	if err != nil || header.Get(acceptedHeader) != "" {
		return err
	}
	if err := stream.Recv(new(rpc.Raw)); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return rpc.Errorf(rpc.CodeInternal, "the owner of the session has not accepted the relay")
}

// passUp passes the client's messages on until the link ends. It reports whether
// the client has closed the link, and the owner was told how.
func passUp(link transport.Link, stream rpc.Stream) bool {
	var buf rpc.Raw
	for {
		r, err := link.NextReader()
		if err == nil {
			buf, err = appendAll(buf[:0], r)
		}
		var closed *transport.CloseError
		switch {
		case errors.As(err, &closed):
			return sendClose(stream, closed)
		case errors.Is(err, errMessageTooBig):
			return refuseMessage(link, stream, transport.CloseMessageTooBig, "message of a link over the limit")
		case err != nil:
			return false
		case len(buf) == 0:
			return refuseMessage(link, stream, transport.CloseProtocolError, "empty message")
		}
		if stream.Send(&buf) != nil {
			return false
		}
	}
}

// refuseMessage ends a link whose client breaks the rules of links, as its
// session would. It reports whether the owner was told.
func refuseMessage(link transport.Link, stream rpc.Stream, code transport.CloseCode, reason string) bool {
	_ = link.Close(code, reason)
	return sendClose(stream, &transport.CloseError{Code: code, Reason: reason})
}

// sendClose tells the owner how the link was closed.
func sendClose(stream rpc.Stream, closed *transport.CloseError) bool {
	return sendRaw(stream, nil) == nil && sendRaw(stream, appendClose(nil, closed)) == nil
}

func sendRaw(stream rpc.Stream, b rpc.Raw) error { return stream.Send(&b) }

// maxLinkMessage is the size in bytes of the largest message of a link: 64 KiB
// before its last frame, and a frame with the highest limit (PROTOCOL.md).
const maxLinkMessage = 64<<10 + 64<<10 + 1<<10

var errMessageTooBig = errors.New("cluster: a message of a link is too large")

// appendAll appends what a reader returns.
func appendAll(b []byte, r io.Reader) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case len(b) > maxLinkMessage:
			return b, errMessageTooBig
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return b, err
		}
	}
}

// passDown passes the owner's messages on until the stream ends, and returns
// how to close the link.
func passDown(stream rpc.Stream, link transport.Link) (transport.CloseCode, string) {
	var buf rpc.Raw
	parts := make([][]byte, 1)
	for {
		if err := stream.Recv(&buf); err != nil {
			if closed := closeOfTrailer(stream, err); closed != nil {
				return closed.Code, closed.Reason
			}
			return transport.CloseAbnormal, ""
		}
		if parts[0] = buf; link.WriteMessage(parts) != nil {
			return transport.CloseAbnormal, ""
		}
	}
}

// serveRelay is the handler of relayMethod: it serves the link of another
// node's client.
func serveRelay(ctx context.Context, stream rpc.Stream, serverOf func([]byte) *rpc.Server) error {
	var raw rpc.Raw
	if err := stream.Recv(&raw); err != nil {
		return err
	}
	var start clusterv1.RelayStart
	if err := proto.Unmarshal(raw, &start); err != nil {
		return rpc.Errorf(rpc.CodeInvalidArgument, "malformed RelayStart: %v", err)
	}
	srv := serverOf(start.Session)
	if srv == nil {
		return rpc.Errorf(rpc.CodeNotFound, "this node does not have the session")
	}
	base, peer, err := decodeRelayStart(context.Background(), &start)
	if err != nil {
		return rpc.Errorf(rpc.CodeInvalidArgument, "malformed RelayStart: %v", err)
	}
	if err := stream.Call().SetHeader(acceptedHeader, "1"); err != nil {
		return err
	}
	if err := stream.Call().SendHeader(); err != nil {
		return err
	}
	link := newRelayedLink(stream)
	if err := srv.ServeLink(base, link, peer); err == nil {
		select {
		case <-link.closed:
		case <-ctx.Done():
			return rpc.StatusOf(ctx.Err()) // the session reads it too
		}
	}
	<-link.closed // ServeLink closes a link that it does not serve
	return link.status()
}
