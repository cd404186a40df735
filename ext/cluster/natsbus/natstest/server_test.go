package natstest

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/parley-rpc/parley/ext/cluster/natsbus"
)

// limit is how long a test waits for what must come.
const limit = 20 * time.Second

// natsServer is a NATS server in this process that can be killed and started
// again with the same address.
type natsServer struct {
	t       testing.TB
	options server.Options
	server  *server.Server
}

func newServer(t testing.TB) *natsServer {
	t.Helper()
	s := &natsServer{t: t, options: server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: t.TempDir(),
	}}
	s.start()
	t.Cleanup(s.kill)
	return s
}

func (s *natsServer) start() {
	s.t.Helper()
	options := s.options // the server changes its options
	srv, err := server.NewServer(&options)
	if err != nil {
		s.t.Fatal(err)
	}
	s.server = srv
	go srv.Start()
	if !srv.ReadyForConnections(limit) {
		s.t.Fatal("the NATS server does not start")
	}
	s.options.Port = options.Port
}

func (s *natsServer) kill() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
}

// connect returns a connection that reconnects quickly.
func (s *natsServer) connect(opts ...nats.Option) *nats.Conn {
	s.t.Helper()
	nc, err := nats.Connect(s.server.ClientURL(), append([]nats.Option{
		nats.MaxReconnects(-1), nats.ReconnectWait(20 * time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}, opts...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(nc.Close)
	return nc
}

// newBus returns a bus over a connection of its own.
func (s *natsServer) newBus(opts ...natsbus.Option) *natsbus.Bus {
	s.t.Helper()
	bus := natsbus.New(s.connect(), opts...)
	s.t.Cleanup(func() {
		if err := bus.Close(); err != nil {
			s.t.Error(err)
		}
	})
	return bus
}

// receive returns the next item of a channel.
func receive[T any](t *testing.T, from <-chan T) (item T) {
	t.Helper()
	select {
	case item = <-from:
	case <-time.After(limit):
		t.Fatal("nothing came")
	}
	return item
}
