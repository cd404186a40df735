package main

import (
	"errors"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/parley-rpc/parley/bench/internal/proc"
)

// serveNATS is the process of the NATS server. Its commands: look.
func serveNATS(job) error {
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true})
	if err != nil {
		return err
	}
	go srv.Start()
	defer srv.WaitForShutdown()
	defer srv.Shutdown()
	if !srv.ReadyForConnections(10 * time.Second) {
		return errors.New("the NATS server does not start")
	}
	if err := proc.Report(answer{Address: srv.ClientURL()}); err != nil {
		return err
	}
	return answering(func(command) answer {
		usage, err := proc.Look(proc.Memory)
		if err != nil {
			return answerOf(answer{}, err)
		}
		traffic, err := srv.Varz(nil)
		if err != nil {
			return answerOf(answer{}, err)
		}
		return answer{Usage: usage, Messages: traffic.InMsgs + traffic.OutMsgs}
	})
}
