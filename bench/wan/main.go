// Command wan measures parley beside other RPC frameworks over paths with a
// round trip and a rate. See the README.md of the folder above.
package main

import (
	"context"
	"os"

	"github.com/parley-rpc/parley/bench/internal/proc"
	"github.com/parley-rpc/parley/bench/internal/wan"
)

func main() {
	proc.Main("wan", child, func(ctx context.Context) error {
		return run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	})
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
