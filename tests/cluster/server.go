package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/parley-rpc/parley/ext/cluster"
	"github.com/parley-rpc/parley/ext/cluster/natsbus"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/cluster/gen/cluster/v1/clusterv1parley"
	"github.com/parley-rpc/parley/tests/deploy/gen/deploy/v1/deployv1parley"
	"github.com/parley-rpc/parley/tests/internal/notes"
	"github.com/parley-rpc/parley/tests/internal/port"
	"github.com/parley-rpc/parley/tests/internal/rig"
)

// serveVariable is the environment variable that makes this program a server.
// Its value is a serverConfig, in JSON.
const serveVariable = "PARLEY_CLUSTER_SERVE"

// serverConfig is the configuration of a server.
type serverConfig struct {
	Name      string
	Addr      string // for clients
	Inner     string // where it listens for other nodes
	Advertise string // where other nodes reach that
	NATS      string
	Process   int           // its number
	Calls     []string      // the clients that it calls
	Pace      time.Duration // of these calls
	Count     uint64        // notes of a stream
	Publish   time.Duration // between two items of each topic
	Spread    time.Duration // of a drain
}

// serverReport is what a server prints at its end.
type serverReport struct {
	Notes     *notes.Report
	Published map[string]published
}

// server is a server process: one node of the cluster.
type server struct {
	cfg     serverConfig
	book    notes.Book
	ids     *notes.IDs
	node    *cluster.Node
	rpc     *rpc.Server
	stop    chan struct{} // closed by rest
	calls   sync.WaitGroup
	resting sync.Once
	topics  []*publisher // once it has begun
	sending sync.WaitGroup
	hushed  sync.Once
	quiet   chan struct{} // closed when nothing more is published
}

const drainTimeout = 30 * time.Second

// serve runs a server process until in ends.
func serve(config string, in io.Reader, out io.Writer) error {
	s := &server{stop: make(chan struct{}), quiet: make(chan struct{})}
	if err := json.Unmarshal([]byte(config), &s.cfg); err != nil {
		return err
	}
	s.ids = notes.NewIDs(s.cfg.Process)
	nc, err := nats.Connect("nats://"+s.cfg.NATS, nats.MaxReconnects(-1), nats.ReconnectWait(250*time.Millisecond),
		nats.PingInterval(time.Second), nats.MaxPingsOutstanding(2), nats.Timeout(time.Second),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		return err
	}
	defer nc.Close()
	bus := natsbus.New(nc)
	defer bus.Close() //nolint:errcheck // the connection ends too
	s.node, err = cluster.New(cluster.Config{
		Bus: bus, Name: s.cfg.Name, Advertise: "ws://" + s.cfg.Advertise + "/node",
		Credentials: cluster.Credentials{Secret: "a secret of the cluster's nodes"},
		Logger:      slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	ended, shut, err := s.listen()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, s.node.ID())
	s.answer(in, out)

	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	s.rest()
	err = s.node.Shutdown(ctx)
	s.hush()
	err = errors.Join(err, shut(ctx), <-ended, <-ended)
	return errors.Join(err, json.NewEncoder(out).Encode(s.report()))
}

// listen serves clients and nodes.
func (s *server) listen() (ended <-chan error, shut func(context.Context) error, err error) {
	options := append(s.node.ServerOptions(), rig.Quick(0)...)
	options = append(options, rpc.WithLogger(slog.New(slog.DiscardHandler)),
		rpc.WithDrain(rpc.Drain{Spread: s.cfg.Spread, Restart: true}),
		rpc.WithAuthentication(func(r *http.Request) (context.Context, error) {
			return rpc.WithPrincipal(r.Context(), r.Header.Get("Authorization")), nil
		}))
	s.rpc = rpc.NewServer(options...)
	deployv1parley.RegisterNoteServiceServer(s.rpc, notes.Service{Book: &s.book})
	clusterv1parley.RegisterTopicServiceServer(s.rpc, topicService{s.node})
	errs := make(chan error, 2)
	var webs []*http.Server
	for _, at := range []struct {
		addr, path string
		handler    http.Handler
	}{{s.cfg.Inner, "/node", s.node.NodeHandler()}, {s.cfg.Addr, rig.Path, s.node.Handler(s.rpc)}} {
		ln, err := port.Listen(at.addr)
		if err != nil {
			return nil, nil, err
		}
		mux := http.NewServeMux()
		mux.Handle(at.path, at.handler)
		web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
		webs = append(webs, web)
		go func() {
			err := web.Serve(ln)
			if errors.Is(err, http.ErrServerClosed) {
				err = nil
			}
			errs <- err
		}()
	}
	return errs, func(ctx context.Context) error {
		return errors.Join(webs[0].Shutdown(ctx), webs[1].Shutdown(ctx))
	}, nil
}

// begin publishes, and starts calls to clients.
func (s *server) begin() {
	for _, client := range s.cfg.Calls {
		caller := notes.Caller{
			Conn: s.node.Client(client), Book: &s.book, IDs: s.ids, Who: s.cfg.Name + " to " + client,
			Pace: s.cfg.Pace, Count: s.cfg.Count,
		}
		s.calls.Go(func() { caller.Work(context.Background(), s.stop, notes.Never) })
	}
	for _, name := range []string{news, record} {
		p := &publisher{name: name, topic: topicOf(s.node, name), process: uint32(s.cfg.Process), began: time.Now()}
		s.topics = append(s.topics, p)
		s.sending.Go(func() { p.run(s.cfg.Publish, s.quiet) })
	}
}

// rest ends the calls of the server to clients, and waits for those in flight.
func (s *server) rest() {
	s.resting.Do(func() { close(s.stop) })
	s.calls.Wait()
}

// hush ends what the server publishes.
func (s *server) hush() {
	s.hushed.Do(func() { close(s.quiet) })
	s.sending.Wait()
}

// answer answers the lines of in.
func (s *server) answer(in io.Reader, out io.Writer) {
	encoder := json.NewEncoder(out)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		command, argument, _ := strings.Cut(lines.Text(), " ")
		var answer any
		switch command {
		case "view":
			answer = s.view(strings.Split(argument, " "))
		case "ask":
			answer = s.ask(argument)
		case "begin":
			s.begin()
			answer = nil
		case "rest":
			s.rest()
			s.hush()
			answer = s.published()
		default:
			answer = "what is " + command + "?"
		}
		_ = encoder.Encode(answer) // the parent sees that nothing comes
	}
}

func (s *server) report() serverReport {
	return serverReport{Notes: s.book.Report(), Published: s.published()}
}

func (s *server) published() map[string]published {
	all := make(map[string]published)
	for _, p := range s.topics {
		all[p.name] = p.report()
	}
	return all
}
