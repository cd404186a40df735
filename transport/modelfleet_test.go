package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// TestDrainsAndProxiesCostNoStream makes calls both ways over sessions that are
// drained in two steps, and over links that break or are closed by a proxy. The
// model: every call is served exactly once and to its end, after any number of
// attempts. A refused call was not seen.
func TestDrainsAndProxiesCostNoStream(t *testing.T) { runFleets(t, 0, 1, 2, 3, 4) }

// TestReplacedSessionsEndAtOnce does the same with links to a server that does
// not know the session, and with a client that gives up sessions. The model:
// only calls on a lost session fail, and none is served twice. No server keeps
// a session that its client has lost.
func TestReplacedSessionsEndAtOnce(t *testing.T) { runFleets(t, 3, 1, 2, 3, 4) }

// runFleets runs fleets with seeds, and one more.
func runFleets(t *testing.T, forgetful int, seeds ...uint64) {
	if *modelSeed != 0 {
		seeds = []uint64{*modelSeed}
	} else {
		seeds = append(seeds, rand.Uint64())
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("-model.seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newFleet(t, seed, forgetful).run() })
		})
	}
}

const (
	fleetCallers = 4
	fleetTime    = 12 * time.Second
)

// fleet is two servers that do not share their sessions, and a client.
type fleet struct {
	t         *testing.T
	ctx       context.Context
	forgetful int // of 10 losses, those after which the session is unknown
	servers   [2]transport.Sessions
	actors    group // of the client and of the faults
	served    group

	mu      sync.Mutex
	rnd     *rand.Rand
	current *transport.Session         // of the client
	moving  bool                       // to another session
	at      map[*transport.Session]int // the server of each of the client's
	far     []*transport.Session       // at the servers, those that the client knows
	began   []*transport.Session       // at the servers, all of them
	links   []*pipe.End
	seen    map[string]int // how often a call has reached an application
	calls   int
	failed  int
	moves   int
	over    bool
}

func newFleet(t *testing.T, seed uint64, forgetful int) *fleet {
	return &fleet{
		t: t, ctx: context.Background(), forgetful: forgetful, rnd: rand.New(rand.NewPCG(seed, 0)),
		at: make(map[*transport.Session]int), seen: make(map[string]int),
	}
}

func (f *fleet) random(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rnd.IntN(n)
}

func (f *fleet) pause(most time.Duration) { <-time.After(time.Duration(f.random(int(most)))) }

func (f *fleet) isOver() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.over
}

func (f *fleet) run() {
	f.dial(nil)
	var calls sync.WaitGroup
	for i := range fleetCallers {
		calls.Go(func() { f.call(fmt.Sprint("client ", i), f.near) })
		calls.Go(func() { f.call(fmt.Sprint("server ", i), f.farEnd) })
	}
	f.actors.Go(f.drainSessions)
	f.actors.Go(f.breakLinks)
	<-time.After(fleetTime)
	f.mu.Lock()
	f.over = true
	f.mu.Unlock()
	calls.Wait()
	f.actors.Wait()
	f.check()
}

// check checks the state when all calls are over.
func (f *fleet) check() {
	advance(5 * time.Second) // less than sessions are kept
	_ = f.near().Close(transport.CloseNormal, "")
	advance(time.Second)
	for _, s := range f.far {
		if s.Err() == nil {
			f.t.Errorf("a session is kept, away: %v", s.Detached())
		}
	}
	for _, s := range f.began {
		_ = s.Close(transport.CloseNormal, "")
	}
	f.served.Wait()
	f.t.Logf("%d calls, %d failed; %d moves, %d sessions, %d links", f.calls, f.failed, f.moves, len(f.far), len(f.links)/2)
	if f.calls < 500 || f.moves < 3 || len(f.links) < 20 || f.forgetful == 0 && f.failed > 0 {
		f.t.Errorf("%d calls, %d failed, %d moves, %d links", f.calls, f.failed, f.moves, len(f.links)/2)
	}
}

// near returns the client's session.
func (f *fleet) near() *transport.Session {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.current
}

