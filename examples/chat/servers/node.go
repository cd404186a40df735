package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	natsgo "github.com/nats-io/nats.go"

	chatserver "github.com/parley-rpc/parley/examples/chat/server"
	"github.com/parley-rpc/parley/ext/cluster"
	"github.com/parley-rpc/parley/ext/cluster/natsbus"
)

// serverVariable is the environment variable that makes a process a server. It
// has its configuration.
const serverVariable = "PARLEY_CHAT_SERVER"

// grace is how long members have to move to other servers when SIGTERM ends one.
const grace = 10 * time.Second

// serverConfig configures a server process.
type serverConfig struct {
	Name     string
	Addr     string // for nginx
	NodeAddr string // for the other servers
	NATS     string // a URL
	Secret   string
}

// serve is one server, until ctx ends: then its members move to other servers. It
// ends at once when the input does, because then the program that started it has.
func serve(ctx context.Context, config string, in io.Reader, out io.Writer) error {
	var c serverConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return fmt.Errorf("%s: %w", serverVariable, err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, in)
		os.Exit(0)
	}()
	nc, err := natsgo.Connect(c.NATS, natsgo.MaxReconnects(-1), natsgo.ReconnectWait(250*time.Millisecond))
	if err != nil {
		return fmt.Errorf("NATS at %s: %w", c.NATS, err)
	}
	defer nc.Close()
	bus := natsbus.New(nc)
	defer bus.Close() //nolint:errcheck // the process ends
	return chatserver.Run(ctx, chatserver.Config{
		Addr:     c.Addr,
		NodeAddr: c.NodeAddr,
		Grace:    grace,
		Cluster: cluster.Config{
			Bus: bus, Name: c.Name, Credentials: cluster.Credentials{Secret: c.Secret},
			Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		},
	}, func(string) { fmt.Fprintln(out, readyLine) })
}

// readyLine is what a server prints when it serves.
const readyLine = "ready"
