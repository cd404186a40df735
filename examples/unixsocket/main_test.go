package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/examples/pinger"
	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestClientCallsTheServerOverAUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ping.sock")
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"server", "-socket", path}, in) }()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "listening on "+path+"\n" {
		t.Fatal(line, err)
	}
	var said strings.Builder
	if err := run(t.Context(), []string{"client", "-socket", path}, &said); err != nil || said.String() != "hello\n" {
		t.Errorf("the client printed %q, %v", said.String(), err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestWithoutAServerTheCallIsUnavailable(t *testing.T) {
	err := run(t.Context(), []string{"client", "-socket", filepath.Join(t.TempDir(), "none")}, io.Discard)
	if !errors.Is(err, rpc.CodeUnavailable) {
		t.Error(err)
	}
}

func TestConnectionContinuesOnTheNextSocket(t *testing.T) {
	resumed := make(chan struct{}, 1)
	srv := rpc.NewServer(rpc.OnResumed(func(*rpc.Conn) { resumed <- struct{}{} }))
	defer srv.Close()
	pingv1parley.RegisterPingServiceServer(srv, pinger.Service{})
	sockets := make(chan net.Conn, 10)
	client := rpc.NewClient("", rpc.WithLinks(func(context.Context, string) (transport.Link, rpc.Peer, error) {
		near, far := net.Pipe()
		sockets <- near
		return newLink(near), rpc.Peer{}, srv.ServeLink(t.Context(), newLink(far), rpc.Peer{})
	}))
	defer client.Close()
	sum, err := pingv1parley.NewPingServiceClient(client).CumSum(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for n := range int64(3) {
		if err := sum.Send(&pingv1.CumSumRequest{Number: 1}); err != nil {
			t.Fatal(err)
		}
		if res, err := sum.Recv(); err != nil || res.Sum != n+1 {
			t.Fatal(res, err)
		}
		if n < 2 {
			_ = (<-sockets).Close()
			<-resumed
		}
	}
}

func TestLinkKeepsMessagesApartAndTellsWhyItWasClosed(t *testing.T) {
	near, far := net.Pipe()
	a, b := newLink(near), newLink(far)
	go func() {
		_ = a.WriteMessage([][]byte{[]byte("he"), []byte("llo")})
		_ = a.WriteMessage([][]byte{[]byte("you")})
		_ = a.Close(transport.CloseGoingAway, "bye")
	}()
	for _, want := range []string{"hello", "you"} {
		r, err := b.NextReader()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); string(got) != want || err != nil {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	var closed *transport.CloseError
	if _, err := b.NextReader(); !errors.As(err, &closed) || closed.Code != transport.CloseGoingAway || closed.Reason != "bye" || !closed.Remote {
		t.Errorf("closed with %v", closed)
	}
	_ = b.Close(transport.CloseNormal, "")
}

func TestLinkRefusesAMessageThatIsTooLong(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	l := newLink(far)
	defer far.Close()
	go func() { _, _ = near.Write(binary.BigEndian.AppendUint32(nil, 1<<31)) }()
	if _, err := l.NextReader(); err == nil || !strings.Contains(err.Error(), "2147483648 bytes") {
		t.Error(err)
	}
}
