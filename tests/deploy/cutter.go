package main

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/parley-rpc/parley/tests/internal/faulty"
)

// cutter is a proxy in front of each server. It cuts all links of one server,
// and then of the next.
type cutter struct {
	proxies []*faulty.Proxy
	rand    *rand.Rand
	done    chan struct{}
	cutting sync.WaitGroup
}

func newCutter(seed uint64, servers []string) (*cutter, error) {
	c := &cutter{rand: rand.New(rand.NewPCG(seed, 2)), done: make(chan struct{})}
	for _, addr := range servers {
		p, err := faulty.Listen(addr, seed, 1)
		if err != nil {
			_ = c.stop() // never fails
			return nil, err
		}
		c.proxies = append(c.proxies, p)
	}
	return c, nil
}

func (c *cutter) urls() []string {
	var addrs []string
	for _, p := range c.proxies {
		addrs = append(addrs, p.Addr())
	}
	return urls(addrs...)
}

// begin starts to cut links.
func (c *cutter) begin() {
	c.cutting.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-time.After(300*time.Millisecond + time.Duration(c.rand.Int64N(int64(500*time.Millisecond)))):
				c.proxies[n%len(c.proxies)].Cut()
			case <-c.done:
				return
			}
		}
	})
}

func (c *cutter) stop() error {
	close(c.done)
	c.cutting.Wait()
	for _, p := range c.proxies {
		p.Close()
	}
	return nil
}
