package wan

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/service"
	"github.com/parley-rpc/parley/bench/internal/stat"
)

const (
	messageSize = 64 << 10 // bytes of a payload
	mebibyte    = 1 << 20
	markLimit   = 8 * time.Second // for the first 16 MiB
)

// transfer is streams of large messages in one direction, all on a new
// connection. With a single stream, small calls are made beside it.
type transfer struct {
	streams int
	up      bool
}

func (t transfer) run(ctx context.Context, b *bench) (f drive.Figures, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	began := time.Now()
	c, err := b.dial(ctx)
	if err != nil {
		return nil, err
	}
	flows := make([]*flow, t.streams)
	var running sync.WaitGroup
	for i := range flows {
		flows[i] = newFlow(began)
		carry := flows[i].download
		if t.up {
			carry = flows[i].upload
		}
		running.Go(func() { cancel(carry(ctx, c)) }) // it has no end, but that of ctx
	}
	f, err = t.measure(ctx, b, c, flows)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	cancel(nil)
	err = errors.Join(err, c.Close())
	running.Wait()
	return f, err
}

// measure waits until the streams run, and then measures for the interval.
func (t transfer) measure(ctx context.Context, b *bench, c drive.Client, flows []*flow) (drive.Figures, error) {
	f := make(drive.Figures)
	if t.streams == 1 && !t.up {
		if err := flows[0].marks(ctx, markLimit, f); err != nil {
			return nil, err
		}
	}
	if err := drive.Pause(ctx, b.warmup()-time.Since(flows[0].began)); err != nil {
		return nil, err
	}
	before, err := t.progress(b, flows)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if t.streams == 1 {
		took, err := smallCalls(ctx, c, b.For)
		if err != nil {
			return nil, err
		}
		f[P50.Name] = millis(stat.Quantile(took, 0.5))
		f[P99.Name] = millis(stat.Quantile(took, 0.99))
	} else if err := drive.Pause(ctx, t.interval(b)); err != nil {
		return nil, err
	}
	after, err := t.progress(b, flows)
	if err != nil {
		return nil, err
	}
	f[ByteRate.Name] = float64(after.received-before.received) / 1e6 / time.Since(began).Seconds()
	if t.streams > 1 {
		shares(f, before.each, after.each)
	}
	return f, nil
}

// interval is the measured interval of several streams. It is long enough for
// some messages of each, so that shares can be compared.
func (t transfer) interval(b *bench) time.Duration {
	const messages = 8
	rate := b.Path.Down
	if t.up {
		rate = b.Path.Up
	}
	if rate == 0 {
		return b.For
	}
	return max(b.For, time.Duration(float64(t.streams*messages*messageSize)/float64(rate)*float64(time.Second)))
}

// progress is how far streams have come.
type progress struct {
	received int64   // bytes, by the end that receives
	each     []int64 // bytes of each stream, by the client
}

func (t transfer) progress(b *bench, flows []*flow) (p progress, err error) {
	for _, f := range flows {
		n := f.bytes.Load()
		p.each = append(p.each, n)
		p.received += n
	}
	if t.up {
		p.received, err = b.far.received()
	}
	return p, err
}

// shares says by how much streams differ: 1 is an equal share.
func shares(f drive.Figures, before, after []int64) {
	var sum, least, most int64
	for i := range after {
		n := after[i] - before[i]
		if i == 0 {
			least = n
		}
		sum += n
		least, most = min(least, n), max(most, n)
	}
	if sum == 0 {
		return
	}
	mean := float64(sum) / float64(len(after))
	f[LeastShare.Name] = float64(least) / mean
	f[MostShare.Name] = float64(most) / mean
}

// flow is one stream.
type flow struct {
	began time.Time
	bytes atomic.Int64
	mib   chan time.Duration // when the first MiB was there
	mib16 chan time.Duration
	heard func(time.Time) // called with each message, if not nil
}

func newFlow(began time.Time) *flow {
	return &flow{began: began, mib: make(chan time.Duration, 1), mib16: make(chan time.Duration, 1)}
}

// download receives messages until ctx ends.
func (f *flow) download(ctx context.Context, c drive.Client) error {
	stream, err := c.Download(ctx, &benchv1.DownloadRequest{Size: messageSize})
	if err != nil {
		return err
	}
	for {
		res, err := stream.Recv()
		if err != nil {
			return err
		}
		if got := len(res.GetPayload()); got != messageSize {
			return fmt.Errorf("%w: %d bytes, want %d", drive.ErrAnswer, got, messageSize)
		}
		f.add()
	}
}

// upload sends messages until ctx ends.
func (f *flow) upload(ctx context.Context, c drive.Client) error {
	stream, err := c.Upload(ctx)
	if err != nil {
		return err
	}
	req := &benchv1.UploadRequest{Payload: service.Payload(messageSize)}
	for {
		if err := stream.Send(req); err != nil {
			return err
		}
		f.add()
	}
}

// add counts a message.
func (f *flow) add() {
	switch f.bytes.Add(messageSize) {
	case mebibyte:
		f.mib <- time.Since(f.began)
	case 16 * mebibyte:
		f.mib16 <- time.Since(f.began)
	}
	if f.heard != nil {
		f.heard(time.Now())
	}
}

// marks waits until 16 MiB have arrived, within a limit. What has not arrived
// by then has no figure.
func (f *flow) marks(ctx context.Context, limit time.Duration, figures drive.Figures) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for _, m := range []struct {
		metric drive.Metric
		at     <-chan time.Duration
	}{{FirstMiB, f.mib}, {First16MiB, f.mib16}} {
		select {
		case d := <-m.at:
			figures[m.metric.Name] = millis(d)
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
