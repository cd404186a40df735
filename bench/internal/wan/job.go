package wan

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/path"
	"github.com/parley-rpc/parley/bench/internal/proc"
)

// Job is what a child process does: by its role, to measure a target over a
// path, or to be one of the other processes of that.
type Job struct {
	Role      Role
	Target    string
	Path      path.Path
	Workloads []string
	For       time.Duration // the measured interval
	Server    string        // the address, for the path's process
}

// Role is the part of a process.
type Role string

// The roles.
const (
	Client Role = "client"
	Server Role = "server"
	Path   Role = "path"
)

// Result is the report of a client's process: the figures of a workload, or
// why there are none.
type Result struct {
	Workload string
	Figures  drive.Figures
	Error    string
}

// limit is how long a workload may take in the worst case.
const limit = 40 * time.Second

// Run runs a job in processes of its own, and calls report with each result.
func Run(ctx context.Context, j Job, report func(Result)) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(len(j.Workloads))*limit+limit)
	defer cancel()
	j.Role = Client
	child, err := proc.Start(ctx, j)
	if err != nil {
		return err
	}
	for range j.Workloads {
		var res Result
		if err := child.Hear(&res); err != nil {
			child.Kill()
			return errors.Join(fmt.Errorf("%s over %s: %w", j.Target, j.Path, err), context.Cause(ctx))
		}
		report(res)
	}
	var end Result
	if err := child.Hear(&end); err != nil {
		child.Kill()
		return fmt.Errorf("%s over %s: %w", j.Target, j.Path, err)
	}
	return child.End()
}

// Child does the job of this process until the end of its standard input.
func Child(j Job, t drive.Target) error {
	switch j.Role {
	case Server:
		return serveChild(t)
	case Path:
		return pathChild(j)
	case Client:
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		proc.Orphaned()
		cancel() // ends the other processes too
	}()
	r, err := startRemote(ctx, j)
	if err != nil {
		return err
	}
	b := &bench{Job: j, target: t, far: r}
	for _, name := range j.Workloads {
		if err := proc.Report(b.result(ctx, name)); err != nil {
			return errors.Join(err, r.end())
		}
	}
	if err := r.end(); err != nil {
		return err
	}
	return proc.Report(Result{}) // the other processes have ended
}

// bench is what a workload runs on.
type bench struct {
	Job
	target drive.Target
	far    far
}

// far is the other end, and the path to it.
type far interface {
	addr() string // of the path
	received() (int64, error)
	counts() (path.Counts, error)
	cut() error
}

func (b *bench) dial(ctx context.Context) (drive.Client, error) {
	c, err := b.target.Dial(ctx, b.far.addr(), drive.Setup{})
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	return c, nil
}

// result runs a workload.
func (b *bench) result(ctx context.Context, name string) Result {
	w := Named(name)
	if w == nil {
		return Result{Workload: name, Error: "there is no such workload"}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	f, err := w.run(ctx, b)
	if err != nil {
		return Result{Workload: name, Error: err.Error()}
	}
	return Result{Workload: name, Figures: f}
}

// warmup is how long streams run before the measured interval: some round
// trips, in which limits grow.
func (b *bench) warmup() time.Duration {
	return min(max(10*b.Path.RoundTrip, 500*time.Millisecond), 3*time.Second)
}
