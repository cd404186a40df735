package transport_test

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// requests collects what a session serves.
type requests struct {
	refuse *transport.ResetError // what Start returns

	mu      sync.Mutex
	started []*served
	streams int
}

// served is one request.
type served struct {
	memory transport.Served
	all    *requests
	text   string // its header and message
	abort  error
	marked bool
}

func (r *served) Served() *transport.Served { return &r.memory }

func (r *served) Start(header, msg []byte, mark bool) *transport.ResetError {
	r.text, r.marked = fmt.Sprintf("%s %s", header, msg), mark
	r.all.mu.Lock()
	defer r.all.mu.Unlock()
	r.all.started = append(r.all.started, r)
	return r.all.refuse
}

func (r *served) Abort(cause error) { r.abort = cause }

// config returns a Config of a session whose requests are collected.
func (r *requests) config(cfg transport.Config) transport.Config {
	cfg.NewRequest = func() transport.Request { return &served{all: r} }
	cfg.OnStream = func(st *transport.Stream, _ []byte) *transport.ResetError {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.streams++
		st.OnAbort(func(error) { st.Close() })
		return nil
	}
	return cfg
}

func ask(id uint64) []byte { return append(open(id, "h"), dataEnd(id, "ask")...) }

func TestRequestsAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r requests
		s, p := connectSession(t, transport.Acceptor, r.config(transport.Config{}), generous)
		p.send(ask(1), ask(3), ping("between "), open(5, "stream"), ask(7))
		p.wants(`PONG "between "`)
		// The stream in between makes streams of those before it.
		if len(r.started) != 1 || r.streams != 3 {
			t.Fatalf("%d requests, %d streams", len(r.started), r.streams)
		}
		p.send(ask(9), ask(11), ask(13))
		synctest.Wait()
		if len(r.started) != 4 {
			t.Fatalf("%d requests", len(r.started))
		}
		for i, req := range r.started {
			if req.text != "h ask" || !req.memory.Respond([]byte("answer"), i%2 == 0, nil) {
				t.Errorf("%s is a stream", req.text)
			}
		}
		p.wants(`DATA 7 +end +mark "answer"`, `DATA 9 +end "answer"`, `DATA 11 +end +mark "answer"`, `DATA 13 +end "answer"`)
		for _, req := range r.started { // it is over
			if req.memory.Respond(nil, false, nil) {
				t.Error("it was answered twice")
			}
			if err := req.memory.Stream().Send(t.Context(), nil, transport.SendOptions{}); err == nil {
				t.Error("more was sent")
			}
			req.memory.Stream().Close()
		}
		p.wantsLife()
		if req := s.Stats().RemoteStreams; req != 3 {
			t.Errorf("%d streams are open", req)
		}
	})
}

// choppedLink gives its messages in pieces of a size.
type choppedLink struct {
	transport.Link

	size int
}

func (l *choppedLink) NextReader() (io.Reader, error) {
	r, err := l.Link.NextReader()
	return choppedReader{r, l.size}, err
}

type choppedReader struct {
	io.Reader

	size int
}

func (r choppedReader) Read(b []byte) (int, error) { return r.Reader.Read(b[:min(len(b), r.size)]) }

func TestRequestsAreWholeWhereverAReadEnds(t *testing.T) {
	for size := 1; size < 160; size++ {
		synctest.Test(t, func(t *testing.T) {
			var r requests
			own, other := pipe.New(pipe.Config{})
			p := &peer{t: t, link: other, side: transport.Acceptor}
			defer other.Close(transport.CloseNormal, "")
			s, err := transport.NewSession(&choppedLink{own, size}, transport.Acceptor, r.config(transport.Config{}))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close(transport.CloseNormal, "")
			go p.read()
			p.send(generous.Append(nil))
			long := append(open(61, strings.Repeat("h", 600)), dataEnd(61, "ask")...) // its OPEN is not put back
			var all [][]byte
			for id := uint64(1); id < 60; id += 2 {
				all = append(all, ask(id))
			}
			p.send(append(all, long, ask(63), open(65, "stream"))...)
			synctest.Wait()
			if n := len(r.started) + r.streams; n != 33 || r.streams > 2 || len(r.started) > 32 {
				t.Errorf("in pieces of %d bytes: %d requests and %d streams", size, len(r.started), r.streams)
			}
		})
	}
}

func TestAResponseAndItsTrailerAreSentTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r requests
		s, p := connectSession(t, transport.Acceptor, r.config(transport.Config{}), generous)
		p.send(ask(1))
		synctest.Wait()
		if !r.started[0].memory.Respond([]byte("answer"), true, []byte("tail")) {
			t.Error("it is a stream")
		}
		p.wants(`DATA 1 +mark "answer"`, `END 1 "tail"`)
		p.wantsMessages(2) // HELLO, and both frames
		wantNothingLeft(t, s)
	})
}

