// Command worstcase makes a server keep as much memory as its limits allow, in
// each known way and in all ways at once. It compares the memory of the process
// with the bound that docs/limits.md derives from the settings, and fails if
// the bound is exceeded.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/parley-rpc/parley/tests/internal/child"
)

func main() {
	var err error
	if connections := os.Getenv(serveVariable); connections != "" {
		err = serve(connections, os.Stdin, os.Stdout)
	} else {
		connections := flag.Int("connections", 36, "that attack, each with 64 calls")
		hold := flag.Duration("hold", 5*time.Second, "how long each attack goes on")
		flag.Parse()
		err = run(os.Stdout, *connections, *hold)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "worstcase:", err)
		os.Exit(1)
	}
}

// run measures all rows, one by one and together.
func run(out io.Writer, connections int, hold time.Duration) error {
	if connections < len(rows) {
		return fmt.Errorf("-connections %d: there are %d attacks, each of which needs one", connections, len(rows))
	}
	set := newSettings(connections)
	fmt.Fprintf(out, "%d connections of %d calls\n| what | bound | resident at most | of the bound |\n|---|--:|--:|--:|\n", connections, set.transport.MaxStreams)
	var failed []error
	for _, r := range rows {
		failed = append(failed, r.measure(out, &set, []row{r}, hold))
	}
	return errors.Join(append(failed, together.measure(out, &set, rows, hold))...)
}

// measure runs attacks on all connections of a server, and writes a line of the
// table.
func (r row) measure(out io.Writer, set *settings, ways []row, hold time.Duration) error {
	server, err := child.Start(serveVariable, strconv.Itoa(set.connections))
	if err != nil {
		return err
	}
	defer server.Kill()
	if _, err := server.Ask("collect garbage"); err != nil {
		return err
	}
	before, err := server.Usage()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	attacking := make(chan error, set.connections)
	for i := range set.connections {
		a := &attacker{ctx: ctx, addr: server.Ready, set: set}
		go func() { attacking <- ways[i%len(ways)].attack(a) }()
	}
	most, err := watch(server, attacking, set.connections, hold)
	if err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	took, bound := most-before.Resident, collector*r.bound(set, int64(set.connections))
	fmt.Fprintf(out, "| %s | %s | %s | %d %% |\n", r.name, mebibytes(bound), mebibytes(took), 100*took/bound)
	if took > bound {
		return fmt.Errorf("%s: %s, more than the bound of %s", r.name, mebibytes(took), mebibytes(bound))
	}
	return nil
}

// watch returns the most memory that the server used until all attackers had
// held on for long enough.
func watch(server *child.Process, attacking <-chan error, attackers int, hold time.Duration) (most int64, err error) {
	ticks := time.NewTicker(20 * time.Millisecond)
	defer ticks.Stop()
	timeout := time.After(time.Minute)
	var end <-chan time.Time
	var failed []error
	for {
		select {
		case err := <-attacking:
			failed = append(failed, err)
			if attackers--; attackers == 0 {
				end = time.After(hold)
			}
		case <-ticks.C:
			usage, err := server.Usage()
			if err != nil {
				return 0, err
			}
			most = max(most, usage.Resident)
		case <-end:
			return most, errors.Join(failed...)
		case <-timeout:
			return 0, fmt.Errorf("%d of the attackers did not get through: %w", attackers, errors.Join(failed...))
		}
	}
}
