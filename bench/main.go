// Command bench measures parley beside other RPC frameworks: the same service,
// the same payloads, the same code that drives them. See README.md.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/proc"
	"github.com/parley-rpc/parley/bench/internal/target"
)

func main() {
	proc.Main("bench", child, func(ctx context.Context) error {
		return run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	})
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