func TestAnythingButTheResponseMakesAStreamOfARequest(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for _, c := range []struct {
		name string
		act  func(t *testing.T, p *peer, req *served) error
		want []string
	}{
		{"a long response", func(t *testing.T, _ *peer, req *served) error {
			if req.memory.Respond([]byte(long), false, nil) {
				t.Error("it is no stream")
			}
			return req.memory.Stream().Send(t.Context(), []byte(long), transport.SendOptions{End: true})
		}, []string{"DATA 1 +end 5000 bytes"}},
		{"a long trailer", func(t *testing.T, _ *peer, req *served) error {
			if req.memory.Respond(nil, false, []byte(long)[:4000]) {
				t.Error("it is no stream")
			}
			return req.memory.Stream().CloseSend(t.Context(), []byte(long)[:4000])
		}, []string{"END 1 4000 bytes"}},
		{"a header", func(t *testing.T, _ *peer, req *served) error {
			if err := req.memory.Stream().SendHeader(t.Context(), []byte("head")); err != nil {
				return err
			}
			if req.memory.Respond(nil, false, nil) {
				t.Error("it is no stream")
			}
			return req.memory.Stream().Send(t.Context(), nil, transport.SendOptions{End: true})
		}, []string{`HEADER 1 "head"`, `DATA 1 +end ""`}},
		{"a trailer alone", func(t *testing.T, _ *peer, req *served) error {
			return req.memory.Stream().CloseSend(t.Context(), []byte("tail"))
		}, []string{`END 1 "tail"`}},
		{"a reset", func(t *testing.T, p *peer, req *served) error {
			p.send(reset(1, 1))
			synctest.Wait()
			if req.abort == nil || req.memory.Respond(nil, false, nil) {
				t.Errorf("aborted: %v", req.abort)
			}
			return nil
		}, nil},
		{"Close", func(_ *testing.T, _ *peer, req *served) error { return req.memory.Stream().Close() }, []string{"RESET 1 cancel"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var r requests
				s, p := connectSession(t, transport.Acceptor, r.config(transport.Config{}), generous)
				p.send(ask(1))
				synctest.Wait()
				if err := c.act(t, p, r.started[0]); err != nil {
					t.Error(err)
				}
				p.wants(c.want...)
				r.started[0].memory.Stream().Close()
				wantNothingLeft(t, s)
			})
		})
	}
}

func TestTheEndOfTheSessionAbortsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r requests
		s, p := connectSession(t, transport.Acceptor, r.config(transport.Config{}), generous)
		p.send(ask(1), ask(3))
		synctest.Wait()
		s.Close(transport.CloseNormal, "")
		for _, req := range r.started {
			if req.abort == nil || req.memory.Respond(nil, false, nil) {
				t.Errorf("aborted: %v", req.abort)
			}
			req.memory.Stream().Close()
		}
		wantNothingLeft(t, s)
	})
}

func TestRequestsThatAreResetAtOnceAreNotStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // S16
		var r requests
		s, p := connectSession(t, transport.Acceptor, r.config(smallest), frame.Hello{})
		for id := uint64(1); id < 1000; id += 2 {
			p.send(ask(id), reset(id, 1))
		}
		p.send(ask(1001))
		advance(slowReading)
		if n := len(r.started) + r.streams; n == 0 || n >= fewStillborn {
			t.Fatalf("%d requests, %d streams", len(r.started), r.streams)
		}
		for _, req := range r.started {
			if !req.memory.Respond(nil, false, nil) {
				req.memory.Stream().Close()
			}
		}
		p.wants(`DATA 1001 +end ""`)
		wantNothingLeft(t, s)
	})
}

func TestRequestsOverMaxStreamsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // S16
		var r requests
		_, p := connectSession(t, transport.Acceptor, r.config(smallest), frame.Hello{})
		var frames [][]byte
		for i := range uint64(40) {
			frames = append(frames, ask(2*i+1))
		}
		p.send(frames...)
		got := p.got()
		if len(r.started) != smallest.MaxStreams || len(got) != 40-smallest.MaxStreams || got[0] != fmt.Sprintf("RESET %d refused", 2*smallest.MaxStreams+1) {
			t.Errorf("%d requests, %q", len(r.started), got)
		}
	})
}

func TestPeerWhoseRequestsAreRefusedIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // S16
		r := requests{refuse: &transport.ResetError{Code: transport.ResetLimit, Reason: "too much"}}
		s, p := connectSession(t, transport.Acceptor, r.config(smallest), frame.Hello{})
		for id := uint64(1); s.Err() == nil && id < 100_000; id += 2 {
			_ = p.link.WriteMessage([][]byte{ask(id)})
			synctest.Wait()
		}
		wantCode(t, s.Err(), exhausted)
	})
}

func TestAResponseWithoutRoomWaitsOnAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r requests
		_, p := connectSessionOver(t, pipe.Config{Capacity: 64}, transport.Acceptor, r.config(transport.Config{Parameters: transport.Parameters{WriteQueue: 1}}), generous)
		var frames [][]byte
		for i := range uint64(60) {
			frames = append(frames, ask(2*i+1))
		}
		p.send(frames...)
		synctest.Wait()
		p.link.Stall()
		msg, waiting := make([]byte, 3000), 0
		var all sync.WaitGroup
		for _, req := range r.started {
			if req.memory.Respond(msg, false, nil) {
				continue
			}
			waiting++
			all.Go(func() {
				if err := req.memory.Stream().Send(t.Context(), msg, transport.SendOptions{End: true}); err != nil {
					t.Error(err)
				}
				req.memory.Stream().Close()
			})
		}
		synctest.Wait()
		p.link.Resume()
		all.Wait()
		if got := p.got(); len(got) != len(r.started) || waiting == 0 {
			t.Errorf("%d responses arrived, %d had to wait", len(got), waiting)
		}
	})
}
