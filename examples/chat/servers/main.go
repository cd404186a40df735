// Command servers runs several servers of the chat as one: behind nginx, which
// gives each connection to the next server, and with a NATS server between them.
// It starts a server that has ended again.
//
//	go run ./examples/chat/servers -nodes 3
//
// With node it is one of these servers, beside a NATS server and a proxy that run
// already (docs/cluster.md).
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
       servers node [-name NAME] [-addr HOST:PORT] [-node-addr HOST:PORT] [-advertise URL]
                    [-health HOST:PORT] [-nats URL] [-grace DURATION]
       The environment of a node has CHAT_SECRET, which all nodes share.
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

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 && args[0] == "node" {
		return serve(ctx, args[1:], os.Stdin, out)
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
