package drive

import (
	"context"
	"errors"
	"fmt"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
	"github.com/parley-rpc/parley/bench/internal/service"
)

const (
	smallSize  = 100 // bytes of a small payload
	mediumSize = 64 << 10
	largeSize  = 1 << 20
)

// ErrAnswer is the error of a measurement with a wrong response.
var ErrAnswer = errors.New("wrong answer")

func checkLength(got []byte, want int) error {
	if len(got) != want {
		return fmt.Errorf("%w: %d bytes, want %d", ErrAnswer, len(got), want)
	}
	return nil
}

// begin starts the work of one worker.
type begin func(ctx context.Context, c Client) (worker, error)

func newEcho(size int) *benchv1.EchoRequest {
	return &benchv1.EchoRequest{Payload: service.Payload(size)}
}

func echo(ctx context.Context, c Client, req *benchv1.EchoRequest) error {
	res, err := c.Echo(ctx, req)
	if err != nil {
		return err
	}
	return checkLength(res.GetPayload(), len(req.GetPayload()))
}

// unary makes one call after another.
func unary(size int) begin {
	return func(ctx context.Context, c Client) (worker, error) {
		req := newEcho(size)
		return worker{step: func() error { return echo(ctx, c, req) }}, nil
	}
}

// download receives from a stream that has no end.
func download(size int) begin {
	return func(ctx context.Context, c Client) (worker, error) {
		stream, err := c.Download(ctx, &benchv1.DownloadRequest{Size: uint32(size)})
		if err != nil {
			return worker{}, err
		}
		return worker{step: func() error {
			res, err := stream.Recv()
			if err != nil {
				return err
			}
			return checkLength(res.GetPayload(), size)
		}}, nil
	}
}

// upload sends on a stream, and checks at the end what the server has received.
func upload(size int) begin {
	return func(ctx context.Context, c Client) (worker, error) {
		stream, err := c.Upload(ctx)
		if err != nil {
			return worker{}, err
		}
		req := &benchv1.UploadRequest{Payload: service.Payload(size)}
		var sent uint64
		return worker{
			step: func() error {
				sent++
				return stream.Send(req)
			},
			finish: func() error {
				res, err := stream.CloseAndRecv()
				if err != nil {
					return err
				}
				if res.GetMessages() != sent || res.GetBytes() != sent*uint64(size) {
					return fmt.Errorf("%w: %d messages of %d bytes have arrived of %d sent",
						ErrAnswer, res.GetMessages(), res.GetBytes(), sent)
				}
				return nil
			},
		}, nil
	}
}

// talk sends a message and waits for the response.
func talk(size int) begin {
	return func(ctx context.Context, c Client) (worker, error) {
		stream, err := c.Talk(ctx)
		if err != nil {
			return worker{}, err
		}
		req := &benchv1.TalkRequest{Payload: service.Payload(size)}
		return worker{step: func() error { return exchange(stream, req) }}, nil
	}
}

func exchange(stream Talk, req *benchv1.TalkRequest) error {
	if err := stream.Send(req); err != nil {
		return err
	}
	res, err := stream.Recv()
	if err != nil {
		return err
	}
	return checkLength(res.GetPayload(), len(req.GetPayload()))
}
