// Command wan measures parley beside other RPC frameworks over paths with a
// round trip and a rate. See the README.md of the folder above.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/parley-rpc/parley/bench/internal/proc"
	"github.com/parley-rpc/parley/bench/internal/wan"
)

func main() {
	if isChild, err := child(); isChild {
		exit("wan: child", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	exit("wan", err)
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

// child plays the part of a child process, if this is one.
func child() (bool, error) {
	var j wan.Job
	isChild, err := proc.Job(&j)
	if !isChild || err != nil {
		return isChild, err
	}
	return true, wan.Child(j)
}
