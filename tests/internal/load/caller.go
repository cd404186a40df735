package load

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

// Caller makes calls, one after another.
type Caller struct {
	Conn rpc.Caller
	Book *Book
	Rand *rand.Rand
	From string // which end this is, for people

	// Timeout bounds each call. One that takes longer has failed.
	Timeout time.Duration
	// FailFast makes calls fail at once while there is no connection, which
	// should not happen. Otherwise they wait for one.
	FailFast bool
	// GiveUp is the percentage of calls that are canceled or reach a deadline
	// after a random time.
	GiveUp int
	// Ended, if non-nil, reports whether the connection has ended as expected.
	// Calls that end with it have not failed.
	Ended func() bool
	// Pace is the longest pause of a stream's sender between two messages.
	Pace time.Duration
}

// Run makes calls until stop is closed, and finishes the current one. It ends
// early with ctx and with the connection.
func (c *Caller) Run(ctx context.Context, stop <-chan struct{}) {
	for c.Ended == nil || !c.Ended() {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		default:
			_ = c.Call(ctx, Kind(c.Rand.IntN(int(kinds)))) // the book has it
		}
	}
}

// Call makes one call and returns its status.
func (c *Caller) Call(ctx context.Context, kind Kind) error {
	e := c.Book.open(kind, c.From)
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	wanted := c.Rand.IntN(100) < c.GiveUp
	var opts []rpc.CallOption
	if !c.FailFast {
		opts = append(opts, rpc.WithWaitForReady())
	}
	if wanted {
		after := time.Duration(c.Rand.Int64N(int64(200 * time.Millisecond)))
		if c.Rand.IntN(2) == 0 {
			defer time.AfterFunc(after, cancel).Stop()
		} else {
			opts = append(opts, rpc.WithTimeout(after+time.Millisecond))
		}
	}
	err := c.dispatch(ctx, e, opts)
	code := rpc.CodeOf(err)
	c.Book.close(e, outcome{
		err:      err,
		wanted:   wanted && (code == rpc.CodeCanceled || code == rpc.CodeDeadlineExceeded),
		orphaned: c.Ended != nil && (code == rpc.CodeCanceled || code == rpc.CodeUnavailable),
	})
	return err
}

func (c *Caller) dispatch(ctx context.Context, e *entry, opts []rpc.CallOption) error {
	switch e.kind {
	case Unary:
		return c.unary(ctx, e, opts)
	case ServerStream:
		return c.serverStream(ctx, e, opts)
	case ClientStream:
		return c.clientStream(ctx, e, opts)
	default:
		return c.bidi(ctx, e, opts)
	}
}

// ask counts and makes the request with a number.
func (c *Caller) ask(e *entry, number, answers int) *bytesValue {
	e.sent(request)
	m := message{direction: request, call: e.id, number: uint32(number), answers: uint32(answers)}
	return m.encode(c.Book.mix.size(c.Rand))
}

func (c *Caller) count() int { return c.Book.mix.count(c.Rand) }

func (c *Caller) unary(ctx context.Context, e *entry, opts []rpc.CallOption) error {
	res, err := rpc.CallUnary[bytesValue, bytesValue](ctx, c.Conn, c.Book.methods[Unary], c.ask(e, 0, 1), opts...)
	if err == nil {
		e.received(answer, decode(res))
	}
	return err
}

func (c *Caller) serverStream(ctx context.Context, e *entry, opts []rpc.CallOption) error {
	in, err := rpc.CallServerStream[bytesValue, bytesValue](ctx, c.Conn, c.Book.methods[ServerStream], c.ask(e, 0, c.count()), opts...)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // Recv tells the status
	return e.takeAnswers(in.Recv)
}

// takeAnswers receives all responses.
func (e *entry) takeAnswers(recv func() (*bytesValue, error)) error {
	for {
		v, err := recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		e.received(answer, decode(v))
	}
}

// sendAll sends the requests of a stream.
func (c *Caller) sendAll(e *entry, answers int, send func(*bytesValue) error) error {
	for i := range c.count() {
		if err := send(c.ask(e, i, answers)); err != nil {
			return err
		}
		if c.Pace > 0 && c.Rand.IntN(4) == 0 {
			time.Sleep(time.Duration(c.Rand.Int64N(int64(c.Pace))))
		}
	}
	return nil
}

func (c *Caller) clientStream(ctx context.Context, e *entry, opts []rpc.CallOption) error {
	out, err := rpc.CallClientStream[bytesValue, bytesValue](ctx, c.Conn, c.Book.methods[ClientStream], opts...)
	if err != nil {
		return err
	}
	defer out.Close() //nolint:errcheck // Send and CloseAndRecv tell the status
	if err := c.sendAll(e, 1, out.Send); err != nil {
		return err
	}
	res, err := out.CloseAndRecv()
	if err == nil {
		e.received(answer, decode(res))
	}
	return err
}

func (c *Caller) bidi(ctx context.Context, e *entry, opts []rpc.CallOption) error {
	both, err := rpc.CallBidi[bytesValue, bytesValue](ctx, c.Conn, c.Book.methods[Bidi], opts...)
	if err != nil {
		return err
	}
	defer both.Close() //nolint:errcheck // Send and Recv tell the status
	answers := c.count()
	var sending sync.WaitGroup
	var failed error
	sending.Go(func() {
		if failed = c.sendAll(e, answers, both.Send); failed == nil {
			failed = both.CloseSend()
		}
	})
	err = e.takeAnswers(both.Recv)
	if err != nil {
		_ = both.Close() // so that Send does not wait
	}
	sending.Wait()
	return errors.Join(err, failed)
}
