package drive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parley-rpc/parley/bench/internal/proc"
)

// Job is one measurement: a workload on a target. A child process gets it, and
// starts the server's process with the same job.
type Job struct {
	Target   string
	Workload string
	Serve    bool          // this is the server's process
	Warmup   time.Duration // of load before the measured interval
	Measure  time.Duration // the measured interval
	// Scale multiplies the numbers of connections, streams and calls. It is 1
	// in measurements, and less in tests and trials.
	Scale float64
	// Profile is where the profiles of both processes go, if not "":
	// its files are PROFILE-client.cpu.pprof and so on.
	Profile string
}

// result is the report of the client's process.
type result struct {
	Figures Figures
	Error   string
}

// limit is how long a job may take in the worst case.
const limit = 2 * time.Minute

// Run runs a job in two processes.
func Run(ctx context.Context, j Job) (Figures, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	child, err := proc.Start(ctx, j)
	if err != nil {
		return nil, err
	}
	var res result
	if err := child.Hear(&res); err != nil {
		child.Kill()
		return nil, errors.Join(err, context.Cause(ctx))
	}
	if err := child.End(); err != nil {
		return nil, err
	}
	if res.Error != "" {
		return nil, fmt.Errorf("%s on %s: %s", j.Workload, j.Target, res.Error)
	}
	return res.Figures, nil
}

// Child runs the job of this process until the end of its standard input.
func Child(j Job, t Target) error {
	w := Named(j.Workload)
	if w == nil {
		return fmt.Errorf("drive: no workload is named %q", j.Workload)
	}
	if j.Serve {
		return serveChild(t, w)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		proc.Orphaned()
		cancel() // ends the server's process too
	}()
	var res result
	figures, err := driveRemote(ctx, j, t, w)
	res.Figures = figures
	if err != nil {
		res.Error = err.Error()
	}
	return proc.Report(res)
}

// serveChild serves until standard input ends, and carries out the commands in
// it.
func serveChild(t Target, w *Workload) error {
	l, err := serve(t, w)
	if err != nil {
		return err
	}
	if err := proc.Report(reply{Addr: l.Addr()}); err != nil {
		return err
	}
	return proc.Answer(l.do)
}

// driveRemote starts the server's process and runs the workload against it.
func driveRemote(ctx context.Context, j Job, t Target, w *Workload) (f Figures, err error) {
	sj := j
	sj.Serve = true
	child, err := proc.Start(ctx, sj)
	if err != nil {
		return nil, err
	}
	var hello reply
	if err := child.Hear(&hello); err != nil {
		child.Kill()
		return nil, err
	}
	f, err = w.Run(ctx, &Bench{Job: j, Target: t, Setup: w.Setup, Server: &remote{child: child, addr: hello.Addr}})
	return f, errors.Join(err, child.End())
}

// RunHere runs a job within this process. It is for tests: CPU time and memory
// mean nothing then.
func RunHere(ctx context.Context, j Job, t Target) (Figures, error) {
	w := Named(j.Workload)
	l, err := serve(t, w)
	if err != nil {
		return nil, err
	}
	defer l.stop()
	return w.Run(ctx, &Bench{Job: j, Target: t, Setup: w.Setup, Server: l})
}
