package rpc_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"runtime"
	"testing"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// beginLinkMessage makes a link whose client sends the start of a WebSocket
// message of 64 KiB. It returns when the server has read that.
func beginLinkMessage(t *testing.T, url string) {
	t.Helper()
	var wire net.Conn
	d := ws.Dialer{NetDial: func(ctx context.Context, network, addr string) (_ net.Conn, err error) {
		wire, err = new(net.Dialer).DialContext(ctx, network, addr)
		return wire, err
	}}
	link, err := d.Dial(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = link.Close(transport.CloseAbnormal, "") })
	if err := link.WriteMessage([][]byte{new(frame.Hello).Append(nil)}); err != nil {
		t.Fatal(err)
	}
	begun := []byte{0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0} // RFC 6455, section 5.2, masked with zeros
	begun = frame.Append(begun, frame.Header{Type: frame.TypePing}, make([]byte, 8))
	rest := frame.Append(nil, frame.Header{Type: frame.TypeData, Stream: 1}, make([]byte, 30<<10))
	begun = append(begun, rest[:1<<10]...) // enough for the PING to be acted on
	if _, err := wire.Write(begun); err != nil {
		t.Fatal(err)
	}
	for {
		r, err := link.NextReader()
		if err != nil {
			t.Fatal(err)
		}
		message, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(message, frame.Append(nil, frame.Header{Type: frame.TypePong}, make([]byte, 8))) {
			return
		}
	}
}

func heapInUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // the second collection frees what pools hold
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestLinkWithAnIncompleteMessageHoldsAtMost104KiB(t *testing.T) {
	const links = 64
	url, _ := serve(t)
	beginLinkMessage(t, url) // allocates what all connections share
	var each int64           // including the client's end
	for range 4 {            // what tests before this one have left may be freed in between
		before := heapInUse()
		for range links {
			beginLinkMessage(t, url)
		}
		if each = (heapInUse() - before) / links; each >= 64<<10 && each <= 104<<10 {
			return
		}
	}
	t.Errorf("%d bytes for each", each)
}
