package faulty

import (
	"io"
	"net"
	"testing"
	"time"
)

// echo returns the address of a server that sends back what it gets.
func echo(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	return ln.Addr().String()
}

// ask sends a byte, and returns what comes of it within a while.
func ask(t *testing.T, conn net.Conn) (int, error) {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("x")); err != nil {
		return 0, err
	}
	return conn.Read(make([]byte, 1))
}

func TestABlockedProxyDropsEverythingUntilUnblock(t *testing.T) {
	p, err := Listen(echo(t), 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", p.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	isTimeout := func(err error) bool {
		ne, ok := err.(net.Error) //nolint:errorlint // net returns it bare
		return ok && ne.Timeout()
	}
	before := dial()
	if n, err := ask(t, before); n != 1 {
		t.Fatalf("before Block: %v", err)
	}
	p.Block()
	during := dial()
	for name, conn := range map[string]net.Conn{"old": before, "new": during} {
		if n, err := ask(t, conn); n != 0 || !isTimeout(err) {
			t.Errorf("the %s connection, blocked: %d bytes, %v", name, n, err)
		}
	}
	p.Unblock()
	for name, conn := range map[string]net.Conn{"old": before, "new": during} {
		if n, err := ask(t, conn); n != 0 || err == nil || isTimeout(err) {
			t.Errorf("the %s connection, after Unblock: %d bytes, %v", name, n, err)
		}
	}
	if n, err := ask(t, dial()); n != 1 {
		t.Errorf("a connection after Unblock: %v", err)
	}
}
