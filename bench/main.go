// Command bench measures parley beside other RPC frameworks: the same service,
// the same payloads, the same code that drives them. See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/proc"
	"github.com/parley-rpc/parley/bench/internal/target"
)

func main() {
	if isChild, err := child(); isChild {
		exit("bench: child", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	exit("bench", err)
}

func exit(who string, err error) {
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, who+":", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child runs the child's part, if this is a child process.
func child() (bool, error) {
	var j drive.Job
	isChild, err := proc.Job(&j)
	if !isChild || err != nil {
		return isChild, err
	}
	t := target.Named(j.Target)
	if t == nil {
		return true, fmt.Errorf("no target is named %q", j.Target)
	}
	return true, drive.Child(j, t)
}
