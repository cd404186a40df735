package otelparley_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	otelparley "github.com/parley-rpc/parley/ext/otel"
	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

var system = attribute.String("rpc.system.name", "parley")

// kinds make a call of each kind, with two messages in each stream.
var kinds = map[*rpc.Method]func(context.Context, pingv1parley.PingServiceClient) error{
	pingv1parley.PingServicePingMethod: func(ctx context.Context, ping pingv1parley.PingServiceClient) error {
		_, err := ping.Ping(ctx, &pingv1.PingRequest{Text: "hello"})
		return err
	},
	pingv1parley.PingServiceCountUpMethod: func(ctx context.Context, ping pingv1parley.PingServiceClient) error {
		numbers, err := ping.CountUp(ctx, &pingv1.CountUpRequest{To: 2})
		if err != nil {
			return err
		}
		for _, err := range numbers.All() {
			if err != nil {
				return err
			}
		}
		return nil
	},
	pingv1parley.PingServiceSumMethod: func(ctx context.Context, ping pingv1parley.PingServiceClient) error {
		sum, err := ping.Sum(ctx)
		if err != nil {
			return err
		}
		defer sum.Close()
		err = errors.Join(sum.Send(&pingv1.SumRequest{Number: 1}), sum.Send(&pingv1.SumRequest{Number: 2}))
		_, sumErr := sum.CloseAndRecv()
		return errors.Join(err, sumErr)
	},
	pingv1parley.PingServiceCumSumMethod: func(ctx context.Context, ping pingv1parley.PingServiceClient) error {
		sums, err := ping.CumSum(ctx)
		if err != nil {
			return err
		}
		defer sums.Close()
		for n := range int64(2) {
			if err := sums.Send(&pingv1.CumSumRequest{Number: n}); err != nil {
				return err
			}
			if _, err := sums.Recv(); err != nil {
				return err
			}
		}
		if err := sums.CloseSend(); err != nil {
			return err
		}
		if _, err := sums.Recv(); !errors.Is(err, io.EOF) {
			return err
		}
		return nil
	},
}

func TestEachKindOfCallIsObservedAtBothEnds(t *testing.T) {
	for m, make := range kinds {
		t.Run(m.Name, func(t *testing.T) {
			l := newLab(t, setup{})
			ctx := l.scope(t.Context(), "test")
			if err := make(ctx, l.ping); err != nil {
				t.Fatal(err)
			}
			client, server := l.pair()
			if client.Name() != m.Path() || server.Name() != m.Path() {
				t.Errorf("the spans are called %q and %q", client.Name(), server.Name())
			}
			if client.Parent().SpanID() != trace.SpanContextFromContext(ctx).SpanID() {
				t.Error("the client's span has not the parent that the caller has")
			}
			if server.Parent().SpanID() != client.SpanContext().SpanID() || !server.Parent().IsRemote() {
				t.Error("the client's span is not the parent of the server's")
			}
			if client.Status().Code != codes.Unset || server.Status().Code != codes.Unset {
				t.Errorf("statuses %v and %v", client.Status(), server.Status())
			}
			host, portText, _ := net.SplitHostPort(l.host())
			port, _ := strconv.Atoi(portText)
			result := []attribute.KeyValue{system, semconv.RPCMethod(m.Path()), semconv.RPCResponseStatusCode("OK")}
			address := []attribute.KeyValue{semconv.ServerAddress(host), semconv.ServerPort(port)}
			for _, s := range []attribute.Set{values(client), values(server)} {
				want(t, s, append(result, address...)...)
				want(t, s, semconv.NetworkPeerAddress("127.0.0.1"))
				lacks(t, s, "error.type", "rpc.method_original")
			}
			want(t, values(client), semconv.NetworkPeerPort(port))
			atClient := histogram[float64](l, "rpc.client.call.duration", append(result, address...)...)
			atServer := histogram[float64](l, "rpc.server.call.duration", result...)
			if atClient.Count != 1 || atClient.Sum != client.EndTime().Sub(client.StartTime()).Seconds() {
				t.Errorf("the client's span took %v, measured are %v", client.EndTime().Sub(client.StartTime()), atClient.Sum)
			}
			if atServer.Count != 1 || atServer.Sum != server.EndTime().Sub(server.StartTime()).Seconds() {
				t.Errorf("the server's span took %v, measured are %v", server.EndTime().Sub(server.StartTime()), atServer.Sum)
			}
		})
	}
}

