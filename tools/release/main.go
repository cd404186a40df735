// Command release prepares releases of Parley's modules and packages, and proves
// that they can be installed by version.
//
//	release prepare v0.1.0   write the commit and the tags of a release; pushes nothing
//	release check            prove in a temporary clone that the next release installs by version
//	release tidy [-w]        report whether each go.mod and go.sum is tidy; -w writes what is missing
//	release api              report what the API lost since the last release
//	release freeze v0.1.0    generate tests/compat/v0.1.0, the generated code that a release is held to
//	release proxy DIR        write a module proxy that has the modules of the working tree
//
// It works on the repository of the current folder: go run -C tools/release . check.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = "usage: release prepare VERSION | check | tidy [-w] | api | freeze VERSION | proxy DIR"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "release: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	repo, err := openRepository(ctx, ".", out)
	if err != nil {
		return err
	}
	name, arg := "", ""
	switch len(args) {
	case 2:
		name, arg = args[0], args[1]
	case 1:
		name = args[0]
	}
	switch {
	case name == "prepare" && arg != "":
		return repo.prepare(ctx, arg)
	case name == "check" && arg == "":
		return repo.check(ctx)
	case name == "tidy" && arg == "":
		return repo.checkTidy(ctx)
	case name == "tidy" && arg == "-w":
		return repo.writeTidy(ctx)
	case name == "api" && arg == "":
		return repo.checkAPI(ctx)
	case name == "freeze" && arg != "":
		return repo.freeze(ctx, arg)
	case name == "proxy" && arg != "":
		return repo.writeWorkingProxy(ctx, arg)
	}
	return errors.New(usage)
}
