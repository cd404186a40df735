package transport_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

// sender sends a message of 8 pieces on each of its streams, as far as the
// credit allows.
type sender struct {
	p     *peer
	limit map[uint64]int // credit, in bytes
	sent  map[uint64]int // pieces
}

const (
	uploadPieces = 8
	pieceCost    = 8 << 10 // of half
)

// upload makes a peer open n streams. The application receives a message on
// each, and sends the result of Recv to received.
func upload(t *testing.T, s *transport.Session, p *peer, n int, received chan<- error) *sender {
	t.Helper()
	u := &sender{p: p, limit: make(map[uint64]int), sent: make(map[uint64]int)}
	for i := range uint64(n) {
		id := 2*i + 1
		p.send(open(id, ""))
		u.limit[id] = 16 << 10
		st := mustAccept(t, s)
		go func() {
			m, err := st.Recv(t.Context(), nil)
			if want := uploadPieces * len(half); err == nil && len(m.Bytes) != want {
				err = fmt.Errorf("stream %d: a message of %d bytes, want %d", id, len(m.Bytes), want)
			}
			received <- err
		}()
	}
	synctest.Wait()
	return u
}

// send sends up to most pieces of each message, in turns, while there is credit.
func (u *sender) send(most int) {
	for went := true; went; {
		went = false
		for i := range len(u.limit) {
			id := uint64(2*i + 1)
			if u.sent[id] == most || (u.sent[id]+1)*pieceCost > u.limit[id] {
				continue
			}
			went = true
			if u.sent[id]++; u.sent[id] == uploadPieces {
				u.p.send(data(id, half))
			} else {
				u.p.send(dataMore(id, half))
			}
		}
		synctest.Wait()
		for _, f := range u.p.got() {
			var id uint64
			var limit int
			if _, err := fmt.Sscanf(f, "WINDOW %d %d", &id, &limit); err == nil {
				u.limit[id] = limit
			}
		}
	}
}

// all returns how many bytes were sent, by the cost rule.
func (u *sender) all() (sum int) {
	for _, n := range u.sent {
		sum += n * pieceCost
	}
	return sum
}

// tightMessages returns a configuration with small windows that do not grow,
// and room for two messages in pieces.
func tightMessages() transport.Config {
	cfg := smallWindows(0)
	cfg.MaxMessage, cfg.MaxReassembly = 64<<10, 128<<10
	return cfg
}

func TestUnfinishedMessagesHoldTheWindowsAndTheirBoundAndNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := tightMessages()
		s, p := connectSession(t, transport.Acceptor, cfg, frame.Hello{})
		received := make(chan error, cfg.MaxStreams)
		u := upload(t, s, p, cfg.MaxStreams, received)
		u.send(uploadPieces - 1) // no message is complete
		if most := cfg.MaxBuffered + cfg.MaxReassembly + cfg.MaxMessage; u.all() > most {
			t.Errorf("%d bytes of unfinished messages were taken, want at most %d", u.all(), most)
		}
		if len(received) > 0 {
			t.Fatal(<-received)
		}
		u.send(uploadPieces) // then each gets its turn
		for range cfg.MaxStreams {
			if err := <-received; err != nil {
				t.Error(err)
			}
		}
		if left := s.Residue(); len(left) != 3 { // what belongs to open streams
			t.Errorf("what is left: %q", left)
		}
	})
}

// TestMessageHasTheTurnUntilItEndsHoweverThatIs ends the message that has the
// turn in several ways, while another one waits.
func TestMessageHasTheTurnUntilItEndsHoweverThatIs(t *testing.T) {
	for how, end := range map[string]func(t *testing.T, u *sender, st *transport.Stream, id uint64){
		"reset by the peer": func(_ *testing.T, u *sender, _ *transport.Stream, id uint64) { u.p.send(reset(id, 1)) },
		"reset by this end": func(_ *testing.T, _ *sender, st *transport.Stream, _ uint64) { st.Reset(transport.ResetCancel, "") },
		"closed":            func(_ *testing.T, _ *sender, st *transport.Stream, _ uint64) { st.Close() },
	} {
		for _, gaveUp := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, its Recv gave up before: %t", how, gaveUp), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					cfg := tightMessages()
					cfg.MaxReassembly = cfg.MaxMessage
					s, p := connectSession(t, transport.Acceptor, cfg, frame.Hello{})
					streams := make([]*transport.Stream, 3)
					ctx, cancel := context.WithCancel(t.Context())
					results := make([]<-chan error, len(streams))
					for i := range streams { // the first has the whole budget, the second the turn
						id := uint64(2*i + 1)
						p.send(open(id, ""), dataMore(id, half), dataMore(id, half))
						streams[i] = mustAccept(t, s)
						synctest.Wait() // Recv finds both pieces
						results[i] = start(func() error {
							own := t.Context()
							if i == 1 {
								own = ctx
							}
							_, err := streams[i].Recv(own, nil)
							return err
						})
						synctest.Wait()
					}
					p.wants("WINDOW 1 32768", "WINDOW 3 32768")
					if gaveUp {
						cancel()
						if err := <-results[1]; !errors.Is(err, context.Canceled) {
							t.Fatal(err)
						}
						synctest.Wait()
						p.wants() // the message keeps its memory, and the turn
					}
					end(t, &sender{p: p}, streams[1], 3)
					synctest.Wait()
					if got := p.got(); !slices.Contains(got, "WINDOW 5 32768") {
						t.Fatalf("got %q, want credit for stream 5", got)
					}
					cancel()
				})
			})
		}
	}
}

