package main

import (
	"context"
	"errors"
	"io"
	"strings"

	agentv1 "github.com/parley-rpc/parley/gen/parley/agent/v1"
	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/rpc"
)

// reverse makes the server watch this client.
func (d *demo) reverse(ctx context.Context) error {
	d.sent("WatchAgent %q: what the server answers, it has to ask this client for", name)
	readings, err := d.hub.WatchAgent(ctx, &agentv1.WatchAgentRequest{
		Name: name, Watch: &agentv1.WatchRequest{IntervalMs: 20, Count: 3},
	})
	if err != nil {
		return err
	}
	var count uint32
	for r, err := range readings.All() {
		if err != nil {
			return err
		}
		count++
		d.got("reading %d of this client, back from the server: %.1f °C", r.Reading.Number, r.Reading.Temperature)
		if err := expect("the number of the reading", r.Reading.Number, count); err != nil {
			return err
		}
	}
	if err := expect("the number of readings", count, 3); err != nil {
		return err
	}
	return expect("the number of calls that the server has made", d.served.Load(), 1)
}

// arrival is a message, or the end, of one of several calls.
type arrival struct {
	call   string // "A" or "B"
	number uint64
	err    error
}

// interleaved receives two streams at the same time.
func (d *demo) interleaved(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx) // ends the other call if one fails
	defer cancel()
	const to = 5
	arrivals := make(chan arrival, 2*(to+1)) // capacity for all
	var conns [2]*rpc.Conn
	for i, call := range []string{"A", "B"} {
		d.sent("%s: CountUp to %d", call, to)
		numbers, err := d.ping.CountUp(ctx, &pingv1.CountUpRequest{To: to, DelayMs: 40})
		if err != nil {
			return err
		}
		defer numbers.Close() //nolint:errcheck // the step ends
		conns[i] = numbers.Call().Conn
		go receive(call, numbers, arrivals)
	}
	var order strings.Builder
	for ended := 0; ended < 2; {
		a := <-arrivals
		switch {
		case errors.Is(a.err, io.EOF):
			ended++
			if err := expect("the numbers of "+a.call, strings.Count(order.String(), a.call), to); err != nil {
				return err
			}
		case a.err != nil:
			return a.err
		case strings.Count(order.String(), a.call) == to:
			return expectEnd(nil)
		default:
			d.got("%s: %d", a.call, a.number)
			order.WriteString(a.call)
		}
	}
	d.printf("         in the order %s\n", order.String())
	if err := expect("the connection of B", conns[1], conns[0]); err != nil {
		return err
	}
	// If they were served one after the other, the first would be over before
	// the second starts.
	got := order.String()
	if strings.Index(got, "B") > strings.LastIndex(got, "A") || strings.Index(got, "A") > strings.LastIndex(got, "B") {
		return errors.New("expected A and B to interleave, got the order " + got)
	}
	return nil
}

// receive sends what arrives to arrivals, up to and including the end of the
// call. It does not wait for the reader of arrivals, so it sends no more than
// the capacity.
func receive(call string, numbers rpc.Receiver[pingv1.CountUpResponse], arrivals chan<- arrival) {
	for range cap(arrivals) / 2 {
		n, err := numbers.Recv()
		arrivals <- arrival{call: call, number: n.GetNumber(), err: err}
		if err != nil {
			return
		}
	}
}

// oneConnection checks that all steps have used one connection.
func (d *demo) oneConnection(context.Context) error {
	if err := expect("the number of connections", d.connections.Load(), 1); err != nil {
		return err
	}
	d.printf("      %d connection was made.\n", d.connections.Load())
	return nil
}
