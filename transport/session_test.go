package transport_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// pair returns two sessions on the two ends of an in-memory link. Both are
// closed when the test ends.
func pair(t *testing.T, dialer, acceptor transport.Config) (d, a *transport.Session) {
	t.Helper()
	dl, al := pipe.New(pipe.Config{})
	d, err := transport.NewSession(dl, transport.Dialer, dialer)
	if err != nil {
		t.Fatal(err)
	}
	a, err = transport.NewSession(al, transport.Acceptor, acceptor)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.Close(transport.CloseNormal, "")
		_ = a.Close(transport.CloseNormal, "")
	})
	return d, a
}

func TestMessagesKeepTheirBoundariesAndEndInBothDirections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pair(t, transport.Config{}, transport.Config{})
		ctx := context.Background()
		out, err := d.Open(ctx, []byte("header"))
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		big := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
		go func() {
			for _, m := range [][]byte{[]byte("a"), {}, big} {
				if err := out.Send(ctx, m, transport.SendOptions{}); err != nil {
					t.Error(err)
				}
			}
			if err := out.CloseSend(ctx, nil); err != nil {
				t.Error(err)
			}
		}()
		in, err := a.Accept(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		if string(in.OpenHeader()) != "header" {
			t.Errorf("header %q", in.OpenHeader())
		}
		for _, want := range [][]byte{[]byte("a"), {}, big} {
			m, err := in.Recv(ctx, nil)
			if err != nil || !bytes.Equal(m.Bytes, want) {
				t.Fatalf("got %d bytes, %v; want %d", len(m.Bytes), err, len(want))
			}
		}
		if _, err := in.Recv(ctx, nil); !errors.Is(err, io.EOF) {
			t.Fatalf("after the end: %v", err)
		}
		if err := in.CloseSend(ctx, []byte("trailer")); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Recv(ctx, nil); !errors.Is(err, io.EOF) {
			t.Fatalf("after the end: %v", err)
		}
		if trailer, ended := out.Trailer(); string(trailer) != "trailer" || !ended {
			t.Errorf("trailer %q, ended %v", trailer, ended)
		}
	})
}
