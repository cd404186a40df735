package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// small is the lowest limit of messages.
var small = rpc.WithTransport(transport.Parameters{MaxMessage: 64 << 10})

// sized responds with as many bytes as the request asks for.
func sized(_ context.Context, s rpc.Stream) error {
	msg := new(wrapperspb.StringValue)
	if err := s.Recv(msg); err != nil {
		return err
	}
	var n int
	if _, err := fmt.Sscan(msg.Value, &n); err != nil {
		return err
	}
	for { // the rest of the messages
		if err := s.Recv(msg); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
	}
	return s.Send(text(strings.Repeat("x", n)))
}

// steady keeps a call open on a connection, to check that it is not affected.
func steady(t *testing.T, c rpc.Caller, method *rpc.Method) (check func()) {
	t.Helper()
	s, err := c.Open(t.Context(), method)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return func() {
		t.Helper()
		if err := s.Send(text("still here")); err != nil {
			t.Fatal(err)
		}
		if msg := new(wrapperspb.StringValue); s.Recv(msg) != nil || msg.Value != "still here" {
			t.Fatalf("the other call has received %v", msg)
		}
	}
}

func TestARequestOverTheLimitFailsItsCallAlone(t *testing.T) {
	url, srv := serve(t, small)
	registerAll(srv, echo)
	conn := dial(t, url)
	check := steady(t, conn, bidi)
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		for _, codec := range []string{rpc.CodecProto, rpc.CodecJSON} {
			_, err := converse(t.Context(), conn, m, []string{strings.Repeat("x", 64<<10)}, rpc.WithCodecName(codec))
			wantError(t, err, rpc.CodeResourceExhausted)
			if !strings.Contains(err.Error(), "65536") {
				t.Errorf("%v does not name the limit", err)
			}
			check()
		}
	})
	if conn.Err() != nil {
		t.Fatal(conn.Err())
	}
}

func TestAnAnswerOverTheLimitFailsItsCallAlone(t *testing.T) {
	url, srv := serve(t)
	registerAll(srv, sized)
	other := &rpc.Method{Service: "test.Echo", Name: "Call", ClientStreams: true, ServerStreams: true}
	register(srv, other, echo)
	conn := dial(t, url, small)
	check := steady(t, conn, other)
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		_, err := converse(t.Context(), conn, m, []string{"65536"})
		wantError(t, err, rpc.CodeResourceExhausted)
		check()
		if got, err := converse(t.Context(), conn, m, []string{"65532"}); err != nil || len(got[0]) != 65532 {
			t.Fatalf("an answer of just the limit: %v", err)
		}
	})
	if conn.Err() != nil {
		t.Fatal(conn.Err())
	}
}

func TestAMessageLargerThanTheWindowPasses(t *testing.T) {
	url, srv := serve(t, rpc.WithTransport(transport.Parameters{InitialWindow: 16 << 10}))
	registerAll(srv, echo)
	conn := dial(t, url, rpc.WithTransport(transport.Parameters{InitialWindow: 16 << 10}))
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		texts := []string{strings.Repeat("x", 3<<20), strings.Repeat("y", 1<<20), "z"}
		s, err := conn.Open(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var sending errgroup.Group
		sending.Go(func() error {
			for _, msg := range texts {
				if err := s.Send(text(msg)); err != nil {
					return err
				}
				if !m.ClientStreams {
					break
				}
			}
			return s.CloseSend()
		})
		got, err := recvAll(s)
		if err != nil || !slices.Equal(got, echoed(m, texts)) {
			t.Fatalf("%d messages, %v", len(got), err)
		}
		if err := sending.Wait(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAHeaderOverTheLimitFailsItsCallAlone(t *testing.T) {
	big := strings.Repeat("x", 20_000)
	url, srv := serve(t)
	registerAll(srv, func(ctx context.Context, s rpc.Stream) error {
		if s.Call().Header().Get("answer") != "" {
			if err := s.Call().SetHeader("big", big); err != nil {
				return err
			}
		}
		return echo(ctx, s)
	})
	conn := dial(t, url)
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		_, err := converse(t.Context(), conn, m, []string{"a"}, rpc.WithMetadata("big", big))
		wantError(t, err, rpc.CodeResourceExhausted)
		_, err = converse(t.Context(), conn, m, []string{"a"}, rpc.WithMetadata("answer", "big"))
		wantError(t, err, rpc.CodeResourceExhausted)
		if _, err := converse(t.Context(), conn, m, []string{"a"}); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAFailingCallDropsAHeaderOverTheLimit(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		registerAll(srv, func(_ context.Context, s rpc.Stream) error {
			if err := s.Call().SetHeader("big", strings.Repeat("x", 20_000)); err != nil {
				return err
			}
			if err := s.Call().SendHeader(); rpc.CodeOf(err) != rpc.CodeResourceExhausted {
				t.Errorf("SendHeader: %v", err)
			}
			return rpc.CodeNotFound
		})
	})
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		var header rpc.Metadata
		_, err := converse(t.Context(), p.client, m, []string{"a"}, rpc.ReadHeader(&header))
		wantError(t, err, rpc.CodeNotFound)
		if len(header) != 0 {
			t.Errorf("got %d headers", len(header))
		}
	})
}
