package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/internal/faulty"
	"github.com/parley-rpc/parley/tests/internal/rig"
)

// callTimeout is when a call counts as hanging. Most calls take a second, those
// on a silent link a little more.
const callTimeout = 2 * time.Minute

// cut breaks links under load and counts messages, in one network after the
// other.
func (s settings) cut(ctx context.Context, out io.Writer) error {
	var bad []error
	for _, n := range s.networks() {
		bad = append(bad, s.cutOn(ctx, out, n))
	}
	return errors.Join(bad...)
}

func (s settings) cutOn(ctx context.Context, out io.Writer, n network) (err error) {
	if n.cuts == 0 || ctx.Err() != nil {
		return context.Cause(ctx)
	}
	fmt.Fprintf(out, "%s network, a round trip of %v:\n", n.name, 2*n.path.Delay)
	r, err := rig.New(rig.Config{
		Seed:    s.seed,
		Workers: s.workers,
		Timeout: callTimeout,
		Pace:    5 * time.Millisecond,
		Book:    n.book,
		Options: n.options,
	})
	if err != nil {
		return err
	}
	defer r.Close()
	r.Book.Strict = true
	proxy, err := faulty.ListenFar(r.Addr, s.seed, n.most, n.path)
	if err != nil {
		return err
	}
	defer proxy.Close()
	for range n.clients {
		c, err := r.Client(ctx, proxy.Addr())
		if err != nil {
			return err
		}
		defer func(c *rpc.Client) { err = errors.Join(err, c.Close()) }(c)
	}

	began := time.Now()
	r.Begin()
	spent := proxy.Arm(n.cuts)
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for waiting := true; waiting; {
		select {
		case <-spent:
			waiting = false
		case <-tick.C:
			fmt.Fprintf(out, "%3.0f s: %d of %d links broken, %d messages\n",
				time.Since(began).Seconds(), proxy.Broken(), n.cuts, r.Book.Totals().Messages)
		case <-ctx.Done():
			waiting = false
			err = context.Cause(ctx)
		}
	}
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	if hung := r.Finish(wait); hung != nil {
		err = errors.Join(err, fmt.Errorf("calls did not end: %q", r.Book.Pending()))
	}
	fmt.Fprintln(out, proxy.Report())
	err = errors.Join(err, n.reportLosses(out, proxy.Losses()))
	return errors.Join(err, report(out, r, proxy.Bytes(), time.Since(began)))
}

// report prints the figures, and returns what is wrong with them.
func report(out io.Writer, r *rig.Rig, bytes int64, took time.Duration) error {
	t := r.Book.Totals()
	fmt.Fprintf(out, "%d resumptions, %d sessions lost, at most %.1f MiB not acknowledged when a link was lost\n",
		r.Resumed(), r.SessionsLost(), float64(r.MostUnacknowledged())/(1<<20))
	fmt.Fprintf(out, "calls: %d unary, %d server-stream, %d client-stream, %d bidi, %d failed\n",
		t.Calls[0], t.Calls[1], t.Calls[2], t.Calls[3], t.Failed)
	fmt.Fprintf(out, "%d messages, %.1f MB over the network, %.1f s, %d damaged\n",
		t.Messages, float64(bytes)/1e6, took.Seconds(), t.Damaged)
	fmt.Fprintf(out, "lost %d duplicated %d reordered %d\n", t.Lost, t.Duplicated, t.Reordered)
	var bad []error
	if t.Lost+t.Duplicated+t.Reordered+t.Damaged > 0 {
		bad = append(bad, errors.New("the messages that came are not those that were sent"))
	}
	if t.Failed > 0 {
		bad = append(bad, fmt.Errorf("%d calls failed, the first: %w", t.Failed, errors.Join(r.Book.Failures()...)))
	}
	if n := r.SessionsLost(); n > 0 {
		bad = append(bad, fmt.Errorf("%d sessions could not be resumed", n))
	}
	return errors.Join(bad...)
}
