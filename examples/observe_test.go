package examples_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/parley-rpc/parley/examples/pinger"
	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// These are the snippets of docs/observability.md.
// TestSnippetsAreRegionsOfPrograms compares them.

//snippet:calls
func logCalls(l *slog.Logger) rpc.Interceptor {
	return func(next rpc.Handler) rpc.Handler {
		return func(ctx context.Context, s rpc.Stream) error {
			begun, call := time.Now(), s.Call()
			err := next(ctx, s)
			l.InfoContext(ctx, "call", "conn", call.Conn.ID(), "principal", rpc.Principal(ctx),
				"method", call.Method.Path(), "code", rpc.CodeOf(err).String(), "took", time.Since(begun))
			return err
		}
	}
}

//snippet:end

// withoutTimes removes what differs from run to run.
func withoutTimes(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey || a.Key == "took" || a.Key == "peer" {
		return slog.Attr{}
	}
	return a
}

// lines is a Writer that sends each line to a channel.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

func Example_logs() {
	out := make(lines, 3)
	options := &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: withoutTimes}
	//snippet:logger
	logger := slog.New(slog.NewTextHandler(out, options))
	srv := rpc.NewServer(rpc.WithLogger(logger), rpc.WithHandlerInterceptors(logCalls(logger)))
	//snippet:end
	pingv1parley.RegisterPingServiceServer(srv, pinger.Service{})
	url, stop := start(srv)
	defer stop()
	client := rpc.NewClient(url)
	ping := pingv1parley.NewPingServiceClient(client)
	_, err := ping.Ping(context.Background(), &pingv1.PingRequest{FailCode: uint32(rpc.CodeNotFound)})
	client.Close()
	for range cap(out) {
		fmt.Print(<-out)
	}
	fmt.Println(err)
	// Unordered output:
	// level=DEBUG msg="parley: connection started" conn=1
	// level=INFO msg=call conn=1 principal="" method=parley.ping.v1.PingService/Ping code=NOT_FOUND
	// level=DEBUG msg="parley: connection ended" conn=1 reason="CANCELED: connection ended: closed by the peer with code 1000: client closed"
	// NOT_FOUND: failing as asked
}
