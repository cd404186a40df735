package rpc_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
	"github.com/parley-rpc/parley/transport/ws"
)

func TestWebSocketMessageOverTheReadLimitClosesItsLinkAndNoOtherNotices(t *testing.T) {
	const limit = 131_088 // the least
	url, _ := serve(t, rpc.WithReadLimit(limit))
	other := dial(t, url)
	for size, code := range map[uint64]transport.CloseCode{
		limit:     transport.CloseProtocolError, // is read, and is malformed
		limit + 1: transport.CloseMessageTooBig, // by what is announced
	} {
		var socket net.Conn
		dialer := ws.Dialer{NetDial: func(ctx context.Context, network, addr string) (_ net.Conn, err error) {
			socket, err = new(net.Dialer).DialContext(ctx, network, addr)
			return socket, err
		}}
		link, err := dialer.Dial(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer link.Close(transport.CloseAbnormal, "")
		hello := new(frame.Hello).Append(nil)
		if err := link.WriteMessage([][]byte{hello}); err != nil {
			t.Fatal(err)
		}
		head := binary.BigEndian.AppendUint64([]byte{0x82, 0x80 | 127}, size)         // a binary message
		if _, err := socket.Write(append(head, make([]byte, 4+132)...)); err != nil { // a mask, and the first byte with the bytes that must follow
			t.Fatal(err)
		}
		var closed *transport.CloseError
		for err == nil {
			var r io.Reader
			if r, err = link.NextReader(); err == nil {
				_, err = io.Copy(io.Discard, r)
			}
		}
		if !errors.As(err, &closed) || !closed.Remote || closed.Code != code {
			t.Errorf("%d bytes: %v, want %d", size, err, code)
		}
		if _, err := other.Ping(t.Context()); err != nil {
			t.Errorf("the other connection: %v", err)
		}
	}
}

func TestSilentConnectionIsLostAndNoOtherNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		began := time.Now()
		var err error
		for err == nil {
			_, err = c.read() // PINGs are not answered
		}
		if took := time.Since(began); !errors.Is(err, pipe.ErrLost) || took != 25*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
		c.wantGoodConnection()
	})
}

// oneByOne is a listener of in-memory connections whose writes wait for a read.
type oneByOne struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *oneByOne) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *oneByOne) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *oneByOne) Addr() net.Addr { return new(net.TCPAddr) }

func TestClientThatDoesNotTakeTheAnswerInTimeIsCutAndMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer(rpc.WithHandshakeTimeout(4*time.Second), rpc.WithLimits(rpc.Limits{MaxConnections: 1}),
			rpc.WithLogger(slog.New(slog.DiscardHandler)))
		defer srv.Close()
		listener := &oneByOne{conns: make(chan net.Conn), done: make(chan struct{})}
		web := &http.Server{Handler: srv, ErrorLog: log.New(io.Discard, "", 0)}
		defer web.Close()
		go func() { _ = web.Serve(listener) }()

		client, server := net.Pipe()
		defer client.Close()
		listener.conns <- server
		began := time.Now()
		request := "GET / HTTP/1.1\r\nHost: parley.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: parley.v1\r\n\r\n"
		if _, err := io.WriteString(client, request); err != nil {
			t.Fatal(err)
		}
		<-time.After(4*time.Second - 1)
		synctest.Wait()
		if err := client.SetDeadline(time.Time{}); err != nil { // works on an open connection
			t.Errorf("cut after %v", time.Since(began))
		}
		<-time.After(1)
		synctest.Wait()
		if n, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("after its time there were %d bytes, %v", n, err)
		}

		dialer := ws.Dialer{NetDial: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			listener.conns <- server
			return client, nil
		}}
		link, err := dialer.Dial(t.Context(), "ws://parley.test")
		if err != nil {
			t.Fatalf("the only place is not free: %v", err)
		}
		_ = link.Close(transport.CloseAbnormal, "")
	})
}
