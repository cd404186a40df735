package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/parley-rpc/parley/tests/internal/child"
	"github.com/parley-rpc/parley/tests/internal/notes"
	"github.com/parley-rpc/parley/tests/internal/port"
	"github.com/parley-rpc/parley/tests/internal/rig"
)

// servers is how many servers there are.
const servers = 3

// fleet is the server processes.
type fleet struct {
	s     *settings
	addrs []string
	procs []*child.Process // nil: not running
	last  int              // number of the last process
	sum   notes.Report     // of the processes that have ended
	kills []kill
}

// start starts the servers.
func (s *settings) start() (*fleet, error) {
	f := &fleet{s: s, procs: make([]*child.Process, servers)}
	for i := range servers {
		addr, err := port.Free(s.rand)
		if err != nil {
			return nil, errors.Join(err, f.end())
		}
		f.addrs = append(f.addrs, addr)
		if err := f.run(i); err != nil {
			return nil, errors.Join(err, f.end())
		}
	}
	return f, nil
}

// run starts server i.
func (f *fleet) run(i int) error {
	f.last++
	config, err := json.Marshal(serverConfig{
		Addr:    f.addrs[i],
		Process: f.last,
		Pace:    f.s.pace,
		Count:   f.s.count,
		Spread:  f.s.spread,
	})
	if err != nil {
		return err
	}
	f.procs[i], err = child.Start(serveVariable, string(config))
	return err
}

// shut shuts server i down and adds its report.
func (f *fleet) shut(i int) error {
	p := f.procs[i]
	if p == nil {
		return nil
	}
	f.procs[i] = nil
	hung := time.AfterFunc(drainTimeout+30*time.Second, p.Abort)
	defer hung.Stop()
	return read(&f.sum, p.End(), fmt.Sprintf("server %d", i))
}

// read adds the report that a process has printed.
func read(r *notes.Report, said, who string) error {
	var o notes.Report
	if err := json.Unmarshal([]byte(said), &o); err != nil {
		return fmt.Errorf("%s has ended without a report: %w: %q", who, err, said)
	}
	r.Merge(&o)
	return nil
}

// restart restarts server i gracefully.
func (f *fleet) restart(i int) error { return errors.Join(f.shut(i), f.run(i)) }

// kill kills server i, and starts another in its place after a while.
func (f *fleet) kill(ctx context.Context, i int, down time.Duration) error {
	began := time.Now()
	f.procs[i].Kill()
	f.kills = append(f.kills, kill{began, time.Now()})
	f.procs[i] = nil
	if err := notes.Pause(ctx, down); err != nil {
		return err
	}
	return f.run(i)
}

// rest makes all servers end their calls to clients.
func (f *fleet) rest() error {
	for i, p := range f.procs {
		if said, err := p.Ask("rest"); err != nil || said != "rests" {
			return fmt.Errorf("server %d does not rest: %w: %q", i, err, said)
		}
	}
	return nil
}

// end ends all servers.
func (f *fleet) end() error {
	var errs []error
	for i := range f.procs {
		errs = append(errs, f.shut(i))
	}
	return errors.Join(errs...)
}

// urls returns the URLs of servers.
func urls(addrs ...string) (all []string) {
	for _, addr := range addrs {
		all = append(all, "ws://"+addr+rig.Path)
	}
	return all
}
