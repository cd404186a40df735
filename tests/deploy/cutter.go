package main

import (
	"sync"
	"time"

	"github.com/parley-rpc/parley/tests/internal/faulty"
)

// cutter puts a proxy in front of each server that cuts all its links now and then.
func (s *settings) cutter(f *fleet) ([]string, func() error, error) {
	var proxies []*faulty.Proxy
	var addrs []string
	var cutting sync.WaitGroup
	done := make(chan struct{})
	stop := func() error {
		close(done)
		cutting.Wait()
		for _, p := range proxies {
			p.Close()
		}
		return nil
	}
	for _, addr := range f.addrs {
		p, err := faulty.Listen(addr, s.seed, 1)
		if err != nil {
			return nil, nil, err
		}
		proxies, addrs = append(proxies, p), append(addrs, p.Addr())
	}
	r := s.rand
	cutting.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-time.After(300*time.Millisecond + time.Duration(r.Int64N(int64(500*time.Millisecond)))):
				proxies[n%len(proxies)].Cut()
			case <-done:
				return
			}
		}
	})
	return urls(addrs...), stop, nil
}
