//go:build unix

package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// A witness is a bare WebSocket through the proxy. It observes what the library
// does not report: how its link ends, at both ends. One witness is silent. The
// other is always in the middle of a frame, in both directions.
const (
	witnessPath = "/rpc/witness"
	busy        = "?busy"
	quiet       = "?quiet"
)

// sights are the distinct observations.
type sights struct {
	mu   sync.Mutex
	seen []string
}

func (s *sights) add(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.seen, what) {
		s.seen = append(s.seen, what)
		slices.Sort(s.seen)
	}
}

func (s *sights) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.seen) == 0 {
		return "nothing"
	}
	return strings.Join(s.seen, ", ")
}

// witnesses are the ends of the witnesses of one proxy.
type witnesses struct {
	client, server sights
	running        sync.WaitGroup
}

// serve runs the server's end of a witness.
func (w *witnesses) serve(rw http.ResponseWriter, r *http.Request) {
	conn, buf, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		return
	}
	_, err = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: "+acceptKey+"\r\n\r\n")
	if err != nil {
		return
	}
	end := witness{conn: conn, in: buf.Reader, masks: false}
	w.running.Go(func() { end.run(&w.server, "?"+r.URL.RawQuery) })
}

// witnessKey is the example of RFC 6455, section 1.3.
const (
	witnessKey = "dGhlIHNhbXBsZSBub25jZQ=="
	acceptKey  = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// send opens a witness of a kind through a proxy. stop ends it.
func (w *witnesses) send(ctx context.Context, in *instance, kind string) (stop func(), err error) {
	trust, err := in.trust()
	if err != nil {
		return nil, err
	}
	var conn net.Conn
	if trust != nil {
		conn, err = (&tls.Dialer{Config: trust}).DialContext(ctx, "tcp", in.site.addr)
	} else {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", in.site.addr)
	}
	if err != nil {
		return nil, err
	}
	end := &witness{conn: conn, in: bufio.NewReader(conn), masks: true}
	if err := end.upgrade(in.site.addr, kind); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	w.running.Go(func() { end.run(&w.client, kind) })
	return func() { _ = conn.Close() }, nil
}

// witness is one end of a WebSocket.
type witness struct {
	conn  net.Conn
	in    *bufio.Reader
	masks bool // it is the client's
}

func (w *witness) upgrade(host, kind string) error {
	_, err := fmt.Fprintf(w.conn, "GET %s%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", witnessPath, kind, host, witnessKey)
	if err != nil {
		return err
	}
	res, err := http.ReadResponse(w.in, nil)
	if err != nil {
		return err
	}
	_ = res.Body.Close() // has nothing
	if res.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("the witness got %s", res.Status)
	}
	return nil
}

// run waits for the end, and records it.
func (w *witness) run(seen *sights, kind string) {
	var writing sync.WaitGroup
	if kind == busy {
		writing.Go(w.write)
	}
	what := w.read()
	if what != "" {
		seen.add(what)
	}
	_ = w.conn.Close()
	writing.Wait()
}

// write starts a frame that never ends.
func (w *witness) write() {
	header := []byte{0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0}
	if w.masks {
		header[1] |= 0x80
		header = append(header, 0, 0, 0, 0)
	}
	_, err := w.conn.Write(header)
	for filling := make([]byte, 100); err == nil; _, err = w.conn.Write(filling) {
		pause(context.Background(), 5*time.Millisecond)
	}
}

// head is the first two bytes of a frame.
type head [2]byte

func (h head) isClose() bool { return h[0]&0x0f == 8 }
func (h head) masked() bool  { return h[1]&0x80 != 0 }
func (h head) size() uint64  { return uint64(h[1] & 0x7f) } // or which length field follows

// read returns how the connection ends, or nothing if this end has ended it.
func (w *witness) read() string {
	for {
		var h head
		if _, err := io.ReadFull(w.in, h[:]); err != nil {
			return ended(err)
		}
		if h.isClose() {
			return "close " + w.closeCode(h)
		}
		size, err := w.size(h)
		if err != nil {
			return ended(err)
		}
		if tail, err := w.skip(size); err != nil {
			return w.injected(tail) + ended(err)
		}
	}
}

// closeCode reads the rest of a close frame.
func (w *witness) closeCode(h head) string {
	key := make([]byte, 4)
	if h.masked() {
		_, _ = io.ReadFull(w.in, key) // missing bytes are zero
	}
	payload := make([]byte, h.size())
	_, _ = io.ReadFull(w.in, payload)
	code := "without a code"
	if len(payload) >= 2 {
		code = fmt.Sprint(int(payload[0]^key[0])<<8 | int(payload[1]^key[1]))
	}
	if !w.masks && !h.masked() {
		code += " unmasked"
	}
	return code
}

// size reads how many bytes follow the head and its extension.
func (w *witness) size(h head) (size uint64, err error) {
	var extended [8]byte
	switch size = h.size(); size {
	case 126:
		_, err = io.ReadFull(w.in, extended[6:])
		size = binary.BigEndian.Uint64(extended[:])
	case 127:
		_, err = io.ReadFull(w.in, extended[:])
		size = binary.BigEndian.Uint64(extended[:])
	}
	if h.masked() {
		size += 4
	}
	return size, err
}

// skip reads size bytes. With an error it returns the last ones.
func (w *witness) skip(size uint64) (tail []byte, err error) {
	buf := make([]byte, 4096)
	for size > 0 {
		n, err := w.in.Read(buf[:min(size, uint64(len(buf)))])
		size -= uint64(n)
		tail = append(tail, buf[:n]...)
		tail = tail[max(0, len(tail)-131):]
		if err != nil {
			return tail, err
		}
	}
	return nil, nil
}

// injected describes a close frame at the end of the zeros of another frame.
func (w *witness) injected(tail []byte) string {
	rest := strings.TrimLeft(string(tail), "\x00")
	if len(rest) < 4 || rest[0] != 0x88 {
		return ""
	}
	payload, mask, note := rest[2:], "\x00\x00", ""
	switch masked := rest[1]&0x80 != 0; {
	case masked && len(rest) < 8:
		return ""
	case masked:
		payload, mask = rest[6:], rest[2:]
	case !w.masks:
		note = " unmasked"
	}
	return fmt.Sprintf("close %d%s inside a frame, ", int(payload[0]^mask[0])<<8|int(payload[1]^mask[1]), note)
}

// ended names an error of reading.
func ended(err error) string {
	switch {
	case errors.Is(err, net.ErrClosed):
		return ""
	case errors.Is(err, syscall.ECONNRESET):
		return "RST"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "FIN"
	}
	return err.Error()
}

// ending names the end of a connection of the library.
func ending(err error) string {
	var closed *transport.CloseError
	switch {
	case errors.As(err, &closed) && closed.Remote:
		return fmt.Sprintf("close %d", closed.Code)
	case errors.As(err, &closed):
		return fmt.Sprintf("own close %d", closed.Code)
	case err == nil:
		return "closed"
	}
	return "GOAWAY with " + rpc.CodeOf(err).String()
}
