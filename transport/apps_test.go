package transport_test

import (
	"context"
	"errors"
	"io"
	"strconv"
	"testing"

	"github.com/parley-rpc/parley/transport"
)

// Actions of an application, for tests that expect them to work.

func mustOpen(t *testing.T, s *transport.Session) *transport.Stream {
	t.Helper()
	st, err := s.Open(t.Context(), nil)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

func mustAccept(t *testing.T, s *transport.Session) *transport.Stream {
	t.Helper()
	st, err := s.Accept(t.Context())
	if err != nil {
		t.Fatalf("Accept: %v", err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

func mustSend(t *testing.T, st *transport.Stream, msg string) {
	t.Helper()
	if err := st.Send(t.Context(), []byte(msg), transport.SendOptions{}); err != nil {
		t.Fatalf("Send: %v", err)
	}
}

func mustCloseSend(t *testing.T, st *transport.Stream, trailer string) {
	t.Helper()
	if err := st.CloseSend(t.Context(), []byte(trailer)); err != nil {
		t.Fatalf("CloseSend: %v", err)
	}
}

func mustRecv(t *testing.T, st *transport.Stream) string {
	t.Helper()
	m, err := st.Recv(t.Context(), nil)
	if err != nil {
		t.Fatalf("Recv: %v", err)
	}
	return string(m.Bytes)
}

// wantEnd checks that the peer has ended its direction.
func wantEnd(t *testing.T, st *transport.Stream) {
	t.Helper()
	if m, err := st.Recv(t.Context(), nil); !errors.Is(err, io.EOF) {
		t.Fatalf("Recv: %q, %v; want io.EOF", m.Bytes, err)
	}
}

// recvErr returns the error of a Recv that does not wait long.
func recvErr(t *testing.T, st *transport.Stream) error {
	t.Helper()
	m, err := st.Recv(t.Context(), nil)
	if err == nil {
		t.Fatalf("Recv returned %d bytes, want an error", len(m.Bytes))
	}
	return err
}

// wantReset checks that err is a reset with code, by the peer or not.
func wantReset(t *testing.T, err error, want transport.ResetError) {
	t.Helper()
	var got *transport.ResetError
	if !errors.As(err, &got) || got.Code != want.Code || got.Remote != want.Remote {
		t.Errorf("got %v, want reset %v, remote %v", err, want.Code, want.Remote)
	}
}

// wantCode checks that err is a close of the link with code.
func wantCode(t *testing.T, err error, code transport.CloseCode) {
	t.Helper()
	var got *transport.CloseError
	if !errors.As(err, &got) || got.Code != code {
		t.Errorf("got %v, want close code %d", err, code)
	}
}

// ended returns a context that has ended.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func unquote(t *testing.T, s string) string {
	t.Helper()
	u, err := strconv.Unquote(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
