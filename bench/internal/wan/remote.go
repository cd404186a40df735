package wan

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/path"
	"github.com/parley-rpc/parley/bench/internal/proc"
	"github.com/parley-rpc/parley/bench/internal/service"
)

// command is what the client's process asks of another.
type command string

const (
	askReceived command = "received" // of a server
	askCounts   command = "counts"   // of a path
	doCut       command = "cut"      // a path
)

// reply is the answer to a command, and the first line of a process.
type reply struct {
	Addr     string      `json:",omitempty"`
	Received int64       // payload bytes of uploads
	Counts   path.Counts `json:",omitzero"`
}

// remote is a server and a path in processes of their own.
type remote struct {
	server, path *proc.Child
	addrs        struct{ server, path string }
}

func startRemote(ctx context.Context, j Job) (r *remote, err error) {
	r = new(remote)
	j.Role = Server
	if r.server, r.addrs.server, err = startOne(ctx, j); err != nil {
		return nil, err
	}
	j.Role, j.Server = Path, r.addrs.server
	if r.path, r.addrs.path, err = startOne(ctx, j); err != nil {
		r.server.Kill()
		return nil, err
	}
	return r, nil
}

// startOne starts a process that says where it listens.
func startOne(ctx context.Context, j Job) (*proc.Child, string, error) {
	child, err := proc.Start(ctx, j)
	if err != nil {
		return nil, "", err
	}
	var hello reply
	if err := child.Hear(&hello); err != nil {
		child.Kill()
		return nil, "", fmt.Errorf("%s: %w", j.Role, err)
	}
	return child, hello.Addr, nil
}

func (r *remote) end() error { return errors.Join(r.path.End(), r.server.End()) }

func (r *remote) addr() string { return r.addrs.path }
func (r *remote) near() string { return r.addrs.server }

func (r *remote) received() (int64, error) {
	answer, err := ask(r.server, askReceived)
	return answer.Received, err
}

func (r *remote) counts() (path.Counts, error) {
	answer, err := ask(r.path, askCounts)
	return answer.Counts, err
}

func (r *remote) cut() error {
	_, err := ask(r.path, doCut)
	return err
}

func ask(c *proc.Child, what command) (answer reply, err error) {
	if err := c.Tell(what); err != nil {
		return answer, err
	}
	return answer, c.Hear(&answer)
}

// answer reports where this process listens, and answers commands until its
// standard input ends.
func answer(addr string, do func(command) reply) error {
	if err := proc.Report(reply{Addr: addr}); err != nil {
		return err
	}
	return proc.Answer(do)
}

func serveChild(j Job, t *Target) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if t.TypeScript() {
		go func() { _ = http.Serve(ln, serveWeb(j.Scripts)) }() // until the process ends
	} else if _, err := t.Framework.Serve(ln, drive.Setup{}); err != nil {
		return err
	}
	return answer(ln.Addr().String(), func(command) reply { return reply{Received: service.Received()} })
}

func pathChild(j Job) error {
	x, err := path.Listen(j.Path, j.Server)
	if err != nil {
		return err
	}
	return answer(x.Addr(), func(c command) reply {
		if c == doCut {
			x.Cut()
		}
		return reply{Counts: x.Counts()}
	})
}
