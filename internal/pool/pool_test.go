package pool

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

type buffer [64 << 10]byte

// fill gives a pool n new values, and returns them in that order.
func fill(p *Pool[buffer], n int) (values []*buffer) {
	for range n {
		v := new(buffer)
		values = append(values, v)
		p.Put(v)
	}
	return values
}

// empty drops what a pool keeps.
func (p *Pool[T]) empty() {
	for p.kept() > 0 {
		p.Get()
	}
}

func (p *Pool[T]) kept() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.free)
}

func newPool(t *testing.T) *Pool[buffer] {
	p := New[buffer](len(buffer{}))
	t.Cleanup(p.empty)
	return p
}

func TestMain(m *testing.M) {
	code := m.Run()
	if n := kept.Load(); n != 0 {
		fmt.Fprintf(os.Stderr, "%d bytes count as kept by pools that are empty\n", n)
		code = 1
	}
	os.Exit(code)
}

func TestEmptyPoolHasNoValue(t *testing.T) {
	if v := newPool(t).Get(); v != nil {
		t.Error("a value that nothing has put there")
	}
}

func TestLatestValueIsUsedFirst(t *testing.T) {
	p := newPool(t)
	values := fill(p, 3)
	for i := 2; i >= 0; i-- {
		if p.Get() != values[i] {
			t.Errorf("not value %d", i)
		}
	}
}

func TestValuesOutliveTheGarbageCollector(t *testing.T) {
	p := newPool(t)
	fill(p, 10)
	p.mu.Lock()
	p.trimmed = time.Now().Add(time.Hour) // the interval does not end, however slow the machine is
	p.mu.Unlock()
	for range 5 {
		runtime.GC()
	}
	if n := p.kept(); n != 10 {
		t.Errorf("%d of 10 values are left", n)
	}
}

func TestKeptBytesOfAllPoolsAreBounded(t *testing.T) {
	p, other := newPool(t), newPool(t)
	fill(p, 200)
	fill(other, 200)
	if n := p.kept() + other.kept(); n != maxKept/len(buffer{}) {
		t.Errorf("%d values are kept", n)
	}
}

func TestUnneededValuesGo(t *testing.T) {
	p := newPool(t)
	values := fill(p, 10)
	start := time.Now().Add(time.Hour) // after the cycles that the garbage collector runs meanwhile
	p.trim(start)
	if n := p.kept(); n != 10 {
		t.Fatalf("%d of 10 values are left, all of which are new", n)
	}
	a, b := p.Get(), p.Get()
	p.Put(b)
	p.Put(a)
	p.trim(start.Add(interval - 1))
	if n := p.kept(); n != 10 {
		t.Errorf("%d of 10 values are left too soon", n)
	}
	p.trim(start.Add(interval))
	if n := p.kept(); n != 2 {
		t.Errorf("%d values are left of the 2 that were needed", n)
	}
	if v := p.Get(); v != values[9] {
		t.Error("one of those that were not needed is left")
	}
	p.trim(start.Add(2 * interval))
	p.trim(start.Add(3 * interval))
	if n := p.kept(); n != 0 {
		t.Errorf("%d values are left of a pool that is not used", n)
	}
}

func TestGarbageCollectorTrims(t *testing.T) {
	p := newPool(t)
	fill(p, 10)
	p.mu.Lock()
	p.trimmed, p.unused = time.Now().Add(-interval), 10
	p.mu.Unlock()
	for deadline := time.Now().Add(10 * time.Second); p.kept() > 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("nothing was dropped")
		}
		runtime.GC()
	}
}

func TestPoolIsUsedByManyGoroutines(t *testing.T) {
	p := newPool(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 1000 {
				v := p.Get()
				if v == nil {
					v = new(buffer)
				}
				v[0]++
				p.Put(v)
				if i%100 == 0 {
					p.trim(time.Now().Add(time.Duration(i) * time.Minute))
				}
			}
		})
	}
	wg.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unused > len(p.free) {
		t.Errorf("%d of %d values were not needed", p.unused, len(p.free))
	}
}
