// Package device is the client's side of the reverse example: a device that
// dials the hub, serves the hub's calls, and stays connected.
package device

import (
	"context"
	"math"
	"net/http"
	"runtime"
	"time"

	"github.com/parley-rpc/parley/examples/reverse/hub"
	agentv1 "github.com/parley-rpc/parley/gen/parley/agent/v1"
	"github.com/parley-rpc/parley/gen/parley/agent/v1/agentv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// Device is an AgentServiceServer.
type Device struct {
	agentv1parley.UnimplementedAgentServiceServer
	Started time.Time
}

// Describe returns a description of the device.
func (d *Device) Describe(context.Context, *agentv1.DescribeRequest) (*agentv1.DescribeResponse, error) {
	return &agentv1.DescribeResponse{
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
		UptimeS:  uint64(time.Since(d.Started).Seconds()),
	}, nil
}

// Watch sends the requested number of readings, or until the caller cancels.
func (d *Device) Watch(ctx context.Context, req *agentv1.WatchRequest, out rpc.Sender[agentv1.WatchResponse]) error {
	interval := time.Duration(req.IntervalMs) * time.Millisecond
	if interval == 0 {
		interval = time.Second
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for n := uint32(1); req.Count == 0 || n <= req.Count; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		reading := &agentv1.Reading{Number: n, Temperature: temperature(n)}
		if err := out.Send(&agentv1.WatchResponse{Reading: reading}); err != nil {
			return err
		}
	}
	return nil
}

// temperature simulates a sensor.
func temperature(n uint32) float64 { return math.Round(10*(20+5*math.Sin(float64(n)))) / 10 }

// NewClient returns a client of the hub at url that serves the hub's calls.
func NewClient(url, name string, opts ...rpc.ClientOption) *rpc.Client {
	opts = append(opts, rpc.WithHTTPHeader(http.Header{hub.NameHeader: {name}}))
	//snippet:serve
	services := rpc.NewMux()
	agentv1parley.RegisterAgentServiceServer(services, &Device{Started: time.Now()})
	client := rpc.NewClient(url, append(opts, rpc.WithServices(services))...)
	//snippet:end
	return client
}

// Stay keeps a client connected until ctx ends, and calls report at each
// change. It returns an error if waiting does not help: the hub refuses this
// device, or the URL is not a hub's.
func Stay(ctx context.Context, client *rpc.Client, report func(event string)) error {
	//snippet:stay
	for state := range client.States(ctx) {
		switch state {
		case rpc.StateReady:
			report("connected")
		case rpc.StateIdle, rpc.StateTransientFailure:
			_, err := client.Connect(ctx)
			switch {
			case err == nil, ctx.Err() != nil:
			case rpc.CodeOf(err) == rpc.CodeUnavailable: // the client tries again by itself
				report("not connected: " + err.Error())
			default: // it is refused
				return err
			}
		}
	}
	return nil // ctx has ended
	//snippet:end
}
