package ws_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/parley-rpc/parley/transport/ws"
)

// BenchmarkIdleConnection reports the memory of an idle connection at a server
// that waits for its next message, in KiB: resident memory, and its part that
// is heap and stack. The clients are bare sockets without memory of their own.
func BenchmarkIdleConnection(b *testing.B) {
	const conns = 4000
	for range b.N {
		b.StopTimer()
		url, accepted := serve(b, &ws.Upgrader{})
		handshake := []byte("GET / HTTP/1.1\r\nHost: parley\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
			"Sec-WebSocket-Protocol: " + ws.Subprotocol + "\r\n\r\n")
		addr, err := net.ResolveTCPAddr("tcp4", strings.TrimPrefix(url, "ws://"))
		if err != nil {
			b.Fatal(err)
		}
		sockets := make([]int, 0, conns)
		servers := make([]*ws.Conn, 0, conns)
		var readers sync.WaitGroup
		connect := func(n int) {
			for range n {
				sockets = append(sockets, rawHandshake(b, addr, handshake))
				c := <-accepted
				servers = append(servers, c)
				readers.Go(func() { _, _ = c.NextReader() })
			}
		}
		connect(100) // allocates what is allocated once
		before := memory(b)
		b.StartTimer()
		connect(conns - 100)
		b.StopTimer()
		after := memory(b)
		b.ReportMetric(float64(after.resident-before.resident)/(conns-100)/1024, "RSS-KiB/conn")
		b.ReportMetric(float64(after.inUse-before.inUse)/(conns-100)/1024, "heap+stack-KiB/conn")
		for _, fd := range sockets {
			_ = syscall.Close(fd)
		}
		readers.Wait()
		for _, c := range servers {
			_ = c.Close(1006, "")
		}
	}
}

// rawHandshake opens a socket, upgrades it and returns it without a net.Conn.
func rawHandshake(b *testing.B, addr *net.TCPAddr, handshake []byte) int {
	b.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		b.Fatal(err)
	}
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: addr.Port, Addr: [4]byte(addr.IP.To4())}); err != nil {
		b.Fatal(err)
	}
	if _, err := syscall.Write(fd, handshake); err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 512)
	n, err := syscall.Read(fd, buf)
	if err != nil || !bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")) {
		b.Fatalf("answer %q, %v", buf[:max(n, 0)], err)
	}
	return fd
}

type usage struct{ resident, inUse int64 }

func memory(b *testing.B) usage {
	b.Helper()
	for range 3 {
		runtime.GC()
	}
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal(err)
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(statm), &size, &resident); err != nil {
		b.Fatal(err)
	}
	return usage{resident * int64(os.Getpagesize()), int64(m.HeapInuse + m.StackInuse)}
}
