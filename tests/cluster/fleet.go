package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/parley-rpc/parley/tests/internal/child"
	"github.com/parley-rpc/parley/tests/internal/faulty"
	"github.com/parley-rpc/parley/tests/internal/notes"
	"github.com/parley-rpc/parley/tests/internal/port"
)

// servers is how many servers there are.
const servers = 3

// place is where one server runs, again after each restart.
type place struct {
	config  serverConfig
	toNodes *faulty.Proxy // in front of what it serves to other nodes
	toNATS  *faulty.Proxy // between it and NATS

	mu   sync.Mutex // held while the process is asked
	proc *child.Process
	id   string // of the node
}

// fleet is the server processes, and their NATS server.
type fleet struct {
	s      *settings
	nats   *natsServer
	places []*place
	last   int // number of the last process

	sum  notes.Report // of the processes that have ended
	sent map[string][]published
}

// start starts NATS and the servers.
func (s *settings) start() (f *fleet, err error) {
	f = &fleet{s: s, sent: make(map[string][]published)}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.end())
		}
	}()
	addr, err := port.Free(s.rand)
	if err != nil {
		return f, err
	}
	if f.nats, err = startNATS(addr); err != nil {
		return f, err
	}
	for i := range servers {
		p := &place{config: serverConfig{Name: fmt.Sprintf("s%d", i), Pace: 5 * s.pace, Count: s.count / 2, Spread: s.spread, Publish: s.publish}}
		f.places = append(f.places, p)
		for c := range s.clients {
			if c%servers == i {
				p.config.Calls = append(p.config.Calls, clientName(c))
			}
		}
		if err := p.connect(s, addr); err != nil {
			return f, err
		}
		if err := f.run(p); err != nil {
			return f, err
		}
	}
	return f, nil
}

func clientName(n int) string { return fmt.Sprintf("c%02d", n) }

// connect finds addresses, and starts the proxies of a place.
func (p *place) connect(s *settings, nats string) (err error) {
	if p.config.Addr, err = port.Free(s.rand); err != nil {
		return err
	}
	if p.config.Inner, err = port.Free(s.rand); err != nil {
		return err
	}
	if p.toNodes, err = faulty.Listen(p.config.Inner, s.seed, 1); err != nil {
		return err
	}
	if p.toNATS, err = faulty.Listen(nats, s.seed, 1); err != nil {
		return err
	}
	p.config.Advertise, p.config.NATS = p.toNodes.Addr(), p.toNATS.Addr()
	return nil
}

// run starts the server of a place. It makes no calls before begin.
func (f *fleet) run(p *place) error {
	f.last++
	p.config.Process = f.last
	config, err := json.Marshal(p.config)
	if err != nil {
		return err
	}
	proc, err := child.Start(serveVariable, string(config))
	if err != nil {
		return fmt.Errorf("%s: %w", p.config.Name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.proc, p.id = proc, proc.Ready
	return nil
}

// ask asks the process, and decodes its answer. It reports false if no process
// runs.
func (p *place) ask(question string, answer any) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.proc == nil {
		return false, nil
	}
	said, err := p.proc.Ask(question)
	if err != nil {
		return true, fmt.Errorf("%s does not answer %q: %w", p.config.Name, question, err)
	}
	if err := json.Unmarshal([]byte(said), answer); err != nil {
		return true, fmt.Errorf("%s: %w: %q", p.config.Name, err, said)
	}
	return true, nil
}

// kill kills the server.
func (p *place) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.proc.Kill()
	p.proc = nil
}

// signal stops the process with SIGSTOP, or continues it.
func (p *place) signal(s syscall.Signal) error { return syscall.Kill(p.proc.PID(), s) }

// shut shuts the server down, and adds its report.
func (f *fleet) shut(p *place) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.proc == nil {
		return nil
	}
	proc := p.proc
	p.proc = nil
	hung := time.AfterFunc(drainTimeout+20*time.Second, proc.Abort)
	defer hung.Stop()
	said := proc.End()
	var r serverReport
	if err := json.Unmarshal([]byte(said), &r); err != nil {
		return fmt.Errorf("%s has ended without a report: %w: %q", p.config.Name, err, said)
	}
	f.sum.Merge(r.Notes)
	f.add(r.Published)
	return nil
}

// add adds what a process has published.
func (f *fleet) add(all map[string]published) {
	for topic, p := range all {
		f.sent[topic] = append(f.sent[topic], p)
	}
}

// begin starts the calls of a server, and what it publishes.
func (p *place) begin() error {
	_, err := p.ask("begin", new(any))
	return err
}

// replace starts another server where one has ended. It begins at once.
func (f *fleet) replace(p *place) error {
	if err := f.run(p); err != nil {
		return err
	}
	return p.begin()
}

// restart replaces the server gracefully.
func (f *fleet) restart(p *place) error {
	if err := f.shut(p); err != nil {
		return err
	}
	return f.replace(p)
}

// rest ends the calls of the servers to clients, and what they publish.
func (f *fleet) rest() error {
	found := make([]map[string]published, len(f.places))
	errs := make([]error, len(f.places))
	var resting sync.WaitGroup
	for i, p := range f.places {
		resting.Go(func() { _, errs[i] = p.ask("rest", &found[i]) })
	}
	resting.Wait()
	for _, all := range found {
		f.add(all)
	}
	return errors.Join(errs...)
}

// views asks all servers that run for their view.
func (f *fleet) views(clients []string) (all []view, err error) {
	question := "view " + strings.Join(clients, " ")
	found := make([]*view, len(f.places))
	errs := make([]error, len(f.places))
	var asking sync.WaitGroup
	for i, p := range f.places {
		asking.Go(func() {
			var v view
			var runs bool
			if runs, errs[i] = p.ask(question, &v); runs {
				found[i] = &v
			}
		})
	}
	asking.Wait()
	for _, v := range found {
		if v != nil {
			all = append(all, *v)
		}
	}
	return all, errors.Join(errs...)
}

// end ends all servers, and NATS.
func (f *fleet) end() error {
	var errs []error
	for _, p := range f.places {
		errs = append(errs, f.shut(p))
	}
	for _, p := range f.places {
		if p.toNodes != nil {
			p.toNodes.Close()
		}
		if p.toNATS != nil {
			p.toNATS.Close()
		}
	}
	if f.nats != nil {
		errs = append(errs, f.nats.stop())
	}
	f.places, f.nats = nil, nil
	return errors.Join(errs...)
}
