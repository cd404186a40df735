package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/tests/internal/child"
)

// attackVariable is the environment variable that makes this program the
// attackers. Its value is "name address".
const attackVariable = "PARLEY_ATTACK"

// tally counts the attackers' actions.
type tally struct {
	conns atomic.Int64
	units atomic.Int64
	won   atomic.Int64          // times that they got what no client may get
	said  atomic.Pointer[error] // the last error: how the server ends such a connection

	stolen atomic.Pointer[secret] // what the attackers know of the victim's session
}

// startAttackers starts the attackers as a child process.
func startAttackers(a attack, addr string) (*child.Process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return child.Run(behind(program), attackVariable, a.name+" "+addr)
}

// attackAsTold attacks until in ends, and then prints its tally. Each line of
// in is a stolen secret.
func attackAsTold(what string, in io.Reader, out io.Writer) error {
	name, addr, _ := strings.Cut(what, " ")
	a, ok := named(name)
	if !ok {
		return fmt.Errorf("there is no attack %q", name)
	}
	var n tally
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel() // the parent asks for it, or has ended
		for lines := bufio.NewScanner(in); lines.Scan(); {
			if s, err := parseSecret(lines.Text()); err == nil {
				n.stolen.Store(s)
			}
		}
	}()
	fmt.Fprintln(out, "attacking")
	a.attack(ctx, addr, &n)
	fmt.Fprintln(out, n.deeds())
	return nil
}

// attack runs all attackers until ctx ends. Many attackers do not arrive at the
// same moment.
func (a attack) attack(ctx context.Context, addr string, n *tally) {
	var all sync.WaitGroup
	for i := range a.attackers {
		all.Go(func() {
			pause(ctx, time.Duration(i)*usualArrival/time.Duration(a.attackers))
			for ctx.Err() == nil {
				n.conns.Add(1)
				if err := a.once(ctx, addr, n); err != nil && ctx.Err() == nil {
					n.said.Store(&err)
				}
			}
		})
	}
	all.Wait()
}

// deeds is a tally as one line, in which the child sends it to the parent.
type deeds struct {
	conns, units, won int64
	said              string
}

func (n *tally) deeds() deeds {
	d := deeds{conns: n.conns.Load(), units: n.units.Load(), won: n.won.Load()}
	if err := n.said.Load(); err != nil {
		d.said = strings.ReplaceAll((*err).Error(), "\n", " ")
	}
	return d
}

func (d deeds) String() string { return fmt.Sprintf("%d %d %d %s", d.conns, d.units, d.won, d.said) }

// add adds the tally of a child.
func (d *deeds) add(line string) error {
	var more deeds
	if _, err := fmt.Sscanf(line, "%d %d %d", &more.conns, &more.units, &more.won); err != nil {
		return fmt.Errorf("the attackers say %q: %w", line, err)
	}
	d.conns, d.units, d.won = d.conns+more.conns, d.units+more.units, d.won+more.won
	if words := strings.SplitN(strings.TrimSpace(line), " ", 4); len(words) == 4 {
		d.said = words[3]
	}
	return nil
}
