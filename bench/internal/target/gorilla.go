package target

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"

	"github.com/gorilla/websocket"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/service"
)

type gorilla struct{}

// Gorilla is WebSocket messages without any RPC, as the lower bound of the
// cost. A method is a path, messages are payloads, and each stream has its own
// connection. Its write buffers are pooled and have 64 KiB. With the default of
// 4 KiB its client would send large messages in many frames, slower than the
// frameworks.
func Gorilla() drive.Target { return gorilla{} }

func (gorilla) About() drive.About {
	return drive.About{
		Name:   "gorilla",
		Module: "github.com/gorilla/websocket",
		Shares: drive.Alone,
		Lacks:  []string{"wire"}, // no protobuf to compare with
	}
}

const (
	gorillaEcho     = "/echo"
	gorillaDownload = "/download" // ?size=BYTES
	gorillaUpload   = "/upload"   // ends with a text message

	gorillaBuffer = 64 << 10 // bytes
)

func (gorilla) Serve(ln net.Listener, _ drive.Setup) (stop func(), err error) {
	s := &gorillaServer{upgrader: websocket.Upgrader{WriteBufferSize: gorillaBuffer, WriteBufferPool: new(sync.Pool)}}
	mux := http.NewServeMux()
	mux.HandleFunc(gorillaEcho, s.upgraded(gorillaEchoes))
	mux.HandleFunc(gorillaDownload, s.upgraded(gorillaDownloads))
	mux.HandleFunc(gorillaUpload, s.upgraded(gorillaUploads))
	web := &http.Server{Handler: mux}
	s.serving.Go(func() { _ = web.Serve(ln) }) // ends with Close
	return func() {
		_ = web.Close()
		s.serving.Wait() // handlers end when their clients leave
	}, nil
}

type gorillaServer struct {
	upgrader websocket.Upgrader
	serving  sync.WaitGroup
}

func (s *gorillaServer) upgraded(handle func(c *gorillaConn, r *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ws, err := s.upgrader.Upgrade(w, r, nil)
		if err != nil {
			return // the response has been sent
		}
		s.serving.Go(func() {
			_ = handle(&gorillaConn{ws: ws}, r) // the client notices that the connection ends
			_ = ws.Close()
		})
	}
}

func gorillaEchoes(c *gorillaConn, _ *http.Request) error {
	for {
		_, msg, err := c.receive()
		if err != nil {
			return err
		}
		if err := c.send(msg); err != nil {
			return err
		}
	}
}

func gorillaDownloads(c *gorillaConn, r *http.Request) error {
	size, err := strconv.Atoi(r.URL.Query().Get("size"))
	if err != nil {
		return err
	}
	for msg := service.Payload(size); ; {
		if err := c.send(msg); err != nil {
			return err
		}
	}
}

func gorillaUploads(c *gorillaConn, _ *http.Request) error {
	var messages, size uint64
	for {
		kind, msg, err := c.receive()
		if err != nil {
			return err
		}
		if kind == websocket.TextMessage {
			return c.send(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, messages), size))
		}
		messages++
		size += uint64(len(msg))
	}
}

// gorillaConn is one end of a stream.
type gorillaConn struct {
	ws  *websocket.Conn
	msg bytes.Buffer
}

// receive returns a message that is valid until the next one.
func (c *gorillaConn) receive() (kind int, msg []byte, err error) {
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return 0, nil, err
	}
	c.msg.Reset()
	_, err = c.msg.ReadFrom(r)
	return kind, c.msg.Bytes(), err
}

func (c *gorillaConn) send(msg []byte) error { return c.ws.WriteMessage(websocket.BinaryMessage, msg) }

func (gorilla) Dial(ctx context.Context, addr string, _ drive.Setup) (drive.Client, error) {
	c := &gorillaClient{url: "ws://" + addr, dialer: *websocket.DefaultDialer}
	c.dialer.WriteBufferSize, c.dialer.WriteBufferPool = gorillaBuffer, gorillaPool
	var err error
	c.echo, err = c.open(ctx, gorillaEcho)
	return c, err
}

// gorillaPool is shared by all clients, as in a process with many clients.
var gorillaPool = new(sync.Pool)

type gorillaClient struct {
	url    string
	dialer websocket.Dialer
	echo   *gorillaConn

	mu    sync.Mutex
	conns []*websocket.Conn
}

func (c *gorillaClient) open(ctx context.Context, path string) (*gorillaConn, error) {
	ws, res, err := c.dialer.DialContext(ctx, c.url+path, nil)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns = append(c.conns, ws)
	return &gorillaConn{ws: ws}, res.Body.Close()
}

func (c *gorillaClient) Echo(_ context.Context, req *benchv1.EchoRequest) (*benchv1.EchoResponse, error) {
	if err := c.echo.send(req.GetPayload()); err != nil {
		return nil, err
	}
	_, msg, err := c.echo.receive()
	return &benchv1.EchoResponse{Payload: msg}, err
}

func (c *gorillaClient) Download(ctx context.Context, req *benchv1.DownloadRequest) (drive.Download, error) {
	conn, err := c.open(ctx, fmt.Sprintf("%s?size=%d", gorillaDownload, req.GetSize()))
	return gorillaDownloading{conn}, err
}

func (c *gorillaClient) Upload(ctx context.Context) (drive.Upload, error) {
	conn, err := c.open(ctx, gorillaUpload)
	return gorillaUploading{conn}, err
}

func (c *gorillaClient) Talk(ctx context.Context) (drive.Talk, error) {
	conn, err := c.open(ctx, gorillaEcho)
	return gorillaTalking{conn}, err
}

func (c *gorillaClient) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, conn := range c.conns {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}

type gorillaDownloading struct{ *gorillaConn }

func (d gorillaDownloading) Recv() (*benchv1.DownloadResponse, error) {
	_, msg, err := d.receive()
	return &benchv1.DownloadResponse{Payload: msg}, err
}

type gorillaUploading struct{ *gorillaConn }

func (u gorillaUploading) Send(req *benchv1.UploadRequest) error { return u.send(req.GetPayload()) }

func (u gorillaUploading) CloseAndRecv() (*benchv1.UploadResponse, error) {
	if err := u.ws.WriteMessage(websocket.TextMessage, nil); err != nil {
		return nil, err
	}
	_, msg, err := u.receive()
	if err != nil {
		return nil, err
	}
	if len(msg) != 16 {
		return nil, io.ErrUnexpectedEOF
	}
	return &benchv1.UploadResponse{Messages: binary.BigEndian.Uint64(msg), Bytes: binary.BigEndian.Uint64(msg[8:])}, nil
}

type gorillaTalking struct{ *gorillaConn }

func (t gorillaTalking) Send(req *benchv1.TalkRequest) error { return t.send(req.GetPayload()) }

func (t gorillaTalking) Recv() (*benchv1.TalkResponse, error) {
	_, msg, err := t.receive()
	return &benchv1.TalkResponse{Payload: msg}, err
}
