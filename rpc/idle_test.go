package rpc_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

func TestACallOnWhichNoMessageMovesEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, m *rpc.Method) {
		ended := make(chan error, 1)
		p := newPair(t, nil, nil, func(srv *rpc.Server) { register(srv, m, waiting(make(chan struct{}, 1), ended)) })
		begin := time.Now()
		_, err := converse(t.Context(), p.client, m, []string{""}, rpc.WithIdleTimeout(8*time.Second))
		wantError(t, err, rpc.CodeDeadlineExceeded)
		if took := time.Since(begin); took < 8*time.Second || took > 10*time.Second || !strings.Contains(err.Error(), "idle") {
			t.Errorf("after %v: %v", took, err)
		}
		if err := <-ended; err == nil {
			t.Error("the handler was not told")
		}
	})
}

// TestMessagesInEitherDirectionKeepACallAlive lets a minute pass, at most 7 s
// between two messages, and then nothing more.
func TestMessagesInEitherDirectionKeepACallAlive(t *testing.T) {
	for _, sends := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t, nil, nil, func(srv *rpc.Server) {
				register(srv, bidi, func(ctx context.Context, s rpc.Stream) error {
					for range 10 {
						if sends {
							if _, err := recvOne(s); err != nil {
								return err
							}
							continue
						}
						<-time.After(7 * time.Second)
						if err := s.Send(text("on")); err != nil {
							return err
						}
					}
					<-ctx.Done()
					return ctx.Err()
				})
			})
			s, err := p.client.Open(t.Context(), bidi, rpc.WithIdleTimeout(8*time.Second))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for range 10 {
				if sends {
					<-time.After(7 * time.Second)
					err = s.Send(text("on"))
				} else {
					_, err = recvOne(s)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			last := time.Now()
			_, err = recvOne(s)
			wantError(t, err, rpc.CodeDeadlineExceeded)
			if took := time.Since(last); took < 8*time.Second || took > 10*time.Second {
				t.Errorf("ended %v after the last message", took)
			}
		})
	}
}
