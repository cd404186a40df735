package rpc_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// stuckFlow is a MessageFlow whose caller reads nothing.
type stuckFlow struct {
	memoryFlow
	interrupted chan struct{}
}

func (f *stuckFlow) Send([]byte) error {
	<-f.interrupted
	return errors.New("the caller does not read")
}

func TestASendEndsWithItsBridgedCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := newBridge(t, func(_ context.Context, s rpc.Stream) error { return s.Send(text("")) })
		call := func(ctx context.Context, m *rpc.Method) error {
			f := &stuckFlow{interrupted: make(chan struct{})}
			return b.Serve(ctx, rpc.BridgedCall{
				Service: m.Service, Name: m.Name, Peer: new(rpc.Peer), Messages: f,
				InterruptSend: func() { close(f.interrupted) },
			})
		}
		for _, m := range kinds {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			wantError(t, call(ctx, m), rpc.CodeDeadlineExceeded)
			cancel()
			wantError(t, call(rpc.WithExpiry(t.Context(), time.Now().Add(time.Minute)), m), rpc.CodeUnauthenticated)
		}
		ended := make(chan error, 1)
		go func() { ended <- call(t.Context(), download) }()
		synctest.Wait()
		srv.Close()
		wantError(t, <-ended, rpc.CodeUnavailable)
	})
}

func TestABridgeBoundsTheMetadataOfACall(t *testing.T) {
	const limit = 16 << 10
	b, _ := newBridge(t, func(_ context.Context, s rpc.Stream) error { return s.Send(text("")) },
		rpc.WithTransport(transport.Parameters{MaxHeader: limit}))
	for size, want := range map[int]rpc.Code{limit - 100: rpc.CodeOK, limit + 1: rpc.CodeResourceExhausted} {
		err := b.Serve(t.Context(), rpc.BridgedCall{
			Service: download.Service, Name: download.Name, Peer: new(rpc.Peer), Messages: new(memoryFlow),
			Metadata: rpc.Metadata{"key": {strings.Repeat("x", size)}},
		})
		if got := rpc.CodeOf(err); got != want {
			t.Errorf("%d bytes of metadata: %v, want %v", size, err, want)
		}
	}
}

func TestABridgeBoundsTheHeadersOfARequest(t *testing.T) {
	b, _ := newBridge(t, nil, rpc.WithLimits(rpc.Limits{MaxHandshakeHeader: 1 << 10}))
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/service/method", nil)
	if err := b.CheckHeader(r); err != nil {
		t.Error(err)
	}
	r.Header.Set("X", strings.Repeat("x", 1<<10))
	wantError(t, b.CheckHeader(r), rpc.CodeResourceExhausted)
}
