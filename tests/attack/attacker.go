package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/parley-rpc/parley/tests/internal/rig"
	"github.com/parley-rpc/parley/transport/frame"
	"github.com/parley-rpc/parley/transport/ws"
)

// attackVariable has this program be the attackers: "name address".
const attackVariable = "PARLEY_ATTACK"

// attack is a way to attack.
type attack struct {
	name      string
	attackers int
	// once attacks until the server ends the connection, or ctx does.
	once func(ctx context.Context, addr string, n *tally) error
	unit string // what is counted
}

// tally is what attackers have done.
type tally struct {
	conns atomic.Int64
	units atomic.Int64
	said  atomic.Value // the last error: how the server ends such a connection
}

// attackAsTold attacks until in ends, and then says what it has done.
func attackAsTold(what string, from []attack, in io.Reader, out io.Writer) error {
	const lowest = 19
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, lowest); err != nil {
		return err
	}
	name, addr, _ := strings.Cut(what, " ")
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, in) // ends when the parent wants it, or is gone
		cancel()
	}()
	fmt.Fprintln(out, "attacking")
	for _, a := range from {
		if a.name != name {
			continue
		}
		var n tally
		var all sync.WaitGroup
		for range a.attackers {
			all.Go(func() {
				for ctx.Err() == nil {
					n.conns.Add(1)
					if err := a.once(ctx, addr, &n); err != nil && ctx.Err() == nil {
						n.said.Store(err.Error())
					}
				}
			})
		}
		all.Wait()
		fmt.Fprintf(out, "%d connections, %d %s", n.conns.Load(), n.units.Load(), a.unit)
		if said := n.said.Load(); said != nil {
			fmt.Fprintf(out, "; ended by: %v", said)
		}
		fmt.Fprintln(out)
	}
	return nil
}

// foe is a connection that is worked by hand.
type foe struct {
	link *ws.Conn
	mu   sync.Mutex
	why  error // why the link has ended
	over chan struct{}
}

// meet connects and greets. What the server says is read and dropped, unless the
// foe is deaf.
func meet(ctx context.Context, addr string, hello frame.Hello, deaf deafness) (*foe, error) {
	link, err := new(ws.Dialer).Dial(ctx, "ws://"+addr+rig.Path)
	if err != nil {
		return nil, err
	}
	f := &foe{link: link, over: make(chan struct{})}
	context.AfterFunc(ctx, func() { _ = link.Close(1006, "") })
	if deaf == hears {
		go f.read()
	}
	return f, link.WriteMessage([][]byte{hello.Append(nil)})
}

// deafness tells whether a foe reads.
type deafness int

const (
	hears deafness = iota
	isDeaf
)

func (f *foe) read() {
	defer close(f.over)
	for {
		r, err := f.link.NextReader()
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if err != nil {
			f.mu.Lock()
			f.why = err
			f.mu.Unlock()
			return
		}
	}
}

// write sends frames until that fails, and returns why the server ended the link.
func (f *foe) write(next func() []byte, count func()) error {
	defer f.link.Close(1006, "") //nolint:errcheck // nothing to lose
	for {
		if err := f.link.WriteMessage([][]byte{next()}); err != nil {
			<-f.over
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.why
		}
		count()
	}
}
