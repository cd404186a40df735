package wan

import (
	"context"
	"net"

	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/path"
	"github.com/parley-rpc/parley/bench/internal/service"
)

// local is a server and a path in this process.
type local struct {
	*path.Proxy
	server string
}

func (l local) addr() string                 { return l.Addr() }
func (l local) near() string                 { return l.server }
func (l local) received() (int64, error)     { return service.Received(), nil }
func (l local) counts() (path.Counts, error) { return l.Counts(), nil }

func (l local) cut() error {
	l.Cut()
	return nil
}

// RunHere runs a workload on a framework within this process: for tests.
func RunHere(ctx context.Context, j Job, workload string, t *Target) (Result, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return Result{}, err
	}
	stop, err := t.Framework.Serve(ln, drive.Setup{})
	if err != nil {
		return Result{}, err
	}
	defer stop()
	x, err := path.Listen(j.Path, ln.Addr().String())
	if err != nil {
		return Result{}, err
	}
	b := &bench{Job: j, target: t, far: local{Proxy: x, server: ln.Addr().String()}}
	res := b.result(ctx, workload)
	return res, x.Close()
}
