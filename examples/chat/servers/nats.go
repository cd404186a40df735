package main

import (
	"errors"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
)

const natsTimeout = 10 * time.Second

// nats is a NATS server in this process.
type nats struct{ server *natsserver.Server }

// startNATS starts a NATS server on a free port, with its files in a folder.
func startNATS(dir string) (nats, error) {
	server, err := natsserver.NewServer(&natsserver.Options{
		Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: dir,
	})
	if err != nil {
		return nats{}, err
	}
	go server.Start()
	if !server.ReadyForConnections(natsTimeout) {
		server.Shutdown()
		return nats{}, errors.New("the NATS server does not start")
	}
	return nats{server}, nil
}

func (n nats) url() string { return n.server.ClientURL() }

func (n nats) stop() {
	n.server.Shutdown()
	n.server.WaitForShutdown()
}
