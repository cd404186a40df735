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
	Scripts   string        // the folder of the built programs in TypeScript
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
	Version  string // of a library in TypeScript, and of what it runs in
}

// greeting is the first line of a client's process.
type greeting struct {
	Congestion string // control of the TCP connections
	Error      string
}

// finished is its last line, when the other processes have ended.
type finished struct{}

// limit is how long a workload may take in the worst case.
const limit = 40 * time.Second

// Run runs a job in processes of its own, and calls report with each result. It
// returns the congestion control of their TCP connections if it is known.
func Run(ctx context.Context, j Job, report func(Result)) (congestion string, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(len(j.Workloads))*limit+limit)
	defer cancel()
	j.Role = Client
	child, congestion, err := startClient(ctx, j)
	if err != nil {
		return "", err
	}
	hear := func(what any) error {
		err := child.Hear(what)
		if err != nil {
			child.Kill()
			err = errors.Join(fmt.Errorf("%s over %s: %w", j.Target, j.Path, err), context.Cause(ctx))
		}
		return err
	}
	for range j.Workloads {
		var res Result
		if err := hear(&res); err != nil {
			return "", err
		}
		report(res)
	}
	if err := hear(new(finished)); err != nil {
		return "", err
	}
	return congestion, child.End()
}

// startClient starts a client's process in a network namespace of its own if
// the system allows that.
func startClient(ctx context.Context, j Job) (child *proc.Child, congestion string, err error) {
	for _, start := range []func(context.Context, any) (*proc.Child, error){proc.StartApart, proc.Start} {
		if child, err = start(ctx, j); err != nil {
			continue
		}
		var hello greeting
		if err = child.Hear(&hello); err == nil && hello.Error != "" {
			err = errors.New(hello.Error)
		}
		if err == nil {
			return child, hello.Congestion, nil
		}
		child.Kill()
	}
	return nil, "", err
}

// Child does the job of this process until the end of its standard input.
func Child(j Job) error {
	t := targetNamed(j.Target)
	if t == nil {
		return fmt.Errorf("wan: no target is named %q", j.Target)
	}
	switch j.Role {
	case Server:
		return serveChild(j, t)
	case Path:
		return pathChild(j)
	case Client:
	}
	congestion, err := proc.SetUpNetwork()
	if err != nil {
		return proc.Report(greeting{Error: err.Error()})
	}
	if err := proc.Report(greeting{Congestion: congestion}); err != nil {
		return err
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
	report := func(res Result) error { return proc.Report(res) }
	if t.TypeScript() {
		err = b.script(ctx, report)
	} else {
		err = b.all(ctx, report)
	}
	if err := errors.Join(err, r.end()); err != nil {
		return err
	}
	return proc.Report(finished{})
}

// bench is what a workload runs on.
type bench struct {
	Job
	target *Target
	far    far
}

// far is the server's process, and the path to it.
type far interface {
	addr() string // of the path
	near() string // of the server
	received() (int64, error)
	counts() (path.Counts, error)
	cut() error
}

func (b *bench) dial(ctx context.Context) (drive.Client, error) {
	c, err := b.target.Framework.Dial(ctx, b.far.addr(), drive.Setup{})
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	return c, nil
}

// all runs the workloads, and calls report with each result.
func (b *bench) all(ctx context.Context, report func(Result) error) error {
	for _, name := range b.Workloads {
		if err := report(b.result(ctx, name)); err != nil {
			return err
		}
	}
	return nil
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
