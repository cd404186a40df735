package ws_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/parley-rpc/parley/transport/ws"
)

var benchSizes = []int{100, 16 << 10, 64 << 10, 1 << 20}

// consume reads n messages into buf.
func consume(c *ws.Conn, n int, buf []byte) error {
	for range n {
		r, err := c.NextReader()
		if err != nil {
			return err
		}
		if _, err := io.ReadFull(r, buf); err != nil {
			return err
		}
	}
	return nil
}

func split(msg []byte, parts int) [][]byte {
	var out [][]byte
	for i := range parts {
		out = append(out, msg[len(msg)*i/parts:len(msg)*(i+1)/parts])
	}
	return out
}

// BenchmarkWriteMessage sends messages one way, as fast as the peer reads them.
func BenchmarkWriteMessage(b *testing.B) {
	for _, from := range []string{"client", "server"} {
		for _, parts := range []int{1, 3, 32} {
			for _, size := range benchSizes {
				b.Run(fmt.Sprintf("%s/parts=%d/size=%d", from, parts, size), func(b *testing.B) {
					writer, reader := connect(b)
					if from == "server" {
						writer, reader = reader, writer
					}
					done := make(chan error, 1)
					go func() { done <- consume(reader, b.N, make([]byte, size)) }()
					msg := split(make([]byte, size), parts)
					b.SetBytes(int64(size))
					b.ReportAllocs()
					b.ResetTimer()
					for range b.N {
						if err := writer.WriteMessage(msg); err != nil {
							b.Fatal(err)
						}
					}
					if err := <-done; err != nil {
						b.Fatal(err)
					}
				})
			}
		}
	}
}

// BenchmarkEcho sends one message at a time, there and back.
func BenchmarkEcho(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			client, server := connect(b)
			done := make(chan error, 1)
			go func() { done <- echo(server, b.N, size) }()
			msg, buf := [][]byte{make([]byte, size)}, make([]byte, size)
			b.SetBytes(2 * int64(size))
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if err := client.WriteMessage(msg); err != nil {
					b.Fatal(err)
				}
				if err := consume(client, 1, buf); err != nil {
					b.Fatal(err)
				}
			}
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		})
	}
}

func echo(c *ws.Conn, n, size int) error {
	buf := make([]byte, size)
	for range n {
		if err := consume(c, 1, buf); err != nil {
			return err
		}
		if err := c.WriteMessage([][]byte{buf}); err != nil {
			return err
		}
	}
	return nil
}
