package transport_test

import (
	"bytes"
	"io"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// readers is a link that records which goroutines wait for messages.
type readers struct {
	transport.Link
	mu   sync.Mutex
	last string // the first line of the stack of the last one
}

func (r *readers) NextReader() (io.Reader, error) {
	buf := make([]byte, 64)
	name, _, _ := bytes.Cut(buf[:runtime.Stack(buf, false)], []byte("["))
	r.mu.Lock()
	r.last = string(name)
	r.mu.Unlock()
	return r.Link.NextReader()
}

func (r *readers) current() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

func TestAnotherGoroutineReadsOnceASessionIsAtRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dl, al := pipe.New(pipe.Config{})
		log := &readers{Link: al}
		a, err := transport.NewSession(log, transport.Acceptor, transport.Config{Sessions: new(transport.Sessions)})
		if err != nil {
			t.Fatal(err)
		}
		d, err := transport.NewSession(dl, transport.Dialer, transport.Config{OnDetached: func(*transport.Session, error) {}})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close(transport.CloseNormal, "")
		defer d.Close(transport.CloseNormal, "")
		for range 3 {
			synctest.Wait()
			before := log.current()
			out, in := mustOpen(t, d), mustAccept(t, a)
			advance(time.Second) // all is acknowledged
			if got := log.current(); got != before {
				t.Errorf("%s reads instead of %s while a stream is open", got, before)
			}
			mustCloseSend(t, out, "")
			mustCloseSend(t, in, "")
			_ = in.Close()
			_ = out.Close()
			advance(time.Second)
			if log.current() == before {
				t.Errorf("%s still reads", before)
			}
		}
	})
}
