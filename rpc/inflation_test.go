package rpc_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// slowCodec decodes nothing before goOn. Its messages are bytes.
type slowCodec struct {
	decoding atomic.Int32
	goOn     chan struct{}
}

func newSlowCodec() *slowCodec { return &slowCodec{goOn: make(chan struct{})} }

func (*slowCodec) Name() string { return "slow" }

func (*slowCodec) MarshalAppend(dst []byte, _ any) ([]byte, error) { return dst, nil }

func (c *slowCodec) Unmarshal([]byte, any) error {
	c.decoding.Add(1)
	<-c.goOn
	return nil
}

// bomb is a message of 4 KiB, or of 8 with the compressor of Go 1.27, that inflates to
// 4 MiB, the limit.
func bomb(t *testing.T) []byte {
	t.Helper()
	packed := gzipped(t, make([]byte, transport.DefaultMaxMessage))
	if len(packed) > 9<<10 {
		t.Fatalf("the bomb has %d bytes", len(packed))
	}
	return packed
}

// grown returns by how many bytes the heap has grown since before.
func grown(before *runtime.MemStats) int64 {
	var now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&now)
	return int64(now.HeapAlloc) - int64(before.HeapAlloc)
}

func heapNow() *runtime.MemStats {
	m := new(runtime.MemStats)
	runtime.GC()
	runtime.GC() // frees what pools have kept
	runtime.ReadMemStats(m)
	return m
}

// settle waits until inflating has ended. Inflating pauses now and then.
func settle() {
	<-time.After(200 * time.Millisecond)
	synctest.Wait()
}

// slack is the memory of everything else, in bytes.
const slack = 16 << 20

// TestMessagesThatInflateHoldTheShareOfTheirConnection has a peer that sends
// 160 messages of 4 KiB, which inflate to 4 MiB each. None is decoded, so all
// are in memory at once.
func TestMessagesThatInflateHoldTheShareOfTheirConnection(t *testing.T) {
	const calls, kept, share = 160, 12, 32 << 20
	check := func(t *testing.T, codec *slowCodec, before *runtime.MemStats) {
		settle()
		n, more := codec.decoding.Load(), grown(before)
		if n != share/transport.DefaultMaxMessage || more > share+slack {
			close(codec.goOn)
			t.Fatalf("%d messages are inflated, want %d; the heap has grown by %d MiB", n, share/transport.DefaultMaxMessage, more>>20)
		}
	}
	t.Run("at a server", func(t *testing.T) {
		packed := bomb(t)
		synctest.Test(t, func(t *testing.T) {
			codec := newSlowCodec()
			srv := rpc.NewServer(rpc.WithCodec(codec))
			register(srv, upload, func(_ context.Context, s rpc.Stream) error {
				if err := s.Recv(text("")); err != nil {
					return err
				}
				return rpc.CodeAborted
			})
			p := serveRaw(t, srv)
			before := heapNow()
			open := append(methodField(upload), append(bytesField(3, "slow"), bytesField(5, "gzip")...)...)
			for i := range uint64(calls) {
				p.write(openFrame(2*i+1, open), dataFrame(2*i+1, frame.FlagMark|frame.FlagEnd, packed))
			}
			check(t, codec, before)
			for i := uint64(kept); i < calls; i++ {
				p.write(resetFrame(2*i+1, transport.ResetCancel, ""))
			}
			close(codec.goOn)
			for ended := 0; ended < kept; {
				f := p.next()
				if f.Type != frame.TypeEnd {
					continue
				}
				if end, err := rpc.ParseEnd(f.payload); err != nil || end.Code != rpc.CodeAborted {
					t.Fatalf("got %v, %v", end.Status, err)
				}
				ended++
			}
			settle() // messages of reset streams may still be inflated
		})
	})
	t.Run("at a client", func(t *testing.T) {
		packed := bomb(t)
		synctest.Test(t, func(t *testing.T) {
			codec := newSlowCodec()
			client := rpc.NewClient("ws://in.memory", rpc.WithCodec(codec))
			p := callRaw(t, client)
			results := make(chan error, calls)
			ctx, cancel := context.WithCancel(t.Context())
			for range calls {
				go func() {
					s, err := client.Open(ctx, upload, rpc.WithCodecName("slow"), rpc.WithCompression("gzip"))
					if err == nil {
						err = s.Recv(text(""))
					}
					results <- err
				}()
			}
			before := heapNow()
			for range calls {
				id, _ := p.wantOpen()
				p.write(frame.Append(nil, frame.Header{Type: frame.TypeHeader, Stream: id}, bytesField(5, "gzip")),
					dataFrame(id, frame.FlagMark|frame.FlagEnd, packed))
			}
			check(t, codec, before)
			cancel()
			for range calls - share/transport.DefaultMaxMessage { // the waiting ones
				wantError(t, <-results, rpc.CodeCanceled)
			}
			close(codec.goOn)
		})
	})
}

