package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	natsd "github.com/nats-io/nats-server/v2/server"

	"github.com/parley-rpc/parley/tests/internal/child"
)

// natsVariable is the environment variable that makes this program a NATS
// server. Its value is a natsConfig, in JSON.
const natsVariable = "PARLEY_CLUSTER_NATS"

type natsConfig struct{ Addr, Dir string }

// serveNATS runs a NATS server until in ends.
func serveNATS(config string, in io.Reader, out io.Writer) error {
	var cfg natsConfig
	if err := json.Unmarshal([]byte(config), &cfg); err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(cfg.Addr)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	srv, err := natsd.NewServer(&natsd.Options{
		Host: host, Port: number, NoLog: true, NoSigs: true, JetStream: true, StoreDir: cfg.Dir,
	})
	if err != nil {
		return err
	}
	go srv.Start()
	if !srv.ReadyForConnections(10 * time.Second) {
		return errors.New("the NATS server does not start")
	}
	fmt.Fprintln(out, cfg.Addr)
	_, err = io.Copy(io.Discard, in)
	srv.Shutdown()
	srv.WaitForShutdown()
	return err
}

// natsServer is a NATS server in a process of its own.
type natsServer struct {
	config natsConfig
	proc   *child.Process // nil: not running
}

func startNATS(addr string) (*natsServer, error) {
	dir, err := os.MkdirTemp("", "parley-nats-")
	if err != nil {
		return nil, err
	}
	n := &natsServer{config: natsConfig{Addr: addr, Dir: dir}}
	return n, n.start()
}

// start starts the server, with the files that it had before.
func (n *natsServer) start() error {
	config, err := json.Marshal(n.config)
	if err != nil {
		return err
	}
	n.proc, err = child.Start(natsVariable, string(config))
	return err
}

// kill kills the server.
func (n *natsServer) kill() {
	if n.proc != nil {
		n.proc.Kill()
		n.proc = nil
	}
}

// stop ends the server for good.
func (n *natsServer) stop() error {
	n.kill()
	return os.RemoveAll(n.config.Dir)
}
