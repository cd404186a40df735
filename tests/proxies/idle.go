//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// echo returns each message of one long call.
var echo = &rpc.Method{Service: "parley.tests.v1.EchoService", Name: "Echo", ClientStreams: true, ServerStreams: true}

func giveBack(_ context.Context, s rpc.Stream) error {
	for {
		m := new(wrapperspb.BytesValue)
		if err := s.Recv(m); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := s.Send(m); err != nil {
			return err
		}
	}
}

// idle is a row with a proxy whose timeout is shorter or longer than the
// keepalive, and calls that are silent for a while.
type idle struct {
	keepalive time.Duration
	timeout   time.Duration
}

var (
	tooLong = idle{keepalive: 25 * time.Second, timeout: 2 * time.Second}
	inTime  = idle{keepalive: 2 * time.Second, timeout: 6 * time.Second}
)

// silence is how long all calls are silent.
const silence = 9 * time.Second

// run runs the row. Each of two calls has a small or a large message before and
// after the silence.
func (i idle) run(ctx context.Context, k kind) (r result, err error) {
	cfg := rpc.WithTransport(transport.Parameters{Keepalive: i.keepalive})
	f, err := newFleet(0, cfg)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	in, err := start(ctx, k, f.addresses(), i.timeout)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, in.stop()) }()
	var linksLost atomic.Int64
	client, err := in.client(cfg, rpc.OnDetached(func(*rpc.Conn) { linksLost.Add(1) }))
	if err != nil {
		return r, err
	}
	defer client.Close() //nolint:errcheck // has nothing in flight
	defer func() { r.lost = linksLost.Load() }()
	if i.timeout < i.keepalive {
		if _, err := f.watch.send(ctx, in, quiet); err != nil {
			return r, err
		}
	}
	small, err := say(ctx, client, 100)
	if err != nil {
		return r, err
	}
	large, err := say(ctx, client, 1<<20)
	if err != nil {
		return r, err
	}
	pause(ctx, silence)
	for _, again := range []func() error{small, large} {
		if err := again(); err != nil {
			r.failed++
			return r, err
		}
	}
	r.small, r.large = 1, 1
	r.clientSees, r.serverSees = f.watch.client.String(), f.watch.server.String()
	return r, i.judge(linksLost.Load())
}

// judge checks how many links were lost.
func (i idle) judge(lost int64) error {
	switch cut := i.timeout < i.keepalive; {
	case cut && lost == 0:
		return errNothing
	case !cut && lost > 0:
		return fmt.Errorf("%d links were lost", lost)
	}
	return nil
}

// errNothing says that a row has tested nothing.
var errNothing = errors.New("no link was lost, so nothing was shown")

// say opens a call and exchanges a message. again does the latter on the same
// call, and ends it.
func say(ctx context.Context, c *rpc.Client, size int) (again func() error, err error) {
	call, err := c.Open(ctx, echo)
	if err != nil {
		return nil, err
	}
	said := make([]byte, size)
	ask := func() error {
		said[0]++
		if err := call.Send(wrapperspb.Bytes(said)); err != nil {
			return err
		}
		m := new(wrapperspb.BytesValue)
		if err := call.Recv(m); err != nil {
			return err
		}
		if string(m.Value) != string(said) {
			return errors.New("another message came back")
		}
		return nil
	}
	again = func() error {
		if err := errors.Join(ask(), call.CloseSend()); err != nil {
			return err
		}
		if err := call.Recv(new(wrapperspb.BytesValue)); !errors.Is(err, io.EOF) {
			return fmt.Errorf("the call ended with %w", err)
		}
		return nil
	}
	return again, ask()
}
