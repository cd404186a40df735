package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/internal/rig"
	"github.com/parley-rpc/parley/transport/frame"
)

// control is no attack: the attackers compute, and leave the server alone.
const control = "control"

// attacks are made in this order.
var attacks = []attack{
	{control, 4, compute, "sums"},
	{"rapid-reset", 4, rapidReset, "streams opened and reset"},
	{"ping-flood", 4, pingFlood, "PINGs"},
	{"slow-reader", 20, slowReader, "streams that are not read"},
	{"slow-handshake", 1000, slowHandshake, "bytes of handshakes"},
	{"idle-streams", 8, idleStreams, "streams held open"},
	{"header-bomb", 4, headerBomb, "headers of 16 KiB"},
	{"large-header", 4, largeHeader, "headers over the limit"},
	{"gzip-bomb", 4, gzipBomb, "messages that inflate to 256 MiB"},
}

func compute(ctx context.Context, _ string, n *tally) error {
	buf := make([]byte, 1<<20)
	for ctx.Err() == nil {
		crc32.ChecksumIEEE(buf)
		n.units.Add(1)
	}
	return nil
}

// generous lets the server send as much as it likes.
var generous = frame.Hello{MaxStreams: 1 << 20, InitialWindow: 1 << 40, MaxMessage: 1 << 30}

// batch is how many frames an attacker puts into a message.
const batch = 64

// open appends an OPEN frame for a method, with more fields of its header.
func open(dst []byte, stream uint64, m *rpc.Method, more []byte) []byte {
	payload := append(frame.AppendBytesField(nil, 1, m.Path()), more...)
	return frame.Append(dst, frame.Header{Type: frame.TypeOpen, Stream: stream}, payload)
}

func rapidReset(ctx context.Context, addr string, n *tally) error {
	f, err := meet(ctx, addr, generous, hears)
	if err != nil {
		return err
	}
	id, buf := uint64(1), []byte(nil)
	return f.write(func() []byte {
		buf = buf[:0]
		for range batch {
			buf = open(buf, id, echo, nil)
			buf = frame.AppendReset(buf, id, 1, "")
			id += 2
		}
		return buf
	}, func() { n.units.Add(batch) })
}

func pingFlood(ctx context.Context, addr string, n *tally) error {
	f, err := meet(ctx, addr, generous, hears)
	if err != nil {
		return err
	}
	var buf []byte
	for range batch {
		buf = frame.Append(buf, frame.Header{Type: frame.TypePing}, make([]byte, frame.PingLen))
	}
	return f.write(func() []byte { return buf }, func() { n.units.Add(batch) })
}

// slowReader asks for more than it reads: nothing.
func slowReader(ctx context.Context, addr string, n *tally) error {
	f, err := meet(ctx, addr, generous, isDeaf)
	if err != nil {
		return err
	}
	var buf []byte
	for id := uint64(1); id < 2*batch; id += 2 {
		buf = open(buf, id, pour, nil)
		buf = frame.Append(buf, frame.Header{Type: frame.TypeData, Flags: frame.FlagEnd, Stream: id}, nil)
	}
	defer f.link.Close(1006, "") //nolint:errcheck // nothing to lose
	if err := f.link.WriteMessage([][]byte{buf}); err != nil {
		return err
	}
	n.units.Add(batch)
	<-ctx.Done()
	return nil
}

// slowHandshake sends a byte of a request now and then.
func slowHandshake(ctx context.Context, addr string, n *tally) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing to lose
	for _, b := range []byte("GET " + rig.Path + " HTTP/1.1\r\nHost: slow\r\nCookie: an endless one") {
		if _, err := conn.Write([]byte{b}); err != nil {
			return err
		}
		n.units.Add(1)
		pause(ctx, 200*time.Millisecond)
	}
	return nil
}

// idleStreams opens as many streams as it may and leaves them.
func idleStreams(ctx context.Context, addr string, n *tally) error {
	f, err := meet(ctx, addr, generous, hears)
	if err != nil {
		return err
	}
	defer f.link.Close(1006, "") //nolint:errcheck // nothing to lose
	const most = 1024
	var buf []byte
	for id := uint64(1); id < 2*most; id += 2 {
		buf = open(buf, id, take, nil)
	}
	select { // as many only once the server has said that it takes them
	case <-time.After(100 * time.Millisecond):
	case <-ctx.Done():
	}
	if err := f.link.WriteMessage([][]byte{buf}); err != nil {
		return err
	}
	n.units.Add(most)
	<-ctx.Done()
	return nil
}

// headerBomb opens calls whose headers are within the limit and full of the smallest
// metadata.
func headerBomb(ctx context.Context, addr string, n *tally) error {
	return headers(ctx, addr, n, 16<<10)
}

// largeHeader opens calls whose headers are over the limit.
func largeHeader(ctx context.Context, addr string, n *tally) error {
	return headers(ctx, addr, n, 32<<10)
}

func headers(ctx context.Context, addr string, n *tally, size int) error {
	f, err := meet(ctx, addr, generous, hears)
	if err != nil {
		return err
	}
	var metadata []byte
	for i := 0; len(metadata) < size-200; i++ {
		key := fmt.Sprintf("%c%c", 'a'+i%26, 'a'+i/26%26)
		metadata = frame.AppendBytesField(metadata, 9, "\x02"+key)
	}
	pause(ctx, 100*time.Millisecond) // the server has to say that it takes such headers
	id, buf := uint64(1), []byte(nil)
	return f.write(func() []byte {
		buf = open(buf[:0], id, echo, metadata)
		buf = frame.Append(buf, frame.Header{Type: frame.TypeData, Flags: frame.FlagEnd, Stream: id}, nil)
		id += 2
		return buf
	}, func() { n.units.Add(1) })
}

// bomb is a compression that sends the same small thing whatever it is given.
type bomb struct{ rpc.Compressor }

func (bomb) Name() string { return rpc.CompressionGzip }

func (bomb) Compress(dst, _ []byte) ([]byte, error) { return append(dst, explosive()...), nil }

// explosive is 256 MiB of zeros, in 256 KiB.
var explosive = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.CopyN(w, zeros{}, 256<<20) // neither end fails
	_ = w.Close()                        // as before
	return b.Bytes()
})

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func gzipBomb(ctx context.Context, addr string, n *tally) error {
	c := rpc.NewClient("ws://"+addr+rig.Path, rpc.WithCompressor(bomb{}))
	defer c.Close() //nolint:errcheck // nothing to lose
	for ctx.Err() == nil {
		n.units.Add(1)
		_, err := rpc.CallUnary[wrapperspb.BytesValue, wrapperspb.BytesValue](ctx, c, echo,
			wrapperspb.Bytes(make([]byte, 1<<20)), rpc.WithCompression(rpc.CompressionGzip))
		if rpc.CodeOf(err) != rpc.CodeResourceExhausted && ctx.Err() == nil {
			return fmt.Errorf("a bomb ended with: %w", err)
		}
	}
	return nil
}
