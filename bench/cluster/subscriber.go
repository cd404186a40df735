package main

import (
	"context"
	"sync"
	"time"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
	"github.com/parley-rpc/parley/bench/gen/bench/v1/benchv1parley"
	"github.com/parley-rpc/parley/bench/internal/stat"
	"github.com/parley-rpc/parley/rpc"
)

// subscriber is a client's call that receives the messages of a topic.
type subscriber struct {
	in      rpc.Receiver[benchv1.DownloadResponse]
	running sync.WaitGroup

	mu        sync.Mutex
	delivered uint64
	told      uint64
	ages      []time.Duration
	failure   error
}

// subscribe subscribes all clients.
func (cs *clients) subscribe(command) error {
	for _, c := range cs.all {
		in, err := benchv1parley.NewBenchServiceClient(c.Client).Download(context.Background(), new(benchv1.DownloadRequest))
		if err != nil {
			return err
		}
		s := &subscriber{in: in}
		s.running.Go(s.run)
		cs.subscribers = append(cs.subscribers, s)
	}
	return nil
}

func (s *subscriber) run() {
	for {
		m, err := s.in.Recv()
		s.mu.Lock()
		if err != nil {
			s.failure = err
			s.mu.Unlock()
			return
		}
		if number, age, gap := read(m); gap {
			s.told += number
		} else {
			s.delivered++
			s.ages = append(s.ages, age)
		}
		s.mu.Unlock()
	}
}

func (s *subscriber) end() {
	_ = s.in.Close()
	s.running.Wait()
}

// patience is how long the last messages may take.
const patience = 5 * time.Second

// collect waits until all subscribers have, or know to miss, each of n
// messages, for as long as it may take. Then it returns what they got, and
// starts again.
func (cs *clients) collect(n uint64) (sum fanOut, err error) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline) && !cs.complete(n); {
		time.Sleep(10 * time.Millisecond)
	}
	var ages []time.Duration
	for _, s := range cs.subscribers {
		s.mu.Lock()
		sum.Delivered += s.delivered
		sum.Told += s.told
		sum.Hidden += n - min(n, s.delivered+s.told)
		ages = append(ages, s.ages...)
		if s.failure != nil {
			err = s.failure
		}
		s.delivered, s.told, s.ages = 0, 0, nil
		s.mu.Unlock()
	}
	sum.P50, sum.P99 = stat.Quantile(ages, 0.5), stat.Quantile(ages, 0.99)
	return sum, err
}

func (cs *clients) complete(n uint64) bool {
	for _, s := range cs.subscribers {
		s.mu.Lock()
		complete := s.delivered+s.told >= n
		s.mu.Unlock()
		if !complete {
			return false
		}
	}
	return true
}
