package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/fullstorydev/grpcurl"
	"github.com/jhump/protoreflect/desc"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/parley-rpc/parley/rpc"
)

// benchFlags configure the load.
type benchFlags struct {
	data        data
	inFlight    int
	connections int
	duration    time.Duration
	calls       int64
	timeout     time.Duration
}

func (p *program) benchCommand() *cobra.Command {
	var t target
	var s schemaFlags
	var f benchFlags
	c := &cobra.Command{
		Use:   "bench URL pkg.Service/Method",
		Short: "Call a method many times, and measure the latency",
		Long: `bench keeps a number of calls in flight: when one ends the next is made. It prints the
calls per second and how long they took, from the opening of a call to its status.
Failed calls are counted by code, and their times are left out. The exit code is 1 if a
call has failed.

For a method that takes a stream of requests, each call sends all of them.`,
		Example: "  parley bench ws://localhost:8080/rpc parley.ping.v1.PingService/Ping -d '{\"text\": \"hello\"}' -c 64 --duration 10s",
		Args:    exactly("URL", "METHOD"),
		RunE: func(c *cobra.Command, args []string) error {
			if f.calls > 0 && !c.Flags().Changed("duration") {
				f.duration = 0
			}
			return p.bench(c.Context(), &t, &s, &f, args[0], args[1])
		},
	}
	t.flags(c.Flags())
	s.flags(c.Flags())
	f.data.flags(c.Flags())
	c.Flags().IntVarP(&f.inFlight, "concurrency", "c", 50, "calls in flight, over all connections")
	c.Flags().IntVar(&f.connections, "connections", 1, "connections")
	c.Flags().DurationVar(&f.duration, "duration", 10*time.Second, "duration of the load")
	c.Flags().Int64VarP(&f.calls, "calls", "n", 0, "number of calls; 0: as many as the duration allows")
	c.Flags().DurationVar(&f.timeout, "timeout", 0, "timeout of a call; 0: none")
	return c
}

// check fills in defaults and returns an error for invalid flags.
func (f *benchFlags) check() error {
	switch {
	case f.inFlight < 1 || f.connections < 1:
		return usagef("-c and --connections must be at least 1")
	case f.connections > f.inFlight:
		return usagef("--connections %d: there are only %d calls in flight (-c)", f.connections, f.inFlight)
	case f.calls < 0 || f.duration < 0 || f.timeout < 0:
		return usagef("-n, --duration and --timeout must not be negative")
	case f.calls == 0 && f.duration == 0:
		return usagef("--duration must be positive, unless -n says how many calls there are")
	}
	return nil
}

func (p *program) bench(ctx context.Context, t *target, s *schemaFlags, f *benchFlags, url, name string) error {
	if err := f.check(); err != nil {
		return err
	}
	l := &load{inFlight: f.inFlight, calls: f.calls, duration: f.duration, timeout: f.timeout}
	for range f.connections {
		client, _, err := t.connect(ctx, url)
		if err != nil {
			return err
		}
		defer client.Close() //nolint:errcheck // the program ends
		l.callers = append(l.callers, client)
	}
	from, err := s.schema(ctx, url, l.callers[0])
	if err != nil {
		return err
	}
	defer from.close()
	method, err := from.method(name)
	if err != nil {
		return err
	}
	l.method = &rpc.Method{
		Service: method.GetService().GetFullyQualifiedName(), Name: method.GetName(),
		ClientStreams: method.IsClientStreaming(), ServerStreams: method.IsServerStreaming(),
	}
	for key, values := range grpcurl.MetadataFromHeaders(s.headers) {
		l.opts = append(l.opts, rpc.WithMetadata(key, values...))
	}
	source, err := f.data.open(p.In, method)
	if err != nil {
		return err
	}
	l.requests, err = encode(ctx, source, from, method)
	_ = source.Close() // it was only read
	if err != nil {
		return err
	}
	live := p.startProgress(l)
	m := l.run(ctx)
	live.stop()
	return p.showMeasured(ctx, m)
}

// encode reads and encodes the requests of a method.
func encode(ctx context.Context, r io.Reader, from *schema, method *desc.MethodDescriptor) (all []rpc.Raw, err error) {
	message := method.GetInputType()
	in := readRequests(r, from, message.GetFullyQualifiedName())
	defer in.stop()
	for {
		m := dynamicpb.NewMessage(message.UnwrapMessage())
		err := in.next(ctx, m)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		raw, err := proto.Marshal(m)
		if err != nil {
			return nil, fmt.Errorf("encode request %d: %w", len(all)+1, err)
		}
		all = append(all, raw)
	}
	switch {
	case method.IsClientStreaming():
	case len(all) == 0:
		all = []rpc.Raw{nil} // an empty message
	case len(all) > 1:
		return nil, usagef("%s takes one request, not %d", path(method), len(all))
	}
	return all, nil
}
