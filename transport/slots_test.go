package transport_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

func TestOpenThatGivesUpForWantOfRoomFreesItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSessionOver(t, pipe.Config{Capacity: 1}, transport.Dialer, transport.Config{Parameters: transport.Parameters{WriteQueue: 1}}, frame.Hello{})
		p.link.Stall()
		for range 2 {
			mustOpen(t, s)
			synctest.Wait()
		}
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second/20)
			if st, err := s.Open(ctx, nil); errors.Is(err, context.DeadlineExceeded) {
				cancel()
			} else {
				cancel()
				st.Close()
			}
		}
		p.link.Resume()
		for range 14 { // 16 in all
			mustOpen(t, s)
		}
		stillWaits(t, openLater(t, s))
	})
}

func TestPlaceThatIsGrantedToAnOpenThatGivesUpIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
		for range 15 {
			mustOpen(t, s)
		}
		for range 200 {
			st := mustOpen(t, s)
			ctx, cancel := context.WithCancel(t.Context())
			opened := start(func() error {
				st, err := s.Open(ctx, nil)
				if err == nil {
					st.Close()
				}
				return err
			})
			synctest.Wait()
			var both sync.WaitGroup // at the same time a slot is granted and the wait ends
			both.Go(func() { st.Close() })
			both.Go(cancel)
			both.Wait()
			if err := <-opened; err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		mustOpen(t, s)
	})
}

func TestAcceptingEndCountsAStreamAsEndedBeforeItsEndIsOnTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := smallest
		cfg.WriteQueue = 1
		s, p := connectSessionOver(t, pipe.Config{Capacity: 1}, transport.Acceptor, cfg, generous)
		var streams []*transport.Stream
		for i := range uint64(16) {
			p.send(openEnd(2*i + 1))
			streams = append(streams, mustAccept(t, s))
		}
		p.link.Stall()
		for range 3 {
			mustSend(t, streams[0], "in the way")
			synctest.Wait()
		}
		closed := start(func() error { return streams[1].CloseSend(t.Context(), nil) })
		stillWaits(t, closed)
		p.send(open(33, ""))
		if id := mustAccept(t, s).ID(); id != 33 {
			t.Errorf("accepted stream %d", id)
		}
		p.link.Resume()
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

// An opener that keeps the limit is never refused: the accepting end counts the
// end of a stream before the peer can know of it.
func TestOpenerWithinTheLimitIsNeverRefused(t *testing.T) {
	handlers := map[string]func(*transport.Stream){
		"that end": func(st *transport.Stream) {
			_, _ = st.Recv(context.Background(), nil)
			_ = st.CloseSend(context.Background(), nil)
		},
		"that end with a message": func(st *transport.Stream) {
			_, _ = st.Recv(context.Background(), nil)
			_ = st.Send(context.Background(), nil, transport.SendOptions{End: true})
		},
		"that are reset": func(st *transport.Stream) { st.Reset(transport.ResetApplication, "") },
	}
	for how, handle := range handlers {
		t.Run(how, func(t *testing.T) {
			d, a := pair(t, transport.Config{}, transport.Config{Parameters: transport.Parameters{MaxStreams: 16}, OnStream: func(st *transport.Stream, _ []byte) *transport.ResetError {
				go func() {
					handle(st)
					st.Close()
				}()
				return nil
			}})
			var workers sync.WaitGroup
			for range 32 {
				workers.Go(func() {
					for range 100 {
						if err := once(t.Context(), d); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			workers.Wait()
			if err := errors.Join(d.Err(), a.Err()); err != nil {
				t.Error(err)
			}
		})
	}
}

// once opens a stream and waits for its end. It returns a refusal as an error.
func once(ctx context.Context, s *transport.Session) error {
	st, err := s.Open(ctx, nil)
	if err != nil {
		return err
	}
	defer st.Close()
	if err := st.Send(ctx, nil, transport.SendOptions{End: true}); err != nil {
		return nil // reset already
	}
	for err == nil {
		_, err = st.Recv(ctx, nil)
	}
	var r *transport.ResetError
	if errors.As(err, &r) && r.Code == transport.ResetRefused {
		return err
	}
	return nil
}
