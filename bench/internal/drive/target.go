package drive

import (
	"context"
	"net"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
)

// Target is a framework to measure. Both halves run with the framework's
// defaults; README.md has the exceptions.
type Target interface {
	About() About
	// Serve serves the benchmarks' service on ln until stop is called.
	Serve(ln net.Listener, s Setup) (stop func(), err error)
	// Dial returns a client of the server at addr. It may connect as late as at
	// the first call.
	Dial(ctx context.Context, addr string, s Setup) (Client, error)
}

// About describes a target.
type About struct {
	Name   string
	Module string   // whose version is reported
	Shares Sharing  // among calls in flight
	Lacks  []string // workloads that it cannot run, or that say nothing about it
	// Options means that Serve and Dial heed Setup.Options.
	Options bool
}

// Sharing says how calls in flight share connections.
type Sharing int

const (
	// Multiplexed calls run at once over one connection.
	Multiplexed Sharing = iota
	// Pooled calls each have a connection of their own while they last.
	Pooled
	// Alone is a connection that carries a single stream, with no pool: the
	// target runs no workload that has more than one stream at once.
	Alone
)

// Setup is what a workload needs beyond the defaults, at both ends.
type Setup struct {
	// Streams is how many calls one connection has to carry at once; 0 is the
	// framework's default.
	Streams int
	// Options means that unary calls have a deadline and two pairs of metadata,
	// and an interceptor at each end. That of the server checks them.
	Options bool
}

// Client makes calls over one connection, or a pool.
type Client interface {
	Echo(ctx context.Context, req *benchv1.EchoRequest) (*benchv1.EchoResponse, error)
	// Download, Upload and Talk begin a call that lasts until its end, the end
	// of ctx, or Close.
	Download(ctx context.Context, req *benchv1.DownloadRequest) (Download, error)
	Upload(ctx context.Context) (Upload, error)
	Talk(ctx context.Context) (Talk, error)
	// Close ends everything at once.
	Close() error
}

// Download is the caller's end of a server stream.
type Download interface {
	Recv() (*benchv1.DownloadResponse, error)
}

// Upload is the caller's end of a client stream.
type Upload interface {
	Send(*benchv1.UploadRequest) error
	CloseAndRecv() (*benchv1.UploadResponse, error)
}

// Talk is the caller's end of a bidirectional stream.
type Talk interface {
	Send(*benchv1.TalkRequest) error
	Recv() (*benchv1.TalkResponse, error)
}