// TestMessagesThatInflateOnAllConnectionsHoldTheirBound: and a late connection
// gets its turn before those with many messages.
func TestMessagesThatInflateOnAllConnectionsHoldTheirBound(t *testing.T) {
	packed := bomb(t)
	synctest.Test(t, func(t *testing.T) {
		const inMemory = 4
		codec := newSlowCodec()
		srv := rpc.NewServer(rpc.WithCodec(codec), rpc.WithLimits(rpc.Limits{MaxMessageMemory: 2 * inMemory * transport.DefaultMaxMessage}))
		served := make(chan *rpc.Conn, 100)
		register(srv, upload, func(ctx context.Context, s rpc.Stream) error {
			err := s.Recv(text(""))
			served <- s.Call().Conn
			return err
		})
		open := append(methodField(upload), append(bytesField(3, "slow"), bytesField(5, "gzip")...)...)
		before := heapNow()
		var peers []*raw
		for _, calls := range []uint64{8, 8, 8, 1} {
			p := serveRaw(t, srv)
			peers = append(peers, p)
			for i := range calls {
				p.write(openFrame(2*i+1, open), dataFrame(2*i+1, frame.FlagMark|frame.FlagEnd, packed))
				settle()
			}
		}
		if n := codec.decoding.Load(); n != inMemory {
			t.Errorf("%d messages are inflated, want %d", n, inMemory)
		}
		if more := grown(before); more > inMemory*transport.DefaultMaxMessage+slack {
			t.Errorf("the heap has grown by %d MiB", more>>20)
		}
		for range inMemory { // those of the first connection
			codec.goOn <- struct{}{}
			settle()
		}
		for range 4 { // one of each
			codec.goOn <- struct{}{}
			settle()
		}
		peers[3].skipTo(frame.TypeEnd, 1)
		if n := len(served); n != 2*inMemory {
			t.Errorf("%d calls have ended, want %d", n, 2*inMemory)
		}
		close(codec.goOn)
		<-time.After(5 * time.Second)
	})
}