// farEnd returns a session at a server, if there is one.
func (f *fleet) farEnd() *transport.Session {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range slices.Backward(f.far) {
		if s.CanOpen() {
			return s
		}
	}
	return nil
}

// connect makes a link to a server.
func (f *fleet) connect(server int) *pipe.End {
	d, a := pipe.New(pipe.Config{Latency: time.Duration(1+f.random(10)) * time.Millisecond})
	s, err := transport.NewSession(a, transport.Acceptor, transport.Config{
		Sessions:             &f.servers[server],
		OnHello:              func(s *transport.Session) { f.served.Go(func() { f.serve(s) }) },
		OnUnknownPredecessor: func(r transport.Predecessor, principal string) { f.servers[1-server].EndPredecessor(r, principal) },
	})
	if err != nil {
		f.t.Error(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.began = append(f.began, s)
	f.links = append(f.links, d, a)
	return d
}

// config returns the configuration of the client's sessions.
func (f *fleet) config() transport.Config {
	return transport.Config{
		OnDetached: func(s *transport.Session, _ error) { f.actors.Go(func() { f.resumeSession(s) }) },
		OnGoAway: func(s *transport.Session) {
			f.actors.Go(func() { f.move(s) })
		},
	}
}

// dial starts a session in place of the client's current one.
func (f *fleet) dial(replaces *transport.Predecessor) {
	for {
		server := f.random(2)
		cfg := f.config()
		cfg.Predecessor = replaces
		s, err := transport.NewSession(f.connect(server), transport.Dialer, cfg)
		if err != nil {
			f.t.Error(err)
			return
		}
		if _, err := s.PeerSettings(f.ctx); err == nil { // a link may break before
			f.use(s, server)
			f.served.Go(func() { f.serve(s) })
			return
		}
	}
}

// use makes new calls on a session, and leaves the previous one.
func (f *fleet) use(s *transport.Session, server int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.current
	f.current = s
	f.at[s] = server
	if before != nil {
		f.actors.Go(func() { _ = before.Shutdown(f.ctx) })
	}
}

// move starts another session while one drains.
func (f *fleet) move(s *transport.Session) {
	info, _ := s.PeerGoAway()
	f.pause(time.Duration(info.Delay+1) * time.Millisecond)
	f.mu.Lock()
	stays := f.current != s || f.moving
	f.moving = f.moving || !stays
	f.mu.Unlock()
	if !stays {
		f.dial(nil)
		f.mu.Lock()
		f.moving = false
		f.moves++
		f.mu.Unlock()
	}
}

// resumeSession resumes a detached session of the client.
func (f *fleet) resumeSession(s *transport.Session) {
	for s.Err() == nil {
		f.mu.Lock()
		server := f.at[s]
		forget := f.rnd.IntN(10) < f.forgetful && f.current == s && !f.over
		f.mu.Unlock()
		switch {
		case forget && f.random(3) == 0:
			f.giveUp(s)
			return
		case forget:
			server = 1 - server
		}
		_, err := s.Resume(f.ctx, f.connect(server), func(start func(transport.Config) (*transport.Session, error)) {
			if f.near() != s {
				return // another one has replaced it
			}
			fresh, err := start(f.config())
			if err != nil {
				f.t.Error(err)
				return
			}
			f.use(fresh, server)
			f.served.Go(func() { f.serve(fresh) })
		})
		if err == nil {
			return
		}
		f.pause(100 * time.Millisecond)
	}
}

// giveUp starts a session in place of one that the client gives up.
func (f *fleet) giveUp(s *transport.Session) {
	replaced := s.AsPredecessor()
	_ = s.Close(transport.CloseNormal, "given up")
	f.mu.Lock()
	stays := f.current != s || f.moving
	f.mu.Unlock()
	if !stays {
		f.dial(replaced)
	}
}

// drainSessions drains sessions at the servers now and then.
func (f *fleet) drainSessions() {
	var draining sync.WaitGroup
	defer draining.Wait()
	for !f.isOver() {
		f.pause(2 * time.Second)
		s := f.farEnd()
		if s == nil {
			continue
		}
		notice := time.Duration(f.random(1500)) * time.Millisecond
		draining.Go(func() {
			info := transport.GoAway{Delay: uint64(f.random(1000)), Reason: "deploy"}
			if err := s.Drain(f.ctx, info, notice); err != nil {
				f.t.Errorf("drain: %v", err)
			}
			_ = s.Close(transport.CloseGoingAway, "deploy")
		})
	}
}

// breakLinks breaks the newest links now and then.
func (f *fleet) breakLinks() {
	for !f.isOver() {
		f.pause(600 * time.Millisecond)
		how, bytes := f.random(4), int64(f.random(20_000))
		code := []transport.CloseCode{transport.CloseGoingAway, transport.CloseServiceRestart}[f.random(2)]
		f.mu.Lock()
		d, a := f.links[len(f.links)-2], f.links[len(f.links)-1]
		f.mu.Unlock()
		switch how {
		case 0:
			d.Cut()
		case 1:
			d.CutAfterBytes(bytes)
			a.CutAfterBytes(bytes)
		case 2: // a proxy closes both of its ends
			d.Fail(&transport.CloseError{Code: code, Remote: true})
			a.Fail(&transport.CloseError{Code: code, Remote: true})
		case 3: // and with broken framing toward the server
			d.Fail(&transport.CloseError{Code: code, Remote: true})
			a.Fail(&transport.FramingError{Reason: "not masked"})
		}
	}
}

// call makes one call after the other until the time is over.
func (f *fleet) call(who string, session func() *transport.Session) {
	for i := 0; !f.isOver(); i++ {
		id := fmt.Sprint(who, " ", i)
		for !f.attempt(id, session()) {
			// The client's streams lead to a server's session. When the time is
			// over there are no more streams.
			if f.isOver() && session() == nil {
				return
			}
			<-time.After(time.Millisecond) // a real client waits for a session
		}
		f.mu.Lock()
		f.calls++
		f.mu.Unlock()
		f.pause(100 * time.Millisecond)
	}
}

// attempt makes a call on a session. It reports whether the call is over.
func (f *fleet) attempt(id string, s *transport.Session) (done bool) {
	if s == nil || !s.CanOpen() {
		return false
	}
	st, err := s.Open(f.ctx, []byte(id))
	if err != nil {
		return false
	}
	defer st.Close()
	n := 1 + f.random(10)
	var sending sync.WaitGroup
	sending.Go(func() { _ = sendNumbers(st, n) })
	got, err := f.receive(st)
	sending.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	var reset *transport.ResetError
	switch {
	case err == nil:
		if got != n || f.seen[id] != 1 {
			f.t.Errorf("%s: %d of %d messages came back, and it was served %d times", id, got, n, f.seen[id])
		}
		return true
	case errors.As(err, &reset) && reset.Code == transport.ResetRefused:
		if f.seen[id] != 0 {
			f.t.Errorf("%s was refused, and served %d times", id, f.seen[id])
		}
		return false
	}
	f.failed++
	var closed *transport.CloseError
	if f.forgetful == 0 || !errors.As(err, &closed) || f.seen[id] > 1 {
		f.t.Errorf("%s failed with %v, served %d times", id, err, f.seen[id])
	}
	return true
}

// receive counts the messages up to the end.
func (f *fleet) receive(st *transport.Stream) (n int, err error) {
	var buf []byte
	for {
		m, err := st.Recv(f.ctx, buf)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		buf = m.Bytes
		n++
	}
}

// serve serves the streams of a session: it sends every message back.
func (f *fleet) serve(s *transport.Session) {
	for {
		st, err := s.Accept(f.ctx)
		if err != nil {
			return
		}
		f.mu.Lock()
		f.seen[string(st.OpenHeader())]++
		if s != f.current && !slices.Contains(f.far, s) && st.ID()%2 == 1 {
			f.far = append(f.far, s)
		}
		f.mu.Unlock()
		f.served.Go(func() {
			defer st.Close()
			for {
				m, err := st.Recv(f.ctx, nil)
				if err != nil {
					break
				}
				if st.Send(f.ctx, m.Bytes, transport.SendOptions{}) != nil {
					return
				}
			}
			_ = st.CloseSend(f.ctx, nil)
		})
	}
}
