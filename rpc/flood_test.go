package rpc_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

const flood = 10_000

// busy counts how many handlers run at once.
type busy struct {
	mu             sync.Mutex
	now, most, all int
}

func (b *busy) enter() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all++
	b.now++
	b.most = max(b.most, b.now)
}

func (b *busy) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now--
}

// counts returns how many handlers have run, and the most that ran at once.
func (b *busy) counts() (all, most int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all, b.most
}

// TestAFloodOfCallsThatAreResetAtOnceMeetsABound has handlers that ignore their
// cancellation, and a call on the same connection that goes on.
func TestAFloodOfCallsThatAreResetAtOnceMeetsABound(t *testing.T) {
	var handlers busy
	goOn := make(chan struct{})
	srv := rpc.NewServer(rpc.WithTransport(few))
	register(srv, bidi, echo)
	register(srv, upload, func(context.Context, rpc.Stream) error {
		handlers.enter()
		defer handlers.leave()
		<-goOn // whatever the context's state
		return nil
	})
	p := serveRaw(t, srv)
	p.write(openFrame(1, methodField(bidi)))

	echoes, ends, refused := make(chan struct{}, flood), make(chan frame.Type, 1), make(chan int, 1)
	go func() {
		n := 0
		for {
			f, err := p.read()
			switch {
			case err != nil:
				refused <- n
				return
			case f.Type == frame.TypeData && f.Stream == 1:
				echoes <- struct{}{}
			case f.Stream > 2*flood:
				ends <- f.Type
			case f.Type == frame.TypeReset && f.payload[0] == byte(transport.ResetRefused):
				n++
			}
		}
	}()
	open := methodField(upload)
	for id := uint64(3); id <= 2*flood; id += 2 {
		p.write(openFrame(id, open))
		p.write(resetFrame(id, transport.ResetCancel, "")) // in another message, so that the stream exists
		if id%1000 == 1 {
			p.write(dataFrame(1, 0, encoded(t, "still here")))
			<-echoes
		}
	}
	close(goOn)
	last := frame.TypeReset
	for id := uint64(2*flood + 1); last == frame.TypeReset; id += 2 { // the handlers need a moment to end
		p.write(openFrame(id, methodField(unary)), endFrame(id, nil))
		last = <-ends
	}
	if last != frame.TypeEnd { // the method does not exist, so the call gets a status
		t.Errorf("behind the flood a call gets %v", last)
	}
	p.link.Cut()
	n := <-refused
	if all, most := handlers.counts(); all+n < flood-2*few.MaxStreams || most > 2*few.MaxStreams {
		t.Fatalf("%d were refused, %d were handled, %d at once", n, all, most)
	}
}

// TestTenThousandCanceledCallsHarmNoOthers makes them with a client.
func TestTenThousandCanceledCallsHarmNoOthers(t *testing.T) {
	var handlers busy
	url, srv := serve(t)
	register(srv, bidi, echo)
	register(srv, download, func(ctx context.Context, _ rpc.Stream) error {
		handlers.enter()
		defer handlers.leave()
		<-ctx.Done()
		return ctx.Err()
	})
	conn := dial(t, url)
	check := steady(t, conn, bidi)
	ctx, cancel := context.WithCancel(t.Context())
	var calls sync.WaitGroup
	var opened atomic.Int32
	for range flood {
		calls.Go(func() {
			s, err := conn.Open(ctx, download)
			if err != nil {
				return
			}
			if opened.Add(1) == 500 {
				cancel()
			}
			_ = s.Send(text(""))
			_ = s.Recv(new(wrapperspb.StringValue))
			s.Close()
		})
	}
	for range 20 {
		check()
	}
	calls.Wait()
	cancel()
	check()
	if _, most := handlers.counts(); most > 2*1024 {
		t.Errorf("%d handlers at once", most)
	}
	if err := ping(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
}

func TestGoroutinesOfAThousandHandlersAreFewSoonAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started, goOn := make(chan struct{}, 1000), make(chan struct{})
		p := newPair(t, nil, nil, func(srv *rpc.Server) {
			register(srv, unary, func(_ context.Context, s rpc.Stream) error {
				started <- struct{}{}
				<-goOn
				return s.Send(text("done"))
			})
		})
		var calls []<-chan outcome
		for range 1000 {
			calls = append(calls, start(func() ([]string, error) { return converse(t.Context(), p.client, unary, []string{""}) }))
		}
		for range calls {
			<-started
		}
		close(goOn)
		for _, call := range calls {
			if got := <-call; got.err != nil {
				t.Fatal(got.err)
			}
		}
		synctest.Wait()
		if n := p.srv.IdleWorkers(); n < 1000 {
			t.Errorf("%d goroutines wait for more of the same", n)
		}
		pass(3 * rpc.Surplus)
		if n := p.srv.IdleWorkers(); n != rpc.MaxIdle {
			t.Errorf("%d goroutines wait for work that does not come", n)
		}
		p.srv.Close()
		if n := p.srv.IdleWorkers(); n != 0 {
			t.Errorf("%d goroutines wait for work of a closed server", n)
		}
	})
}
