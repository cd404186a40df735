package drive

import (
	"fmt"
	"net"

	"github.com/parley-rpc/parley/bench/internal/proc"
)

// command is a command of the client's process to the server's. One field is
// set.
type command struct {
	Look     proc.Depth `json:",omitempty"`
	Profile  string     `json:",omitempty"` // begins one
	Profiled bool       `json:",omitempty"` // ends it
}

// reply is the response to a command, and the first line of a server's process.
type reply struct {
	Addr  string     `json:",omitempty"`
	Usage proc.Usage `json:",omitzero"`
	Error string     `json:",omitempty"`
}

// local is a target's server in this process.
type local struct {
	addr    string
	wire    *counting // or nil
	stop    func()
	profile proc.Profile
}

// serve starts the server of a workload on a free port of the loopback
// interface.
func serve(t Target, w *Workload) (*local, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &local{addr: ln.Addr().String()}
	if w.CountsWire {
		l.wire = &counting{Listener: ln}
		ln = l.wire
	}
	l.stop, err = t.Serve(ln, w.Setup)
	if err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	return l, nil
}

func (l *local) Addr() string { return l.addr }

func (l *local) Look(depth proc.Depth) (proc.Usage, error) {
	u, err := proc.Look(depth)
	if l.wire != nil {
		u.Wire = l.wire.bytes.Load()
	}
	return u, err
}

func (l *local) BeginProfile(base string) error { return l.profile.Begin(base) }
func (l *local) EndProfile() error              { return l.profile.End() }

// do carries out a command of another process.
func (l *local) do(c command) (r reply) {
	var err error
	switch {
	case c.Profile != "":
		err = l.BeginProfile(c.Profile)
	case c.Profiled:
		err = l.EndProfile()
	default:
		r.Usage, err = l.Look(c.Look)
	}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// remote is a target's server in a process of its own.
type remote struct {
	child *proc.Child
	addr  string
}

func (r *remote) Addr() string { return r.addr }

func (r *remote) ask(c command) (proc.Usage, error) {
	var answer reply
	if err := r.child.Tell(c); err != nil {
		return answer.Usage, err
	}
	if err := r.child.Hear(&answer); err != nil {
		return answer.Usage, err
	}
	return answer.Usage, answer.err()
}

func (r reply) err() error {
	if r.Error == "" {
		return nil
	}
	return fmt.Errorf("server: %s", r.Error)
}

func (r *remote) Look(depth proc.Depth) (proc.Usage, error) { return r.ask(command{Look: depth}) }

func (r *remote) BeginProfile(base string) error {
	_, err := r.ask(command{Profile: base})
	return err
}

func (r *remote) EndProfile() error {
	_, err := r.ask(command{Profiled: true})
	return err
}