func TestAStatusIsAnErrorOfWhoIsAtFault(t *testing.T) {
	l := newLab(t, setup{})
	for code := rpc.CodeCanceled; code <= rpc.CodeUnauthenticated; code++ {
		_, err := l.ping.Ping(t.Context(), &pingv1.PingRequest{FailCode: uint32(code)})
		if !errors.Is(err, code) {
			t.Fatalf("got %v", err)
		}
		client, server := l.pair()
		name := code.String()
		servers := codes.Unset
		switch code {
		case rpc.CodeUnknown, rpc.CodeDeadlineExceeded, rpc.CodeUnimplemented, rpc.CodeInternal, rpc.CodeUnavailable, rpc.CodeDataLoss:
			servers = codes.Error
			want(t, values(server), semconv.ErrorTypeKey.String(name))
		case rpc.CodeCanceled:
			name = "CANCELLED"
			fallthrough
		default:
			lacks(t, values(server), "error.type")
		}
		want(t, values(client), semconv.ErrorTypeKey.String(name), semconv.RPCResponseStatusCode(name))
		want(t, values(server), semconv.RPCResponseStatusCode(name))
		if client.Status().Code != codes.Error || server.Status().Code != servers {
			t.Errorf("%v: statuses %v and %v", code, client.Status(), server.Status())
		}
	}
	histogram[float64](l, "rpc.server.call.duration", system, semconv.RPCMethod("parley.ping.v1.PingService/Ping"),
		semconv.RPCResponseStatusCode("INTERNAL"), semconv.ErrorTypeKey.String("INTERNAL"))
	histogram[float64](l, "rpc.server.call.duration", system, semconv.RPCMethod("parley.ping.v1.PingService/Ping"),
		semconv.RPCResponseStatusCode("NOT_FOUND"))
}