func TestWaitingToInflateEndsWithTheCall(t *testing.T) {
	packed := bomb(t)
	synctest.Test(t, func(t *testing.T) {
		codec := newSlowCodec()
		srv := rpc.NewServer(rpc.WithCodec(codec), rpc.WithLimits(rpc.Limits{MaxMessageMemory: 1}))
		got := make(chan error, 3)
		register(srv, upload, func(_ context.Context, s rpc.Stream) error {
			err := s.Recv(text(""))
			got <- err
			return err
		})
		p := serveRaw(t, srv)
		open := append(methodField(upload), append(bytesField(3, "slow"), bytesField(5, "gzip")...)...)
		data := func(id uint64) []byte { return dataFrame(id, frame.FlagMark, packed) }
		p.write(openFrame(1, open), data(1))
		settle()
		p.write(openFrame(3, append(open, uintField(4, 2_000_000)...)), data(3))
		p.write(openFrame(5, open), data(5))
		<-time.After(1990 * time.Millisecond)
		if len(got) > 0 {
			t.Fatalf("did not wait, but ended with %v", <-got)
		}
		<-time.After(10 * time.Millisecond)
		wantError(t, <-got, rpc.CodeDeadlineExceeded)
		p.write(resetFrame(5, transport.ResetCancel, ""))
		wantError(t, <-got, rpc.CodeCanceled)
		p.write(openFrame(7, open), data(7))
		codec.goOn <- struct{}{} // the first one; the last one gets the memory that the others waited for
		if err := <-got; err != nil {
			t.Fatal(err)
		}
		settle()
		if n := codec.decoding.Load(); n != 2 {
			t.Errorf("%d messages were inflated", n)
		}
		close(codec.goOn)
	})
}

// TestMessageMayHaveAnySizeHoweverItIsPacked tests the guess of the inflated
// size.
func TestMessageMayHaveAnySizeHoweverItIsPacked(t *testing.T) {
	const limit = 1 << 20
	srv := rpc.NewServer(rpc.WithTransport(transport.Parameters{MaxMessage: limit}))
	register(srv, bidi, echo)
	p := serveRaw(t, srv)
	id := uint64(1)
	for _, size := range []int{0, 1, 511, 32<<10 - 1, 32 << 10, 32<<10 + 1, 64 << 10, 65 << 10, 128 << 10, 300_000, limit, limit + 1} {
		plain := encoded(t, strings.Repeat("x", max(size-5, 0)))
		for how, parts := range map[string][]int{"one member": {size}, "a small one at the end": {size - 1, 1}, "a large one at the end": {1, size - 1}} {
			var packed bytes.Buffer
			rest := plain
			for _, n := range parts {
				n = max(0, min(n, len(rest)))
				packed.Write(gzipped(t, rest[:n]))
				rest = rest[n:]
			}
			packed.Write(gzipped(t, rest))
			p.write(openFrame(id, append(methodField(bidi), bytesField(5, "gzip")...)), dataFrame(id, frame.FlagMark, packed.Bytes()), endFrame(id, nil))
			end, err := rpc.ParseEnd(p.skipTo(frame.TypeEnd, id).payload)
			want := rpc.CodeOK
			if len(plain) > limit {
				want = rpc.CodeResourceExhausted
			}
			if err != nil || end.Code != want {
				t.Errorf("%d bytes, %s: %v, %v; want %v", len(plain), how, end.Status, err, want)
			}
			id += 2
		}
	}
}

// TestDecompressReturnsWhatWasPackedWithinTheLimit tests the memory that it
// gets.
func TestDecompressReturnsWhatWasPackedWithinTheLimit(t *testing.T) {
	gz := rpc.NewGzip()
	for _, size := range []int{0, 1, 1000, 100_000} {
		plain := noise(size)
		packed := gzipped(t, plain)
		for _, room := range []int{0, size / 2, size, size + 1} {
			for limit := size - 1; limit <= size+1; limit++ {
				if limit < 0 {
					continue
				}
				got, err := gz.Decompress(append(make([]byte, 0, 3+room), "abc"...), packed, limit)
				if limit < size && !errors.Is(err, rpc.ErrInflatedTooLarge) || limit >= size && err != nil {
					t.Errorf("%d bytes, limit %d: %v", size, limit, err)
				} else if err == nil && string(got) != "abc"+string(plain) {
					t.Errorf("%d bytes, limit %d, room %d: got %d", size, limit, room, len(got))
				}
			}
		}
	}
	var cut bytes.Buffer
	w := gzip.NewWriter(&cut)
	_, _ = w.Write(noise(1000))
	_ = w.Flush()
	if _, err := gz.Decompress(nil, cut.Bytes(), 2000); err == nil {
		t.Error("what is cut was inflated")
	}
}
