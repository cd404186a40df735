package conformance

import (
	"bufio"
	"crypto/sha1" //nolint:gosec // RFC 6455 says so
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

const (
	webSocketKey  = "dGhlIHNhbXBsZSBub25jZQ=="
	webSocketGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
)

func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + webSocketGUID)) //nolint:gosec // as above
	return base64.StdEncoding.EncodeToString(sum[:])
}

// dialed is what became of a handshake that the runner has made.
type dialed struct {
	status int
	header http.Header
	socket *socket // with status 101
}

// handshakeRequest is the text of a request. args replace or add headers:
// offer=... is Sec-WebSocket-Protocol, header.NAME=... any other one, and
// method=... the method of HTTP.
func handshakeRequest(host string, args []arg) string {
	method := "GET"
	headers := []arg{
		{"Host", host}, {"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Key", webSocketKey},
		{"Sec-WebSocket-Version", "13"},
	}
	offered := false
	for _, a := range args {
		switch name, isHeader := strings.CutPrefix(a.key, "header."); {
		case a.key == "offer":
			offered = true
			headers = append(headers, arg{"Sec-WebSocket-Protocol", a.value})
		case a.key == "method":
			method = a.value
		case isHeader:
			headers = replaced(headers, arg{name, a.value})
		}
	}
	if !offered {
		headers = append(headers, arg{"Sec-WebSocket-Protocol", "parley.v1"})
	}
	text := method + " /rpc HTTP/1.1\r\n"
	for _, h := range headers {
		if h.key != "Sec-WebSocket-Protocol" || h.value != "-" { // offer=- offers none
			text += h.key + ": " + h.value + "\r\n"
		}
	}
	return text + "\r\n"
}

func replaced(headers []arg, with arg) []arg {
	for i := range headers {
		if strings.EqualFold(headers[i].key, with.key) {
			headers[i].value = with.value
			return headers
		}
	}
	return append(headers, with)
}

// dial makes a handshake with an acceptor at host:port.
func dial(host string, args []arg) (*dialed, error) {
	conn, err := net.DialTimeout("tcp", host, 5*time.Second)
	if err != nil {
		return nil, err
	}
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(conn, handshakeRequest(host, args)); err != nil {
		return nil, err
	}
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		_ = conn.Close() // it is of no use
		return nil, fmt.Errorf("no answer to the handshake: %w", err)
	}
	d := &dialed{status: res.StatusCode, header: res.Header}
	if res.StatusCode != http.StatusSwitchingProtocols {
		_ = res.Body.Close() // what it says is for people
		_ = conn.Close()
		return d, nil
	}
	if got := res.Header.Get("Sec-WebSocket-Accept"); got != acceptKey(webSocketKey) {
		return nil, fmt.Errorf("Sec-WebSocket-Accept is %q", got)
	}
	if got := res.Header.Get("Sec-WebSocket-Extensions"); got != "" {
		return nil, fmt.Errorf("the acceptor accepts the extension %q (3.2, H9)", got)
	}
	d.socket = newSocket(conn, in, true)
	return d, conn.SetReadDeadline(time.Time{})
}

// errNoHandshake says that a connection brought no handshake, and another one
// may follow. A script in a browser asks by a plain GET why its handshake has
// failed (section 3.1). A browser opens connections that it never uses, and so
// does a dialer of an earlier case, whose port is now that of another one, until
// it learns that it is closed.
var errNoHandshake = errors.New("no handshake")

// answerPlainGet answers as an acceptor would that answers handshakes with a
// status, or a subprotocol, and extra headers. Scripts of any origin may read
// the answer.
func answerPlainGet(conn net.Conn, status, selected, extra string) error {
	text := "HTTP/1.1 " + status + " \r\n" + extra
	if status == "101" {
		text = "HTTP/1.1 426 Upgrade Required\r\n"
		if selected == "parley.v1" {
			text += "Parley-Versions: parley.v1\r\n"
		}
	}
	text += "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: Parley-Versions, Retry-After\r\n"
	_, err := io.WriteString(conn, text+"Content-Length: 0\r\nConnection: close\r\n\r\n")
	return errors.Join(err, conn.Close())
}

// accept answers the handshake of a dialer. args say how: status=... and
// header.NAME=...; select=... is the subprotocol, "-" for none; close=... is the
// code of a close frame that follows at once.
func accept(conn net.Conn, args []arg) (*http.Request, *socket, error) {
	in := bufio.NewReader(conn)
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return nil, nil, err
	}
	if _, err := in.Peek(1); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, nil, errors.Join(errNoHandshake, conn.Close())
	}
	req, err := http.ReadRequest(in)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the handshake: %w", errors.Join(err, conn.Close()))
	}
	status, selected := "101", "parley.v1"
	var extra string
	var closeCode uint16
	for _, a := range args {
		switch name, isHeader := strings.CutPrefix(a.key, "header."); {
		case a.key == "status":
			status = a.value
		case a.key == "select":
			selected = a.value
		case a.key == "close":
			code, err := number(a.value)
			if err != nil {
				return nil, nil, err
			}
			closeCode = uint16(code)
		case isHeader:
			extra += name + ": " + a.value + "\r\n"
		}
	}
	if req.Header.Get("Upgrade") == "" {
		return nil, nil, errors.Join(errNoHandshake, answerPlainGet(conn, status, selected, extra))
	}
	code, err := number(status)
	if err != nil {
		return nil, nil, err
	}
	text := "HTTP/1.1 " + status + " " + http.StatusText(int(code)) + "\r\n" + extra
	if status != "101" {
		text += "Content-Length: 0\r\nConnection: close\r\n\r\n"
		_, err := io.WriteString(conn, text)
		_ = conn.Close() // the answer is all
		return req, nil, err
	}
	text += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + acceptKey(req.Header.Get("Sec-WebSocket-Key")) + "\r\n"
	if selected != "-" {
		text += "Sec-WebSocket-Protocol: " + selected + "\r\n"
	}
	if _, err := io.WriteString(conn, text+"\r\n"); err != nil {
		return nil, nil, err
	}
	s := newSocket(conn, in, false)
	if closeCode != 0 {
		if err := s.write(s.encode(opClose, binary.BigEndian.AppendUint16(nil, closeCode))); err != nil {
			return nil, nil, err
		}
	}
	return req, s, conn.SetReadDeadline(time.Time{})
}
