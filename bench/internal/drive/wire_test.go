package drive_test

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
	"github.com/parley-rpc/parley/bench/internal/drive"
)

// fixed is a framework whose calls have a known number of bytes each way.
type fixed struct{ fake }

const request, response = 130, 120

func (fixed) Serve(ln net.Listener, _ drive.Setup) (stop func(), err error) {
	var serving sync.WaitGroup
	serving.Go(func() {
		conn, err := ln.Accept()
		for buf := make([]byte, request); err == nil; {
			if _, err = io.ReadFull(conn, buf); err == nil {
				_, err = conn.Write(buf[:response])
			}
		}
	})
	return func() { _ = ln.Close(); serving.Wait() }, nil
}

func (fixed) Dial(_ context.Context, addr string, _ drive.Setup) (drive.Client, error) {
	conn, err := net.Dial("tcp", addr)
	return fixedClient{conn: conn}, err
}

type fixedClient struct {
	fakeClient
	conn net.Conn
}

func (c fixedClient) Echo(_ context.Context, req *benchv1.EchoRequest) (*benchv1.EchoResponse, error) {
	buf := make([]byte, request)
	if _, err := c.conn.Write(buf); err != nil {
		return nil, err
	}
	_, err := io.ReadFull(c.conn, buf[:response])
	return &benchv1.EchoResponse{Payload: req.GetPayload()}, err
}

func (c fixedClient) Close() error { return c.conn.Close() }

func TestWireIsWhatBothDirectionsCarryBeyondTheMessages(t *testing.T) {
	f, err := drive.RunHere(t.Context(), drive.Job{Workload: "wire", Measure: 50 * time.Millisecond, Scale: 1}, fixed{})
	if err != nil {
		t.Fatal(err)
	}
	const encoded = 100 + 2 // bytes of a message: a tag and a length before the payload
	want := float64(request + response - 2*encoded)
	// A call in flight at the beginning or the end of the interval counts in
	// part.
	if got := f[drive.Overhead.Name]; got < want-10 || got > want+10 {
		t.Errorf("%v bytes, want %v", got, want)
	}
}