func TestACallThatIsLeftEndsAtBothEnds(t *testing.T) {
	l := newLab(t, setup{})
	for name, leave := range map[string]func(t *testing.T) rpc.Code{
		"context": func(t *testing.T) rpc.Code {
			ctx, cancel := context.WithCancel(t.Context())
			numbers, err := l.ping.CountUp(ctx, &pingv1.CountUpRequest{To: 1 << 40})
			if err != nil {
				t.Fatal(err)
			}
			if _, err = numbers.Recv(); err != nil {
				t.Fatal(err)
			}
			cancel()
			for err == nil {
				_, err = numbers.Recv()
			}
			return rpc.CodeOf(err)
		},
		"loop": func(t *testing.T) rpc.Code {
			numbers, err := l.ping.CountUp(t.Context(), &pingv1.CountUpRequest{To: 1 << 40})
			if err != nil {
				t.Fatal(err)
			}
			for _, err := range numbers.All() {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			return rpc.CodeCanceled
		},
	} {
		t.Run(name, func(t *testing.T) {
			if code := leave(t); code != rpc.CodeCanceled {
				t.Errorf("the call ended with %v", code)
			}
			client, server := l.pair()
			for _, s := range []attribute.Set{values(client), values(server)} {
				want(t, s, semconv.RPCResponseStatusCode("CANCELLED"))
			}
			if client.Status().Code != codes.Error || server.Status().Code != codes.Unset {
				t.Errorf("statuses %v and %v", client.Status(), server.Status())
			}
		})
	}
}

func TestADeadlineIsSeenAtTheCallersEnd(t *testing.T) {
	l := newLab(t, setup{})
	_, err := l.ping.Ping(t.Context(), &pingv1.PingRequest{DelayMs: 60_000}, rpc.WithTimeout(10*time.Millisecond))
	if !errors.Is(err, rpc.CodeDeadlineExceeded) {
		t.Fatal(err)
	}
	span := <-l.ended
	for span.SpanKind() != trace.SpanKindClient { // the server has none if it has not seen the call
		span = <-l.ended
	}
	want(t, values(span), semconv.ErrorTypeKey.String("DEADLINE_EXCEEDED"))
}

func TestACallWithoutAServerHasASpan(t *testing.T) {
	l := newLab(t, setup{})
	caller := rpc.NewClient("ws://127.0.0.1:1/rpc", l.telemetry.ClientOption())
	defer caller.Close()
	_, err := pingv1parley.NewPingServiceClient(caller).Ping(t.Context(), new(pingv1.PingRequest))
	if !errors.Is(err, rpc.CodeUnavailable) {
		t.Fatal(err)
	}
	span := <-l.ended
	want(t, values(span), semconv.ErrorTypeKey.String("UNAVAILABLE"))
	lacks(t, values(span), "server.address", "network.peer.address")
}

// panicker panics.
type panicker struct {
	pingv1parley.UnimplementedPingServiceServer
}

func (panicker) Ping(context.Context, *pingv1.PingRequest) (*pingv1.PingResponse, error) {
	panic("a secret")
}

func TestAPanicEndsTheSpanWithoutWhatItSays(t *testing.T) {
	l := newLab(t, setup{services: func(srv *rpc.Server) { pingv1parley.RegisterPingServiceServer(srv, panicker{}) }})
	if _, err := l.ping.Ping(t.Context(), new(pingv1.PingRequest)); !errors.Is(err, rpc.CodeInternal) {
		t.Fatal(err)
	}
	client, server := l.pair()
	for _, s := range []attribute.Set{values(client), values(server)} {
		want(t, s, semconv.ErrorTypeKey.String("INTERNAL"))
	}
	if got := server.Status().Description; got != "INTERNAL: panic" {
		t.Errorf("the span says %q", got)
	}
}

func TestAttributesAreOnSpansAndMeasurements(t *testing.T) {
	tenant := attribute.String("tenant", "acme")
	l := newLab(t, setup{options: []otelparley.Option{otelparley.WithAttributes(tenant)}})
	if _, err := l.ping.Ping(t.Context(), new(pingv1.PingRequest)); err != nil {
		t.Fatal(err)
	}
	client, server := l.pair()
	want(t, values(client), tenant)
	want(t, values(server), tenant)
	histogram[float64](l, "rpc.server.call.duration", system, semconv.RPCMethod("parley.ping.v1.PingService/Ping"),
		semconv.RPCResponseStatusCode("OK"), tenant)
	<-l.begun
	<-l.begun
	if n := l.sum("parley.connection.count", attribute.String("parley.side", "client"), connected, tenant); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestCallsThatAreFilteredOutLeaveNoTrace(t *testing.T) {
	l := newLab(t, setup{options: []otelparley.Option{
		otelparley.WithFilter(func(c *rpc.Call) bool { return c.Method.Name != "Ping" }),
		otelparley.WithMessageSizes(),
	}})
	ctx := l.scope(t.Context(), "test")
	if err := kinds[pingv1parley.PingServicePingMethod](ctx, l.ping); err != nil {
		t.Fatal(err)
	}
	if err := kinds[pingv1parley.PingServiceSumMethod](ctx, l.ping); err != nil {
		t.Fatal(err)
	}
	client, server := l.pair()
	if client.Name() != pingv1parley.PingServiceSumMethod.Path() || client.Name() != server.Name() {
		t.Errorf("observed were %q and %q", client.Name(), server.Name())
	}
}

// A caller can invent any number of methods.
func TestNamesOfUnknownMethodsMakeNoTimeSeries(t *testing.T) {
	l := newLab(t, setup{services: func(srv *rpc.Server) {
		srv.HandleUnknown(func(context.Context, rpc.Stream) error { return rpc.CodeNotFound })
	}})
	if _, err := l.ping.Ping(t.Context(), new(pingv1.PingRequest)); !errors.Is(err, rpc.CodeNotFound) {
		t.Fatal(err)
	}
	client, server := l.pair()
	if server.Name() != "parley" || client.Name() != "parley.ping.v1.PingService/Ping" {
		t.Errorf("the spans are called %q and %q", client.Name(), server.Name())
	}
	want(t, values(server), semconv.RPCMethod("_OTHER"), semconv.RPCMethodOriginal("parley.ping.v1.PingService/Ping"))
	histogram[float64](l, "rpc.server.call.duration", system, semconv.RPCMethod("_OTHER"), semconv.RPCResponseStatusCode("NOT_FOUND"))
}

func TestKnownMethodsHaveTheirNamesAlthoughTheyArePassedOn(t *testing.T) {
	l := newLab(t, setup{
		options: []otelparley.Option{otelparley.WithKnownMethods("parley.ping.v1.PingService/Ping")},
		services: func(srv *rpc.Server) {
			srv.HandleUnknown(func(context.Context, rpc.Stream) error { return rpc.CodeNotFound })
		},
	})
	if _, err := l.ping.Ping(t.Context(), new(pingv1.PingRequest)); !errors.Is(err, rpc.CodeNotFound) {
		t.Fatal(err)
	}
	_, server := l.pair()
	if server.Name() != "parley.ping.v1.PingService/Ping" {
		t.Errorf("the span is called %q", server.Name())
	}
	want(t, values(server), semconv.RPCMethod("parley.ping.v1.PingService/Ping"))
	lacks(t, values(server), "rpc.method_original")
}

func TestRetriesAreOneCallAndCounted(t *testing.T) {
	failures := 2
	ping := pingv1parley.PingServicePingMethod
	l := newLab(t, setup{
		services: func(srv *rpc.Server) {
			srv.Register(&rpc.Service{Name: ping.Service, Methods: []rpc.ServiceMethod{{
				Method: ping,
				Handler: rpc.UnaryHandler(func(context.Context, *pingv1.PingRequest) (*pingv1.PingResponse, error) {
					if failures--; failures >= 0 {
						return nil, rpc.CodeUnavailable
					}
					return new(pingv1.PingResponse), nil
				}),
			}}})
		},
		client: []rpc.ClientOption{rpc.WithRetry(rpc.RetryPolicy{MaxAttempts: 3, Codes: []rpc.Code{rpc.CodeUnavailable}})},
	})
	if _, err := l.ping.Ping(t.Context(), new(pingv1.PingRequest)); err != nil {
		t.Fatal(err)
	}
	attempts := 0
	for range 4 {
		if span := <-l.ended; span.SpanKind() == trace.SpanKindServer {
			attempts++
		} else {
			want(t, values(span), attribute.Int("parley.retries", 2), semconv.RPCResponseStatusCode("OK"))
		}
	}
	if attempts != 3 {
		t.Errorf("%d spans of the server", attempts)
	}
	if n := l.sum("parley.client.retries", system, semconv.RPCMethod(ping.Path())); n != 2 {
		t.Errorf("%d retries", n)
	}
}

func TestOptionsThatAreWrongAreNamed(t *testing.T) {
	for want, o := range map[string]otelparley.Option{
		"otelparley: WithTracerProvider: no TracerProvider": otelparley.WithTracerProvider(nil),
		"otelparley: WithMeterProvider: no MeterProvider":   otelparley.WithMeterProvider(nil),
		"otelparley: WithPropagators: no TextMapPropagator": otelparley.WithPropagators(nil),
	} {
		if _, err := otelparley.New(o); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
