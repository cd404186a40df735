// Command parley calls services over WebSockets, describes and measures them,
// and runs a gateway in front of gRPC servers. docs/cli.md says more.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"github.com/parley-rpc/parley/cmd/parley/internal/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	std := command.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	std.Live = term.IsTerminal(int(os.Stderr.Fd()))
	os.Exit(command.Run(ctx, os.Args[1:], std))
}
