package notes

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/parley-rpc/parley/rpc"
	deployv1 "github.com/parley-rpc/parley/tests/deploy/gen/deploy/v1"
)

type note = deployv1.Note

// Service is the NoteService of both ends.
type Service struct{ Book *Book }

func (s Service) Echo(_ context.Context, req *note) (*note, error) {
	s.Book.served(req.Call)
	return &note{Call: req.Call, Number: req.Number}, nil
}

// Look may be served twice.
func (Service) Look(_ context.Context, req *note) (*note, error) {
	return &note{Call: req.Call, Number: req.Number}, nil
}

func (s Service) Upload(_ context.Context, in rpc.Receiver[note]) (*note, error) {
	var got sequence
	for req, err := range in.All() {
		if err != nil {
			return nil, err
		}
		if got.received == 0 {
			s.Book.served(req.Call)
		}
		got.take(req.Number)
	}
	return &note{Tally: got.tally()}, nil
}

// tally is the counts that are sent to the peer.
func (s *sequence) tally() *deployv1.Tally {
	return &deployv1.Tally{
		Received:   uint64(s.received),
		Duplicated: uint64(s.duplicated),
		Reordered:  uint64(s.reordered),
	}
}

func (s Service) Download(ctx context.Context, req *note, out rpc.Sender[note]) error {
	s.Book.served(req.Call)
	for n := range req.Count {
		if err := out.Send(&note{Call: req.Call, Number: n, Filling: filling(n)}); err != nil {
			return err
		}
		if err := Pause(ctx, millis(req.PaceMs)); err != nil {
			return err
		}
	}
	return nil
}

func (s Service) Exchange(_ context.Context, in rpc.Receiver[note], out rpc.Sender[note]) error {
	var got sequence
	for n := uint64(0); ; n++ {
		req, err := in.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if n == 0 {
			s.Book.served(req.Call)
		}
		got.take(req.Number)
		if err := out.Send(&note{Call: req.Call, Number: n, Tally: got.tally()}); err != nil {
			return err
		}
	}
}

// Subscribe ends when the connection drains.
func (s Service) Subscribe(ctx context.Context, req *note, out rpc.Sender[note]) error {
	s.Book.served(req.Call)
	for n := req.Number; ; n++ {
		last := false
		select {
		case <-rpc.Draining(ctx):
			last = true
		default:
		}
		if err := out.Send(&note{Call: req.Call, Number: n, Last: last}); err != nil {
			return err
		}
		if last {
			return rpc.RetryLater(0)
		}
		select {
		case <-rpc.Draining(ctx):
		case <-time.After(millis(req.PaceMs)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// filling returns a payload; a few payloads are large.
func filling(number uint64) []byte {
	if number%8 == 7 {
		return make([]byte, 20<<10)
	}
	return nil
}

func millis(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }

// Pause waits for d. It returns the error of ctx if that ends first.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
