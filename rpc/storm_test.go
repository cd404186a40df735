package rpc_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

// storm is a client whose servers restart, and whose links are cut, at random
// moments.
type storm struct {
	t *testing.T
	*network
	rand   *rand.Rand
	urls   []string
	leaves []<-chan error

	turn   sync.Mutex
	behind map[string]*rpc.Server // the server that is at a URL, or will be
}

// restart replaces the server at a URL. The new one starts at once or after a
// while, and the old one shuts down.
func (s *storm) restart(url string) {
	s.turn.Lock()
	defer s.turn.Unlock()
	old := s.behind[url]
	young := echoServer()
	s.behind[url] = young
	if s.rand.IntN(2) == 0 || len(s.urls) == 1 {
		s.serve(url, young)
	} else {
		s.answer(url, refusing(s.t, "draining", time.Duration(s.rand.IntN(2))*time.Second))
		after := time.After(time.Duration(s.rand.IntN(4000)) * time.Millisecond)
		go func() {
			<-after
			s.turn.Lock()
			defer s.turn.Unlock()
			if s.behind[url] == young {
				s.serve(url, young)
			}
		}()
	}
	s.leaves = append(s.leaves, shutdown(old, time.Minute))
}

// TestNothingHangsInAStorm drains servers and, in every other storm, breaks
// links. Without broken links no call fails.
func TestNothingHangsInAStorm(t *testing.T) {
	for seed := range uint64(4) {
		for name, at := range arrangements {
			t.Run(fmt.Sprint(seed, " ", name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := storm{t: t, network: newNetwork(t), rand: rand.New(rand.NewPCG(seed, 1)), urls: []string{first, second}, behind: make(map[string]*rpc.Server)}
					if at.url == home {
						s.urls = []string{home}
					}
					for _, url := range s.urls {
						s.behind[url] = echoServer()
						s.serve(url, s.behind[url])
					}
					s.takes = time.Duration(s.rand.IntN(500)) * time.Millisecond
					c := s.client(at.url, at.opts...)
					var loops []*loop
					for _, m := range kinds {
						loops = append(loops, startLoop(t, 150*time.Millisecond, c, m))
					}
					pass(2 * time.Second)
					cuts := seed%2 == 1
					harms := []func(){s.restartAny}
					if cuts {
						harms = append(harms, s.cut)
					}
					s.rage(harms)
					pass(40 * time.Second)
					if got := c.State(); got != rpc.StateReady {
						t.Errorf("%v in the end", got)
					}
					for _, l := range loops {
						l.stop.Store(true)
						<-l.done
						if len(l.failed) > 0 && !cuts {
							t.Errorf("%d of %d calls failed, the first with %v", len(l.failed), l.calls, l.failed[0])
						}
						for _, err := range l.failed {
							if rpc.CodeOf(err) != rpc.CodeUnavailable {
								t.Errorf("a call has failed with %v", err)
							}
						}
					}
					for _, left := range s.leaves {
						<-left
					}
				})
			})
		}
	}
}

// rage causes random faults, one after the other, for half a minute.
func (s *storm) rage(harms []func()) {
	for began := time.Now(); time.Since(began) < 30*time.Second; {
		harms[s.rand.IntN(len(harms))]()
		<-time.After(time.Duration(s.rand.IntN(6000)) * time.Millisecond)
	}
}

// restartAny restarts a server.
func (s *storm) restartAny() { s.restart(s.urls[s.rand.IntN(len(s.urls))]) }
