package grpcparley_test

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	grpcparley "github.com/parley-rpc/parley/ext/grpc"
	talkv1 "github.com/parley-rpc/parley/ext/grpc/internal/gen/talk/v1"
	"github.com/parley-rpc/parley/rpc"
)

// listen starts a server on a real socket and returns its URL.
func listen(t *testing.T, srv *rpc.Server) string {
	t.Helper()
	web := httptest.NewServer(srv)
	t.Cleanup(func() {
		_ = srv.Close()
		web.Close()
	})
	return "ws" + strings.TrimPrefix(web.URL, "http")
}

// connect returns a client of a server at url.
func connect(t *testing.T, url string, opts ...rpc.ClientOption) *rpc.Client {
	t.Helper()
	client := rpc.NewClient(url, opts...)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// talk serves impl, registered as a service of grpc, and returns a client of
// the server.
func talk(t *testing.T, impl talkv1.TalkServiceServer, opts ...grpcparley.ServerOption) *rpc.Client {
	t.Helper()
	srv := rpc.NewServer()
	talkv1.RegisterTalkServiceServer(grpcparley.NewRegistrar(srv, opts...), impl)
	return connect(t, listen(t, srv))
}

// talker is a TalkService with grpc's stubs. It repeats the texts, with the
// caller's metadata as header and trailer, and fails if the metadata asks for
// it.
type talker struct {
	talkv1.UnimplementedTalkServiceServer
}

// answer returns what the metadata asks for: the metadata to return, and the
// status.
func answer(md metadata.MD) (back metadata.MD, err error) {
	back = metadata.MD{}
	for _, key := range []string{"note", "note-bin"} {
		if v := md.Get(key); len(v) > 0 {
			back[key] = v
		}
	}
	if v := md.Get("fail"); len(v) > 0 {
		code, err := strconv.Atoi(v[0])
		if err != nil {
			return nil, err
		}
		s, err := status.New(codes.Code(code), "asked to fail: "+v[0]).WithDetails(&talkv1.SayRequest{Text: "a detail"})
		if err != nil {
			return nil, err
		}
		return back, s.Err()
	}
	return back, nil
}

func (talker) Say(ctx context.Context, req *talkv1.SayRequest) (*talkv1.SayResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	back, failure := answer(md)
	if err := errors.Join(grpc.SetHeader(ctx, back), grpc.SetTrailer(ctx, back)); err != nil {
		return nil, err
	}
	return &talkv1.SayResponse{Text: req.GetText()}, failure
}

func (talker) Listen(req *talkv1.ListenRequest, s grpc.ServerStreamingServer[talkv1.ListenResponse]) error {
	failure := begin(s)
	for word := range strings.SplitSeq(req.GetText(), " ") {
		if err := s.Send(&talkv1.ListenResponse{Text: word}); err != nil {
			return err
		}
	}
	return failure
}

func (talker) Tell(s grpc.ClientStreamingServer[talkv1.TellRequest, talkv1.TellResponse]) error {
	failure := begin(s)
	var words []string
	for {
		req, err := s.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		words = append(words, req.GetText())
	}
	if failure != nil {
		return failure
	}
	return s.SendAndClose(&talkv1.TellResponse{Text: strings.Join(words, " ")})
}

func (talker) Chat(s grpc.BidiStreamingServer[talkv1.ChatRequest, talkv1.ChatResponse]) error {
	failure := begin(s)
	for {
		req, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return failure
		}
		if err != nil {
			return err
		}
		if err := s.Send(&talkv1.ChatResponse{Text: req.GetText()}); err != nil {
			return err
		}
	}
}

// begin sets the header and the trailer of a stream, and returns its status.
func begin(s grpc.ServerStream) error {
	md, _ := metadata.FromIncomingContext(s.Context())
	back, failure := answer(md)
	s.SetTrailer(back)
	if err := s.SetHeader(back); err != nil {
		return err
	}
	return failure
}

// wantCode compares the code of a status.
func wantCode(t *testing.T, err error, code codes.Code) {
	t.Helper()
	if status.Code(err) != code {
		t.Fatalf("got %v, want %v", err, code)
	}
}

// wantError is like wantCode, and also checks the text of the error.
func wantError(t *testing.T, err error, code codes.Code, says string) {
	t.Helper()
	wantCode(t, err, code)
	if !strings.Contains(err.Error(), says) {
		t.Fatalf("%q does not say %q", err, says)
	}
}
