package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	natsgo "github.com/nats-io/nats.go"

	chatserver "github.com/parley-rpc/parley/examples/chat/server"
	"github.com/parley-rpc/parley/ext/cluster"
	"github.com/parley-rpc/parley/ext/cluster/natsbus"
)

// Variables of the environment of a server.
const (
	// secretVariable has the secret of the cluster, which no list of processes
	// shows.
	secretVariable = "CHAT_SECRET"
	// childVariable is set if the program has started the server: then it ends
	// with its input.
	childVariable = "CHAT_CHILD"
)

// nodeFlags are the flags of a server.
type nodeFlags struct {
	name      string
	addr      string
	nodeAddr  string
	advertise string
	health    string
	nats      string
	grace     time.Duration
}

// parseNode parses the flags of a server.
func parseNode(args []string, out io.Writer) (f nodeFlags, err error) {
	flags := flag.NewFlagSet("servers node", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() { fmt.Fprint(out, usage) }
	flags.StringVar(&f.name, "name", "", "")
	flags.StringVar(&f.addr, "addr", "localhost:8080", "")
	flags.StringVar(&f.nodeAddr, "node-addr", "localhost:7443", "")
	flags.StringVar(&f.advertise, "advertise", "", "")
	flags.StringVar(&f.health, "health", "", "")
	flags.StringVar(&f.nats, "nats", natsgo.DefaultURL, "")
	flags.DurationVar(&f.grace, "grace", 10*time.Second, "")
	if err := flags.Parse(args); err != nil {
		return f, err
	}
	if flags.NArg() > 0 || f.grace <= 0 {
		flags.Usage()
		return f, fmt.Errorf("not understood: %q: -grace must be positive, and there are no arguments", args)
	}
	if host, _, err := net.SplitHostPort(f.nodeAddr); err != nil {
		return f, fmt.Errorf("-node-addr: %w", err)
	} else if host == "" && f.advertise == "" {
		return f, fmt.Errorf("-node-addr %s has no host that other nodes can dial: set -advertise, for example to ws://10.0.0.7:7443%s", f.nodeAddr, chatserver.NodePath)
	}
	return f, nil
}

// serve is one server, until ctx ends: then its members move to other servers.
func serve(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	f, err := parseNode(args, out)
	if err != nil {
		return err
	}
	secret := os.Getenv(secretVariable)
	if secret == "" {
		return errors.New(secretVariable + " is not set: it must be the same secret of 16 bytes or more for all servers")
	}
	if os.Getenv(childVariable) != "" {
		go func() {
			_, _ = io.Copy(io.Discard, in)
			os.Exit(0)
		}()
	}
	nc, err := natsgo.Connect(f.nats, natsgo.MaxReconnects(-1), natsgo.ReconnectWait(250*time.Millisecond))
	if err != nil {
		return fmt.Errorf("NATS at %s: %w", f.nats, err)
	}
	defer nc.Close()
	bus := natsbus.New(nc)
	defer bus.Close() //nolint:errcheck // the process ends
	return chatserver.Run(ctx, chatserver.Config{
		Addr:       f.addr,
		NodeAddr:   f.nodeAddr,
		HealthAddr: f.health,
		Grace:      f.grace,
		Cluster: cluster.Config{
			Bus:         bus,
			Name:        cmp.Or(f.name, f.addr),
			Advertise:   f.advertise,
			Credentials: cluster.Credentials{Secret: secret},
			Logger:      slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		},
	}, func(string) { fmt.Fprintln(out, readyLine) })
}

// readyLine is what a server prints when it serves.
const readyLine = "ready"
