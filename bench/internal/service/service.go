// Package service implements the service for the servers of all frameworks. The
// files of package target connect it to their stubs.
package service

import (
	"errors"
	"io"
	"sync/atomic"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
)

// Echo returns the payload.
func Echo(req *benchv1.EchoRequest) *benchv1.EchoResponse {
	return &benchv1.EchoResponse{Payload: req.GetPayload()}
}

// Download sends messages of the requested size until send fails. It fails once
// the caller has ended the call.
func Download(req *benchv1.DownloadRequest, send func(*benchv1.DownloadResponse) error) error {
	res := &benchv1.DownloadResponse{Payload: Payload(int(req.GetSize()))}
	for {
		if err := send(res); err != nil {
			return err
		}
	}
}

// received is the payload bytes of all uploads so far.
var received atomic.Int64

// Received returns how many payload bytes all uploads to this process have
// brought so far.
func Received() int64 { return received.Load() }

// Upload counts what is received up to io.EOF.
func Upload(recv func() (*benchv1.UploadRequest, error)) (*benchv1.UploadResponse, error) {
	res := new(benchv1.UploadResponse)
	for {
		req, err := recv()
		if errors.Is(err, io.EOF) {
			return res, nil
		}
		if err != nil {
			return nil, err
		}
		res.Messages++
		res.Bytes += uint64(len(req.GetPayload()))
		received.Add(int64(len(req.GetPayload())))
	}
}

// Talk returns each payload, up to io.EOF.
func Talk(recv func() (*benchv1.TalkRequest, error), send func(*benchv1.TalkResponse) error) error {
	for {
		req, err := recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := send(&benchv1.TalkResponse{Payload: req.GetPayload()}); err != nil {
			return err
		}
	}
}
