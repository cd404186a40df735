package main

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/examples/reverse/device"
	"github.com/parley-rpc/parley/gen/parley/agent/v1/agentv1parley"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// stepTimeout bounds one step. Most take milliseconds.
const stepTimeout = 15 * time.Second

// name is the name under which the server calls this client.
const name = "demo"

// demo is the client, which is also a device of the hub.
type demo struct {
	transcript
	ping pingv1parley.PingServiceClient
	hub  agentv1parley.HubServiceClient

	connections atomic.Int32 // made so far
	served      atomic.Int32 // calls that the server has made so far
}

// step is a part of the demo that can fail.
type step struct {
	title string
	run   func(*demo, context.Context) error
}

var steps = []step{
	{"A unary call: one message each way.", (*demo).unary},
	{"A server stream: one message there, many back.", (*demo).serverStream},
	{"A client stream: many messages there, one back.", (*demo).clientStream},
	{"A bidirectional stream: each message is answered before the next one is sent.", (*demo).bidi},
	{"A deadline of 200 ms expires while the server takes its time.", (*demo).deadline},
	{"A call that would go on for years is canceled after three messages.", (*demo).canceled},
	{"An error comes with a code, a message and a detail that is itself a message.", (*demo).failure},
	{"A reverse call: the server calls this client, on the connection that the client has made.", (*demo).reverse},
	{"Two calls at once: their messages interleave on the connection.", (*demo).interleaved},
	{"All of that went over one WebSocket.", (*demo).oneConnection},
}

// client takes all steps with the server at url.
func client(ctx context.Context, url string, out io.Writer) error {
	begin := time.Now()
	d := &demo{transcript: transcript{out: out}}
	c := device.NewClient(url, name,
		rpc.OnConnect(func(*rpc.Conn) { d.connections.Add(1) }),
		rpc.WithHandlerInterceptors(d.announce))
	defer c.Close() //nolint:errcheck // the program ends
	d.ping = pingv1parley.NewPingServiceClient(c)
	d.hub = agentv1parley.NewHubServiceClient(c)
	for i, s := range steps {
		d.title(i+1, s.title)
		if err := d.take(ctx, s); err != nil {
			return fmt.Errorf("step %d failed: %w", i+1, err)
		}
	}
	d.printf("\nAll %d steps went as they should, in %.1f s.\n", len(steps), time.Since(begin).Seconds())
	return nil
}

func (d *demo) take(ctx context.Context, s step) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	return s.run(d, ctx)
}

// announce is an interceptor that prints the calls that the server makes.
func (d *demo) announce(next rpc.Handler) rpc.Handler {
	return func(ctx context.Context, s rpc.Stream) error {
		d.served.Add(1)
		d.got("the server calls %s", s.Call().Method.Path())
		return next(ctx, s)
	}
}
