package drive_test

import (
	"context"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
	"github.com/parley-rpc/parley/bench/internal/drive"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a framework without a network, whose calls a test defines.
type fake struct {
	echo  func(ctx context.Context, req *benchv1.EchoRequest) (*benchv1.EchoResponse, error)
	count func(messages, bytes uint64) (*benchv1.UploadResponse, error)
}

func (f fake) About() drive.About { return drive.About{Name: "fake"} }

func (f fake) Serve(ln net.Listener, _ drive.Setup) (stop func(), err error) {
	return func() { _ = ln.Close() }, nil
}

func (f fake) Dial(context.Context, string, drive.Setup) (drive.Client, error) {
	return fakeClient{f}, nil
}

type fakeClient struct{ fake }

func (c fakeClient) Echo(ctx context.Context, req *benchv1.EchoRequest) (*benchv1.EchoResponse, error) {
	if c.echo == nil {
		return &benchv1.EchoResponse{Payload: req.GetPayload()}, nil
	}
	return c.echo(ctx, req)
}

func (c fakeClient) Download(context.Context, *benchv1.DownloadRequest) (drive.Download, error) {
	return nil, nil
}

func (c fakeClient) Upload(context.Context) (drive.Upload, error) {
	return &fakeUpload{fake: c.fake}, nil
}
func (c fakeClient) Talk(context.Context) (drive.Talk, error) { return nil, nil }
func (c fakeClient) Close() error                             { return nil }

type fakeUpload struct {
	fake
	messages, bytes uint64
}

func (u *fakeUpload) Send(req *benchv1.UploadRequest) error {
	u.messages++
	u.bytes += uint64(len(req.GetPayload()))
	return nil
}

func (u *fakeUpload) CloseAndRecv() (*benchv1.UploadResponse, error) {
	return u.count(u.messages, u.bytes)
}

// after waits, in the time of a synctest bubble.
func after(d time.Duration) { <-time.After(d) }

// runFake runs a workload on a fake within this process.
func runFake(t *testing.T, workload string, f fake) (drive.Figures, error) {
	t.Helper()
	return drive.RunHere(t.Context(), drive.Job{
		Target:   "fake",
		Workload: workload,
		Warmup:   10 * time.Millisecond,
		Measure:  time.Second,
		Scale:    1,
	}, f)
}
