package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fullstorydev/grpcurl"
	"github.com/jhump/protoreflect/desc"
	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/runtime/protoiface"

	grpcparley "github.com/parley-rpc/parley/ext/grpc"
	"github.com/parley-rpc/parley/rpc"
)

// callFlags are the flags that select a call.
type callFlags struct {
	data     data
	timeout  time.Duration
	defaults bool
	verbose  bool
}

func (p *program) callCommand() *cobra.Command {
	var t target
	var s schemaFlags
	var f callFlags
	c := &cobra.Command{
		Use:   "call URL pkg.Service/Method",
		Short: "Call a method",
		Long: `call calls a method of any kind, and prints the responses as JSON. With -o json each is
one line.

Requests are JSON, one value after the other: in -d, or read from the file of -d @FILE, or
from the standard input if -d is @. A method that takes a stream of requests reads them
from there without -d, too: each is sent when it is typed, and responses are printed as
they arrive.

The definition of the method comes from the server (gRPC's reflection), unless --proto or
--descriptor-set says it.`,
		Example: `  parley call ws://localhost:8080/rpc parley.ping.v1.PingService/Ping -d '{"text": "hello"}'
  parley call ws://localhost:8080/rpc parley.ping.v1.PingService/Ping -d @request.json
  parley call ws://localhost:8080/rpc parley.ping.v1.PingService/CumSum <numbers.jsonl
  parley call wss://example.com/rpc acme.v1.Users/Get -I proto --proto acme/v1/users.proto -d '{"id": 7}'`,
		Args: exactly("URL", "METHOD"),
		RunE: func(c *cobra.Command, args []string) error {
			return p.call(c.Context(), &t, &s, &f, args[0], args[1])
		},
	}
	t.flags(c.Flags())
	s.flags(c.Flags())
	f.data.flags(c.Flags())
	c.Flags().DurationVar(&f.timeout, "timeout", 0, "timeout of the call; 0: none")
	c.Flags().BoolVar(&f.defaults, "emit-defaults", false, "also print fields with their default value")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "print headers and trailers to standard error")
	return c
}

func (p *program) call(ctx context.Context, t *target, s *schemaFlags, f *callFlags, url, name string) error {
	client, _, err := t.connect(ctx, url)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // the program ends
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	from, err := s.schema(ctx, url, client)
	if err != nil {
		return err
	}
	defer from.close()
	method, err := from.method(name)
	if err != nil {
		return err
	}
	source, err := f.data.open(p.In, method)
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // it is only read
	in := readRequests(source, from, method.GetInputType().GetFullyQualifiedName())
	defer in.stop()
	types := grpcurl.AnyResolverFromDescriptorSourceWithFallback(from)
	out := &answers{p: p, requests: in, verbose: f.verbose, format: grpcurl.NewJSONFormatter(f.defaults, types)}
	ch := &channel{ClientConnInterface: grpcparley.NewClientConn(client)}
	next := func(m protoiface.MessageV1) error { return in.next(ctx, m) }
	err = grpcurl.InvokeRPC(ctx, from, ch, path(method), s.headers, out, next)
	switch {
	case in.failure() != nil:
		return in.failure()
	case out.failed != nil:
		return out.failed
	case ctx.Err() != nil && out.status == nil:
		return &statusError{status: status.FromContextError(ctx.Err())}
	case err != nil:
		return usagef("%w", err)
	case out.status == nil:
		return out.end(status.Convert(ch.failed))
	}
	return out.end(out.status)
}

// channel keeps the error with which a stream could not be opened, which
// grpcurl does not report.
type channel struct {
	grpc.ClientConnInterface
	failed error
}

func (c *channel) NewStream(ctx context.Context, d *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := c.ClientConnInterface.NewStream(ctx, d, method, opts...)
	c.failed = err
	return s, err
}

// answers prints the responses of a call.
type answers struct {
	p        *program
	requests *requests
	format   grpcurl.Formatter
	verbose  bool

	status *status.Status // nil: not yet known
	failed error          // why a response could not be printed
}

func (a *answers) OnResolveMethod(*desc.MethodDescriptor) {}

func (a *answers) OnSendHeaders(md metadata.MD) { a.show("> ", md) }

func (a *answers) OnReceiveHeaders(md metadata.MD) { a.show("< ", md) }

func (a *answers) OnReceiveTrailers(s *status.Status, md metadata.MD) {
	a.status = s
	a.show("< trailer ", md)
	if a.verbose {
		fmt.Fprintln(a.p.Err, "< status", rpc.Code(s.Code()))
	}
	a.requests.stop()
}

// show prints metadata, one line per value.
func (a *answers) show(prefix string, md metadata.MD) {
	if !a.verbose || len(md) == 0 {
		return
	}
	lines := strings.Split(strings.TrimSpace(grpcurl.MetadataToString(md)), "\n")
	slices.Sort(lines)
	for _, line := range lines {
		fmt.Fprintln(a.p.Err, prefix+line)
	}
}

func (a *answers) OnReceiveResponse(m protoiface.MessageV1) {
	text, err := a.format(m)
	if err == nil && a.p.json() {
		text, err = compact(text)
	}
	if err == nil {
		_, err = fmt.Fprintln(a.p.Out, text)
	}
	if err != nil && a.failed == nil {
		a.failed = fmt.Errorf("a response cannot be printed: %w", err)
	}
}

// end returns a status other than OK, with its details.
func (a *answers) end(s *status.Status) error {
	if s.Code() == codes.OK {
		return nil
	}
	e := &statusError{status: s}
	for _, d := range s.Proto().GetDetails() {
		text, err := a.format(d)
		if err == nil {
			text, err = compact(text)
		}
		if err != nil { // a type that is not known here
			e.details = append(e.details, unknownDetail(d.GetTypeUrl()))
			continue
		}
		e.details = append(e.details, json.RawMessage(text))
	}
	return e
}

// unknownDetail is the output for a detail of an unknown type.
func unknownDetail(typeURL string) json.RawMessage {
	text, err := json.Marshal(map[string]string{"@type": typeURL})
	if err != nil {
		return json.RawMessage("{}") // never, for strings
	}
	return text
}

// compact writes JSON in one line.
func compact(text string) (string, error) {
	var b bytes.Buffer
	err := json.Compact(&b, []byte(text))
	return b.String(), err
}
