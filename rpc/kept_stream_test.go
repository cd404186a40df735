package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// keeper keeps the streams of calls, and uses them while others are made.
type keeper struct {
	mu   sync.Mutex
	kept []rpc.Stream
}

func (k *keeper) intercept(ctx context.Context, s rpc.Stream, next rpc.Handler) error {
	var early sync.WaitGroup
	early.Go(func() { // while the call runs, and while it ends
		_, _ = s.Call().ResponseHeader()
		_ = s.CloseSend()
	})
	err := next(ctx, s)
	early.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept = append(k.kept, s)
	return err
}

// use uses all streams that are kept.
func (k *keeper) use() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.kept {
		header, err := s.Call().ResponseHeader()
		if err != nil || len(header) > 0 || s.Call().Header().Get("a") != "1" {
			return fmt.Errorf("header %v, %w, of %v", header, err, s.Call().Header())
		}
		if err := s.Recv(new(pingv1.PingResponse)); !errors.Is(err, io.EOF) {
			return fmt.Errorf("Recv: %w", err)
		}
		if err := s.Send(new(pingv1.PingRequest)); !errors.Is(err, rpc.ErrFinished) {
			return fmt.Errorf("Send: %w", err)
		}
		if err := s.Close(); err != nil {
			return err
		}
	}
	return nil
}

func TestAStreamThatAnInterceptorKeepsIsThatOfItsCall(t *testing.T) {
	var k keeper
	p := newPair(t, nil, []rpc.ClientOption{rpc.WithCallInterceptors(around(k.intercept))}, func(srv *rpc.Server) {
		pingv1parley.RegisterPingServiceServer(srv, pinger{})
	})
	ping := pingv1parley.NewPingServiceClient(p.client)
	var calls sync.WaitGroup
	for worker := range 4 {
		calls.Go(func() {
			for i := range 50 {
				text := fmt.Sprint(worker, i)
				res, err := ping.Ping(t.Context(), &pingv1.PingRequest{Text: text}, rpc.WithMetadata("a", "1"), rpc.WithTimeout(time.Minute))
				if err == nil {
					err = k.use()
				}
				if err != nil || res.GetText() != text {
					t.Errorf("%s was answered by %s, %v", text, res.GetText(), err)
					return
				}
			}
		})
	}
	calls.Wait()
}
