package notes

import (
	"context"
	"errors"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/deploy/gen/deploy/v1/deployv1parley"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSequenceCountsWhatComes(t *testing.T) {
	for _, c := range []struct {
		name string
		came []uint64
		sent uint64
		want Counts
	}{
		{"all", []uint64{0, 1, 2}, 3, Counts{}},
		{"nothing", nil, 2, Counts{Lost: 2}},
		{"one is missing", []uint64{0, 2}, 3, Counts{Lost: 1}},
		{"the end is missing", []uint64{0, 1}, 3, Counts{Lost: 1}},
		{"one came twice", []uint64{0, 1, 1, 2}, 3, Counts{Duplicated: 1}},
		{"an old one came twice", []uint64{0, 1, 2, 0}, 3, Counts{Duplicated: 1}},
		{"two are swapped", []uint64{0, 2, 1}, 3, Counts{Reordered: 1}},
		{"one came late, and twice", []uint64{1, 2, 0, 0}, 3, Counts{Reordered: 1, Duplicated: 1}},
	} {
		var s sequence
		for _, n := range c.came {
			s.take(n)
		}
		if got := s.close(c.sent); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, &got, &c.want)
		}
	}
}

func TestCallServedByTwoProcessesIsADuplicate(t *testing.T) {
	sum := Report{Served: []uint64{1, 2}}
	sum.Merge(&Report{Served: []uint64{3, 2}})
	sum.Settle()
	if sum.Duplicated != 1 {
		t.Errorf("got %s", &sum.Counts)
	}
}

// bungle mishandles the fifth message that a handler sends.
type bungle struct {
	rpc.Stream
	sent *atomic.Int64
	fail func(b *bungle, msg any) error
	held any
}

func (b *bungle) Send(msg any) error {
	if b.sent.Add(1) == 5 {
		return b.fail(b, msg)
	}
	if b.held != nil {
		held := b.held
		b.held = nil
		return errors.Join(b.Stream.Send(msg), b.Stream.Send(held))
	}
	return b.Stream.Send(msg)
}

// The calls that receive a faulty server's responses detect each fault.
func TestFaultsOfAServerAreCounted(t *testing.T) {
	for _, c := range []struct {
		name string
		fail func(*bungle, any) error
		want Counts
	}{
		{"none", func(b *bungle, msg any) error { return b.Stream.Send(msg) }, Counts{Calls: 1}},
		{"a note is lost", func(*bungle, any) error { return nil }, Counts{Calls: 1, Lost: 1}},
		{"a note comes twice", func(b *bungle, msg any) error {
			return errors.Join(b.Stream.Send(msg), b.Stream.Send(msg))
		}, Counts{Calls: 1, Duplicated: 1}},
		{"two notes are swapped", func(b *bungle, msg any) error {
			b.held = msg
			return nil
		}, Counts{Calls: 1, Reordered: 1}},
		{"the call fails", func(*bungle, any) error { return rpc.Errorf(rpc.CodeUnavailable, "no") }, Counts{Failed: 1}},
	} {
		for _, k := range []Kind{download, exchange} {
			if got := callWith(t, k, c.fail); got != c.want {
				t.Errorf("%s, %s: got %d calls, %s", k, c.name, got.Calls, &got)
			}
		}
	}
}

// callWith makes one call to a server with a fault.
func callWith(t *testing.T, k Kind, fail func(*bungle, any) error) Counts {
	t.Helper()
	srv := rpc.NewServer(rpc.WithHandlerInterceptors(func(next rpc.Handler) rpc.Handler {
		return func(ctx context.Context, s rpc.Stream) error {
			return next(ctx, &bungle{Stream: s, sent: new(atomic.Int64), fail: fail})
		}
	}))
	deployv1parley.RegisterNoteServiceServer(srv, Service{new(Book)})
	web := httptest.NewServer(srv)
	defer web.Close()
	defer srv.Close()
	client := rpc.NewClient(web.URL)
	defer client.Close()
	b := new(Book)
	c := Caller{
		Conn:  client,
		Book:  b,
		IDs:   NewIDs(1),
		Pace:  time.Millisecond,
		Count: 10,
	}
	c.Call(t.Context(), k, Never)
	return b.Report().Counts
}
