//go:build unix

package main

import (
	"bufio"
	"net"
	"testing"
)

// The table's column about the ends of links is right only if a witness tells
// them apart.
func TestAWitnessTellsEndsApart(t *testing.T) {
	const (
		open     = "\x82\x7e\x01\x00" + "\x00\x00\x00" // 256 bytes, of which three are sent
		openMask = "\x82\xfe\x01\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00"
		close1   = "\x88\x02\x03\xe9"
		closeKey = "\x88\x82\x01\x01\x01\x01\x02\xe8"
	)
	for _, c := range []struct {
		name     string
		sent     string
		atClient bool
		reset    bool
		want     string
	}{
		{"FIN between frames", "\x82\x03abc", true, false, "FIN"},
		{"FIN at the start", "", false, false, "FIN"},
		{"FIN inside a frame", open, true, false, "FIN"},
		{"RST", "\x82\x03abc", true, true, "RST"},
		{"a close frame", "\x82\x03abc" + close1, true, false, "close 1001"},
		{"a close frame without a code", "\x88\x00", true, false, "close without a code"},
		{"a close frame of a client", closeKey, false, false, "close 1001"},
		{"an unmasked close frame at a server", "\x82\x83abcdabc" + close1, false, false, "close 1001 unmasked"},
		{"a close frame inside a frame", open + close1, true, false, "close 1001 inside a frame, FIN"},
		{"one with a mask", openMask + closeKey, false, false, "close 1001 inside a frame, FIN"},
		{"one without, at a server", openMask + close1, false, false, "close 1001 unmasked inside a frame, FIN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, peer := connected(t)
			if _, err := peer.Write([]byte(c.sent)); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(conn)
			if c.reset {
				if _, err := in.Peek(len(c.sent)); err != nil { // a reset may destroy what has not been read
					t.Fatal(err)
				}
				if err := peer.(*net.TCPConn).SetLinger(0); err != nil {
					t.Fatal(err)
				}
			}
			peer.Close()
			var seen sights
			(&witness{conn: conn, in: in, masks: c.atClient}).run(&seen, quiet)
			if got := seen.String(); got != c.want {
				t.Errorf("saw %q, want %q", got, c.want)
			}
		})
	}
}

func TestAWitnessThatIsStoppedSawNothing(t *testing.T) {
	conn, peer := connected(t)
	defer peer.Close()
	conn.Close()
	var seen sights
	(&witness{conn: conn, in: bufio.NewReader(conn), masks: true}).run(&seen, quiet)
	if seen.String() != "nothing" {
		t.Errorf("saw %s", &seen)
	}
}

// connected returns the two ends of a TCP connection.
func connected(t *testing.T) (conn, peer net.Conn) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if peer, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if conn, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	return conn, peer
}
