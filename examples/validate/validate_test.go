package validate_test

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	rules "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/examples/validate"
	bookingv1 "github.com/parley-rpc/parley/examples/validate/gen/parley/booking/v1"
	"github.com/parley-rpc/parley/examples/validate/gen/parley/booking/v1/bookingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk counts the bookings that reach it. It takes no error of a message for
// the end of a call.
type desk struct {
	bookingv1parley.UnimplementedBookingServiceServer
	seen atomic.Int32
}

func (d *desk) Book(_ context.Context, b *bookingv1.Booking) (*bookingv1.Booked, error) {
	d.seen.Add(1)
	return &bookingv1.Booked{Seats: b.Seats}, nil
}

func (d *desk) Watch(_ context.Context, b *bookingv1.Booking, out rpc.Sender[bookingv1.Booked]) error {
	d.seen.Add(1)
	for n := range b.Seats {
		if err := out.Send(&bookingv1.Booked{Seats: n + 1}); err != nil {
			return err
		}
	}
	return nil
}

func (d *desk) BookAll(_ context.Context, in rpc.Receiver[bookingv1.Booking]) (*bookingv1.Booked, error) {
	all := new(bookingv1.Booked)
	for b, err := range in.All() {
		if err != nil {
			break
		}
		d.seen.Add(1)
		all.Seats += b.Seats
	}
	return all, nil
}

func (d *desk) Talk(_ context.Context, in rpc.Receiver[bookingv1.Booking], out rpc.Sender[bookingv1.Booked]) error {
	for b, err := range in.All() {
		if err != nil {
			return nil //nolint:nilerr // the interceptor has the error
		}
		d.seen.Add(1)
		if err := out.Send(&bookingv1.Booked{Seats: b.Seats}); err != nil {
			return err
		}
	}
	return nil
}

func newServer() (*rpc.Server, error) {
	//snippet:use
	validator, err := protovalidate.New()
	if err != nil {
		return nil, err
	}
	srv := rpc.NewServer(rpc.WithHandlerInterceptors(validate.Received(validator)))
	//snippet:end
	return srv, nil
}

// open connects a client to a server that validates what it receives.
func open(t *testing.T, opts ...rpc.ClientOption) (bookingv1parley.BookingServiceClient, *desk) {
	t.Helper()
	srv, err := newServer()
	if err != nil {
		t.Fatal(err)
	}
	d := new(desk)
	bookingv1parley.RegisterBookingServiceServer(srv, d)
	web := httptest.NewServer(srv)
	client := rpc.NewClient("ws"+strings.TrimPrefix(web.URL, "http"), opts...)
	t.Cleanup(func() {
		_ = client.Close()
		_ = srv.Close()
		web.Close()
	})
	return bookingv1parley.NewBookingServiceClient(client), d
}

// kinds make a call of each kind with one booking, and return the seats of the
// last answer.
var kinds = map[string]func(context.Context, bookingv1parley.BookingServiceClient, *bookingv1.Booking) (uint32, error){
	"unary": func(ctx context.Context, c bookingv1parley.BookingServiceClient, b *bookingv1.Booking) (uint32, error) {
		res, err := c.Book(ctx, b)
		return res.GetSeats(), err
	},
	"server streaming": func(ctx context.Context, c bookingv1parley.BookingServiceClient, b *bookingv1.Booking) (uint32, error) {
		stream, err := c.Watch(ctx, b)
		if err != nil {
			return 0, err
		}
		var seats uint32
		for res, err := range stream.All() {
			if err != nil {
				return 0, err
			}
			seats = res.Seats
		}
		return seats, nil
	},
	"client streaming": func(ctx context.Context, c bookingv1parley.BookingServiceClient, b *bookingv1.Booking) (uint32, error) {
		up, err := c.BookAll(ctx)
		if err != nil {
			return 0, err
		}
		defer up.Close()
		if err := up.Send(b); err != nil {
			return 0, err
		}
		res, err := up.CloseAndRecv()
		return res.GetSeats(), err
	},
	"bidirectional": func(ctx context.Context, c bookingv1parley.BookingServiceClient, b *bookingv1.Booking) (uint32, error) {
		stream, err := c.Talk(ctx)
		if err != nil {
			return 0, err
		}
		defer stream.Close()
		if err := stream.Send(b); err != nil {
			return 0, err
		}
		if err := stream.CloseSend(); err != nil {
			return 0, err
		}
		res, err := stream.Recv()
		if err != nil {
			return 0, err
		}
		if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
			return 0, err
		}
		return res.Seats, nil
	},
}