// TestRecvThatGaveUpWhileItsMessageWaitedGetsAllOfIt tests the pieces that
// could not be moved to the rest.
func TestRecvThatGaveUpWhileItsMessageWaitedGetsAllOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := tightMessages()
		cfg.MaxReassembly = cfg.MaxMessage
		s, p := connectSession(t, transport.Acceptor, cfg, frame.Hello{})
		received := make(chan error, 2)
		u := upload(t, s, p, 2, received) // one has the whole budget, the other the turn
		u.send(2)
		p.send(open(5, ""), dataMore(5, "begin "), dataMore(5, "middle "))
		st := mustAccept(t, s)
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if m, err := st.Recv(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %q, %v", m.Bytes, err)
			}
			cancel()
		}
		p.send(data(5, "end"))
		u.send(uploadPieces)
		if got := mustRecv(t, st); got != "begin middle end" {
			t.Errorf("got %q", got)
		}
	})
}

func TestSessionThatUsesUpTheReassemblyBudgetStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := tightMessages()
		cfg.MaxReassembly = 1 << 20
		cfg.ReassemblyBudget = transport.NewBudget(256 << 10)
		received := make(chan error, 2*cfg.MaxStreams)
		greedySession, greedyPeer := connectSession(t, transport.Acceptor, cfg, frame.Hello{})
		greedy := upload(t, greedySession, greedyPeer, cfg.MaxStreams, received)
		greedy.send(uploadPieces - 1)
		if most := cfg.MaxBuffered + 2*cfg.MaxMessage + 256<<10; greedy.all() > most {
			t.Errorf("%d bytes of unfinished messages were taken, want at most %d", greedy.all(), most)
		}
		otherSession, otherPeer := connectSession(t, transport.Acceptor, cfg, frame.Hello{})
		other := upload(t, otherSession, otherPeer, cfg.MaxStreams, received)
		other.send(uploadPieces)
		for range cfg.MaxStreams {
			if err := <-received; err != nil {
				t.Error(err)
			}
		}
		greedySession.Close(transport.CloseNormal, "")
		for range cfg.MaxStreams {
			if err := <-received; err == nil {
				t.Error("an unfinished message was received")
			}
		}
		again := upload(t, otherSession, otherPeer, 0, received) // the whole budget was returned
		again.send(uploadPieces)
		if left := cfg.ReassemblyBudget.Left(); left != 256<<10 {
			t.Errorf("%d bytes are left of the budget", left)
		}
	})
}

// TestMessagesInPiecesAllArriveHoweverSmallTheBudget has sessions that share a
// budget. Receivers give up in the middle of a message, try again, are slow,
// and keep messages.
func TestMessagesInPiecesAllArriveHoweverSmallTheBudget(t *testing.T) {
	for _, seed := range []uint64{1, 2, rand.Uint64()} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(seed, 0))
				budget := int64(rnd.IntN(200_000))
				cfg := transport.Config{
					Parameters: transport.Parameters{
						MaxMessage: 100_000, MaxReassembly: 100_000 + rnd.IntN(100_000), ReassemblyBudget: transport.NewBudget(budget),
						InitialWindow: 16<<10 + rnd.IntN(1<<15), MaxStreams: 16 + rnd.IntN(20),
					},
				}
				var all sync.WaitGroup
				var ends []*transport.Session
				for i := range uint64(2) {
					d, a := pair(t, transport.Config{}, cfg)
					ends = append(ends, a)
					for j := range uint64(20) {
						all.Go(func() { sendSized(t, d, rand.New(rand.NewPCG(seed, 1000*i+j))) })
						all.Go(func() { receiveSized(t, a, rand.New(rand.NewPCG(seed, 1000*i+500+j))) })
					}
				}
				all.Wait()
				for _, a := range ends {
					wantNothingLeft(t, a)
				}
				if left := cfg.ReassemblyBudget.Left(); left != budget {
					t.Errorf("%d bytes of %d are left of the budget", left, budget)
				}
			})
		})
	}
}

const sizedMessages = 5

func sendSized(t *testing.T, d *transport.Session, rnd *rand.Rand) {
	st, err := d.Open(t.Context(), nil)
	if err != nil {
		t.Error(err)
		return
	}
	defer st.Close()
	for i := range uint32(sizedMessages) {
		msg := fill(make([]byte, 4+rnd.IntN(99_000)), i)
		if err := st.Send(t.Context(), msg, transport.SendOptions{End: i == sizedMessages-1}); err != nil {
			t.Error(err)
			return
		}
	}
	if _, err := st.Recv(t.Context(), nil); err == nil { // until the peer has everything
		t.Error("got an answer")
	}
}

// heap is a BufferProvider whose memory is never reused.
type heap struct{}

func (heap) Grow(msg []byte, size int) []byte { return append(make([]byte, 0, size), msg...) }

func receiveSized(t *testing.T, a *transport.Session, rnd *rand.Rand) {
	st, err := a.Accept(t.Context())
	if err != nil {
		t.Error(err)
		return
	}
	defer st.Close()
	for i := uint32(0); i < sizedMessages; {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rnd.IntN(20))*time.Millisecond)
		receive := func() (transport.Message, error) { return st.Recv(ctx, nil) }
		if rnd.IntN(2) == 0 {
			receive = func() (transport.Message, error) { return st.RecvBorrowed(ctx, heap{}) }
		}
		m, err := receive()
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			pause(t.Context(), time.Duration(rnd.IntN(20))*time.Millisecond)
			continue
		} else if err != nil {
			t.Error(err)
			return
		}
		if string(m.Bytes) != string(fill(make([]byte, len(m.Bytes)), i)) {
			t.Errorf("message %d is wrong", i)
		}
		i++
		pause(t.Context(), time.Duration(rnd.IntN(10))*time.Millisecond)
		if rnd.IntN(2) == 0 {
			st.ReleaseMessage()
		}
	}
}
