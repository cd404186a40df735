// Command servers runs several servers of the chat as one: behind nginx, which
// gives each connection to the next server, and with a NATS server between them.
// It starts a server that has ended again.
//
//	go run ./examples/chat/servers -nodes 3
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: servers [-addr HOST:PORT] [-nodes NUMBER]
`

const maxNodes = 16

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "servers:", err)
		os.Exit(1)
	}
}

// run is the program of all processes: a variable of the environment makes one a
// server.
func run(ctx context.Context, args []string, out io.Writer) error {
	if config := os.Getenv(serverVariable); config != "" {
		return serve(ctx, config, os.Stdin, out)
	}
	flags := flag.NewFlagSet("servers", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() { fmt.Fprint(out, usage) }
	addr := flags.String("addr", "localhost:8080", "")
	nodes := flags.Int("nodes", 3, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || *nodes < 1 || *nodes > maxNodes {
		flags.Usage()
		return fmt.Errorf("not understood: %q: -nodes must be 1 to %d, and there are no arguments", args, maxNodes)
	}
	return runSite(ctx, *addr, *nodes, out)
}