// wantViolations fails the test unless err is INVALID_ARGUMENT, and its detail
// names the fields and the rules that are broken.
func wantViolations(t *testing.T, err error, want ...string) {
	t.Helper()
	var status *rpc.Error
	if !errors.As(err, &status) || status.Code() != rpc.CodeInvalidArgument || len(status.Details()) != 1 {
		t.Fatalf("got %v", err)
	}
	detail, err := status.Details()[0].UnmarshalNew()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range detail.(*rules.Violations).GetViolations() {
		got = append(got, protovalidate.FieldPathString(v.GetField())+" "+v.GetRuleId())
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestMessagesThatKeepTheRulesPass(t *testing.T) {
	c, _ := open(t)
	for kind, call := range kinds {
		if seats, err := call(t.Context(), c, &bookingv1.Booking{Guest: "Ada", Seats: 8}); err != nil || seats != 8 {
			t.Errorf("%s: %d, %v", kind, seats, err)
		}
	}
}

func TestHandlersNeverSeeAMessageThatBreaksARule(t *testing.T) {
	c, d := open(t)
	for kind, call := range kinds {
		t.Run(kind, func(t *testing.T) {
			_, err := call(t.Context(), c, &bookingv1.Booking{Seats: 9})
			wantViolations(t, err, "guest string.min_len", "seats uint32.gte_lte")
			if d.seen.Load() != 0 {
				t.Fatal("the handler has seen it")
			}
		})
	}
}

func TestAStreamEndsAtTheFirstMessageThatBreaksARule(t *testing.T) {
	c, d := open(t)
	stream, err := c.Talk(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if err := stream.Send(&bookingv1.Booking{Guest: "Ada", Seats: 1}); err != nil {
		t.Fatal(err)
	}
	if res, err := stream.Recv(); err != nil || res.Seats != 1 {
		t.Fatalf("%v, %v", res, err)
	}
	if err := stream.Send(&bookingv1.Booking{Guest: "Ada"}); err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	wantViolations(t, err, "seats uint32.gte_lte")
	if n := d.seen.Load(); n != 1 {
		t.Fatalf("the handler has seen %d", n)
	}
}

func TestACallerIsToldBeforeAnythingIsSent(t *testing.T) {
	validator, err := protovalidate.New()
	if err != nil {
		t.Fatal(err)
	}
	//snippet:use-client
	validated := rpc.WithCallInterceptors(validate.Sent(validator))
	//snippet:end
	sent := new(counter)
	c, _ := open(t, rpc.WithCallInterceptors(sent.intercept), validated) // the first is nearest to the network
	for kind, call := range kinds {
		t.Run(kind, func(t *testing.T) {
			_, err := call(t.Context(), c, &bookingv1.Booking{Guest: "Ada"})
			wantViolations(t, err, "seats uint32.gte_lte")
			if sent.n.Load() != 0 {
				t.Fatal("it was sent")
			}
		})
	}
	if seats, err := kinds["unary"](t.Context(), c, &bookingv1.Booking{Guest: "Ada", Seats: 2}); err != nil || seats != 2 || sent.n.Load() != 1 {
		t.Fatalf("%d, %v", seats, err)
	}
}

// counter counts the messages that are sent.
type counter struct{ n atomic.Int32 }

func (c *counter) intercept(next rpc.Handler) rpc.Handler {
	return func(ctx context.Context, s rpc.Stream) error { return next(ctx, counted{s, c}) }
}

type counted struct {
	rpc.Stream
	counter *counter
}

func (s counted) Send(msg any) error {
	s.counter.n.Add(1)
	return s.Stream.Send(msg)
}
