package target

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/bench/internal/drive"
)

type tunnel struct{}

// Tunnel is grpc-go with its defaults, but each connection is a WebSocket that
// looks like a net.Conn. It is a way through proxies that do not support
// HTTP/2.
func Tunnel() drive.Target { return tunnel{} }

func (tunnel) About() drive.About {
	return drive.About{Name: "grpc-go-ws", Module: "github.com/gorilla/websocket"}
}

func (tunnel) Serve(ln net.Listener, _ drive.Setup) (stop func(), err error) {
	inner := &tunnelListener{addr: ln.Addr(), conns: make(chan net.Conn), closed: make(chan struct{})}
	stopGRPC := serveGRPC(inner)
	web := &http.Server{Handler: inner}
	var serving sync.WaitGroup
	serving.Go(func() { _ = web.Serve(ln) }) // ends with Close
	return func() {
		_ = web.Close()
		stopGRPC()
		serving.Wait()
	}, nil
}

// tunnelListener is an HTTP handler, and accepts the WebSockets that are dialed
// to it.
type tunnelListener struct {
	upgrader websocket.Upgrader
	addr     net.Addr
	conns    chan net.Conn
	once     sync.Once
	closed   chan struct{}
}

func (l *tunnelListener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ws, err := l.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the response has been sent
	}
	select {
	case l.conns <- newTunnelConn(ws):
	case <-l.closed:
		_ = ws.Close()
	}
}

func (l *tunnelListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *tunnelListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *tunnelListener) Addr() net.Addr { return l.addr }

func (tunnel) Dial(_ context.Context, addr string, _ drive.Setup) (drive.Client, error) {
	return dialGRPC(addr, grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
		ws, res, err := websocket.DefaultDialer.DialContext(ctx, "ws://"+addr+"/", nil)
		if err != nil {
			return nil, err
		}
		return newTunnelConn(ws), res.Body.Close()
	}))
}

// tunnelConn is a stream of bytes over the messages of a WebSocket.
type tunnelConn struct {
	net.Conn // below the WebSocket, for addresses and deadlines
	ws       *websocket.Conn
	rest     io.Reader // of the current message, or nil
	writing  sync.Mutex
}

func newTunnelConn(ws *websocket.Conn) *tunnelConn { return &tunnelConn{Conn: ws.NetConn(), ws: ws} }

func (c *tunnelConn) Read(p []byte) (int, error) {
	for {
		if c.rest == nil {
			_, r, err := c.ws.NextReader()
			if err != nil {
				return 0, err
			}
			c.rest = r
		}
		n, err := c.rest.Read(p)
		if errors.Is(err, io.EOF) {
			c.rest, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (c *tunnelConn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.ws.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}
