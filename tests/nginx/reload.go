package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/internal/rig"
)

const (
	clients     = 8
	callTimeout = time.Minute
	between     = 3 * time.Second // two reloads
	shutdown    = 1               // second for which old workers serve their connections
)

// loaded is nginx in front of a server under load.
type loaded struct {
	*rig.Rig
	proxy   *nginx
	clients []*rpc.Client
}

func underLoad(ctx context.Context, seed uint64) (*loaded, error) {
	r, err := rig.New(rig.Config{Seed: seed, Workers: 3, Timeout: callTimeout, Pace: 20 * time.Millisecond})
	if err != nil {
		return nil, err
	}
	r.Book.Strict = true
	l := &loaded{Rig: r}
	if l.proxy, err = start(ctx, site{server: r.Addr, timeout: 60, shutdown: shutdown}); err != nil {
		r.Close()
		return nil, err
	}
	for range clients {
		c, err := r.Client(ctx, l.proxy.addr)
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.clients = append(l.clients, c)
	}
	r.Begin()
	return l, nil
}

func (l *loaded) close() error {
	var errs []error
	for _, c := range l.clients {
		errs = append(errs, c.Close())
	}
	l.Close()
	return errors.Join(append(errs, l.proxy.stop())...)
}

// judge waits for the end of all calls and looks at their messages.
func (l *loaded) judge(ctx context.Context, out io.Writer) error {
	if err := l.Finish(ctx); err != nil {
		return fmt.Errorf("calls did not end: %q", l.Book.Pending())
	}
	t := l.Book.Totals()
	fmt.Fprintf(out, "%d resumptions, %d calls, %d failed, %d messages: lost %d duplicated %d reordered %d\n",
		l.Resumed(), t.Calls[0]+t.Calls[1]+t.Calls[2]+t.Calls[3], t.Failed, t.Messages, t.Lost, t.Duplicated, t.Reordered)
	switch {
	case t.Failed > 0:
		return errors.Join(l.Book.Failures()...)
	case t.Lost+t.Duplicated+t.Reordered+t.Damaged > 0:
		return errors.New("the messages that came are not those that were sent")
	case l.Resumed() == 0:
		return errors.New("no link was lost, so nothing was shown")
	}
	return nil
}

// reload reloads nginx under load, again and again.
func reload(ctx context.Context, out io.Writer, seed uint64, times int) (err error) {
	l, err := underLoad(ctx, seed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	for range times {
		before, err := l.proxy.workers()
		if err != nil {
			return err
		}
		if err := l.proxy.reload(); err != nil {
			return err
		}
		pause(ctx, between)
		after, err := l.proxy.workers()
		if err != nil {
			return err
		}
		for _, pid := range before {
			if slices.Contains(after, pid) {
				return fmt.Errorf("worker %s is still there %v after the reload", pid, between)
			}
		}
	}
	fmt.Fprintf(out, "%d reloads with %d connections under load: ", times, clients)
	return l.judge(ctx, out)
}

// restart ends nginx under load, so that nobody listens for a while.
func restart(ctx context.Context, out io.Writer) (err error) {
	l, err := underLoad(ctx, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	pause(ctx, time.Second)
	if err := l.proxy.restart(ctx, 2*time.Second); err != nil {
		return err
	}
	pause(ctx, between)
	fmt.Fprintf(out, "nginx away for 2 s with %d connections under load: ", clients)
	return l.judge(ctx, out)
}
