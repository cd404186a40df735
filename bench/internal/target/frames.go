package target

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
	"google.golang.org/protobuf/proto"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/service"
)

type frames struct{}

// Frames is frames with Protocol Buffers messages over one WebSocket, as the
// lower bound of what multiplexed calls cost. Frames are batched, and the
// server's reader answers unary calls itself. There are no statuses, deadlines,
// metadata, flow control or resumption. A stream whose messages are not received
// delays the whole connection, and what arrives for it is not bounded.
func Frames() drive.Target { return frames{} }

func (frames) About() drive.About {
	return drive.About{
		Name:   "frames",
		Module: "github.com/gorilla/websocket",
		Lacks:  []string{"idle-conns"}, // its buffers are sized for speed; gorilla is the lower bound
	}
}

// framesReadBuffer is large enough for most batches of small calls.
const framesReadBuffer = 32 << 10

func (frames) Serve(ln net.Listener, _ drive.Setup) (stop func(), err error) {
	s := &framesServer{upgrader: websocket.Upgrader{
		ReadBufferSize:  framesReadBuffer,
		WriteBufferSize: gorillaBuffer,
		WriteBufferPool: new(sync.Pool),
	}}
	web := &http.Server{Handler: s}
	s.serving.Go(func() { _ = web.Serve(ln) }) // ends with Close
	return func() {
		_ = web.Close()
		s.serving.Wait() // connections end when their clients leave
	}, nil
}

type framesServer struct {
	upgrader websocket.Upgrader
	serving  sync.WaitGroup
}

func (s *framesServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ws, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the response has been sent
	}
	c := &framesAcceptor{framesConn: newFramesConn(ws), streams: make(map[uint32]*framesStream)}
	s.serving.Go(c.serve)
}

// framesAcceptor is the server's end of a connection.
type framesAcceptor struct {
	*framesConn
	// streams are those that the client has opened, by id. Only the reader uses
	// it. An entry is replaced when the client uses the id again.
	streams  map[uint32]*framesStream
	handlers sync.WaitGroup
}

// serve reads requests until the connection ends.
func (c *framesAcceptor) serve() {
	var responses []byte // to the unary calls of a batch
	err := c.receive(func(batch []frame) (err error) {
		responses = responses[:0]
		for _, f := range batch {
			if f.kind == frameEcho {
				responses, err = c.echo(responses, f)
			} else {
				err = c.handle(f)
			}
			if err != nil {
				return err
			}
		}
		responses, err = c.sendEncoded(responses)
		return err
	})
	c.fail(err)
	for _, s := range c.streams {
		s.cancel(err)
	}
	c.handlers.Wait()
	c.writers.Wait()
}

func (*framesAcceptor) echo(responses []byte, f frame) ([]byte, error) {
	req := new(benchv1.EchoRequest)
	if err := proto.Unmarshal(f.body, req); err != nil {
		return responses, err
	}
	return appendFrame(responses, f.id, frameEnd, service.Echo(req))
}

// handle handles a frame of a stream. Frames of streams that have ended have no
// effect.
func (c *framesAcceptor) handle(f frame) error {
	switch f.kind {
	case frameDownload:
		req := new(benchv1.DownloadRequest)
		if err := proto.Unmarshal(f.body, req); err != nil {
			return err
		}
		c.start(f.id, empty[benchv1.DownloadRequest], func(s *framesStream) (proto.Message, error) {
			return nil, service.Download(req, func(res *benchv1.DownloadResponse) error { return s.post(res) })
		})
	case frameUpload:
		c.start(f.id, empty[benchv1.UploadRequest], func(s *framesStream) (proto.Message, error) {
			return service.Upload(receiver[*benchv1.UploadRequest](s))
		})
	case frameTalk:
		c.start(f.id, empty[benchv1.TalkRequest], func(s *framesStream) (proto.Message, error) {
			return nil, service.Talk(receiver[*benchv1.TalkRequest](s),
				func(res *benchv1.TalkResponse) error { return s.send(res) })
		})
	case frameMessage, frameEnd, frameCancel:
		return c.forward(f)
	}
	return nil
}

// start runs the handler of a stream that receives messages of empty's type. A
// result is the last message. There are no statuses: an error is an end without
// a message.
func (c *framesAcceptor) start(id uint32, empty func() proto.Message, handle func(*framesStream) (proto.Message, error)) {
	s := newFramesStream(c.framesConn, id, empty)
	c.streams[id] = s
	c.handlers.Go(func() {
		res, err := handle(s)
		s.inbox.close(io.EOF)
		if err == nil && res != nil {
			_ = s.send(res) // fails only if the caller has left
		}
		_ = c.send(id, frameEnd, nil) // fails only if the connection has ended
	})
}

func (c *framesAcceptor) forward(f frame) error {
	s := c.streams[f.id]
	if s == nil {
		return errFrames
	}
	switch f.kind {
	case frameMessage:
		return s.inbox.decode(f.body)
	case frameEnd:
		s.inbox.end()
	case frameCancel:
		s.cancel(context.Canceled)
	}
	return nil
}

func (frames) Dial(ctx context.Context, addr string, _ drive.Setup) (drive.Client, error) {
	dialer := websocket.Dialer{
		ReadBufferSize:  framesReadBuffer,
		WriteBufferSize: gorillaBuffer,
		WriteBufferPool: gorillaPool,
	}
	ws, res, err := dialer.DialContext(ctx, "ws://"+addr+"/", nil)
	if err != nil {
		return nil, err
	}
	c := &framesClient{framesConn: newFramesConn(ws)}
	c.reading.Go(c.read)
	return c, res.Body.Close()
}

func (c *framesClient) Echo(ctx context.Context, req *benchv1.EchoRequest) (*benchv1.EchoResponse, error) {
	res := new(benchv1.EchoResponse)
	return res, c.call(ctx, req, res)
}

func (c *framesClient) Download(ctx context.Context, req *benchv1.DownloadRequest) (drive.Download, error) {
	s, err := c.open(ctx, frameDownload, req, empty[benchv1.DownloadResponse])
	return framesDownload{s}, err
}

func (c *framesClient) Upload(ctx context.Context) (drive.Upload, error) {
	s, err := c.open(ctx, frameUpload, nil, empty[benchv1.UploadResponse])
	return framesUpload{s}, err
}

func (c *framesClient) Talk(ctx context.Context) (drive.Talk, error) {
	s, err := c.open(ctx, frameTalk, nil, empty[benchv1.TalkResponse])
	return framesTalk{s}, err
}

func (c *framesClient) Close() error {
	err := c.ws.Close()
	c.reading.Wait()
	c.writers.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil // the server was first
	}
	return err
}

type framesDownload struct{ *framesStream }

func (d framesDownload) Recv() (*benchv1.DownloadResponse, error) {
	return receive[*benchv1.DownloadResponse](d.framesStream)
}

type framesUpload struct{ *framesStream }

func (u framesUpload) Send(req *benchv1.UploadRequest) error { return u.post(req) }

func (u framesUpload) CloseAndRecv() (*benchv1.UploadResponse, error) {
	if err := u.conn.send(u.id, frameEnd, nil); err != nil {
		return nil, err
	}
	return receive[*benchv1.UploadResponse](u.framesStream)
}

type framesTalk struct{ *framesStream }

func (t framesTalk) Send(req *benchv1.TalkRequest) error { return t.send(req) }

func (t framesTalk) Recv() (*benchv1.TalkResponse, error) {
	return receive[*benchv1.TalkResponse](t.framesStream)
}
