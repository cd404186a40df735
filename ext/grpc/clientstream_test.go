package grpcparley_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	grpcparley "github.com/parley-rpc/parley/ext/grpc"
	talkv1 "github.com/parley-rpc/parley/ext/grpc/internal/gen/talk/v1"
	"github.com/parley-rpc/parley/rpc"
)

// chatter is a TalkService whose Chat and Say a test defines.
type chatter struct {
	talker
	chat func(grpc.BidiStreamingServer[talkv1.ChatRequest, talkv1.ChatResponse]) error
	say  func(context.Context, *talkv1.SayRequest) (*talkv1.SayResponse, error)
}

func (c chatter) Chat(s grpc.BidiStreamingServer[talkv1.ChatRequest, talkv1.ChatResponse]) error {
	return c.chat(s)
}

func (c chatter) Say(ctx context.Context, req *talkv1.SayRequest) (*talkv1.SayResponse, error) {
	return c.say(ctx, req)
}

type chatHandler = func(grpc.BidiStreamingServer[talkv1.ChatRequest, talkv1.ChatResponse]) error

// chat starts a call of Chat, which h serves.
func chat(ctx context.Context, t *testing.T, h chatHandler, opts ...grpc.CallOption) grpc.BidiStreamingClient[talkv1.ChatRequest, talkv1.ChatResponse] {
	t.Helper()
	s, err := talkv1.NewTalkServiceClient(grpcparley.NewClientConn(talk(t, chatter{chat: h}))).Chat(ctx, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// waitForTheEnd returns a handler that sends a header, waits until its context
// ends, and reports the cause.
func waitForTheEnd(why chan<- error) chatHandler {
	return func(s grpc.BidiStreamingServer[talkv1.ChatRequest, talkv1.ChatResponse]) error {
		if err := s.SendHeader(nil); err != nil {
			return err
		}
		<-s.Context().Done()
		why <- s.Context().Err()
		return nil
	}
}

func TestSendAfterTheEndIsEOFAndRecvReturnsTheStatus(t *testing.T) {
	s := chat(t.Context(), t, func(s grpc.BidiStreamingServer[talkv1.ChatRequest, talkv1.ChatResponse]) error {
		return errors.Join(s.Send(&talkv1.ChatResponse{Text: "first"}), status.Error(codes.Aborted, "enough"))
	})
	var err error
	for err == nil {
		err = s.Send(&talkv1.ChatRequest{Text: "more"})
	}
	if !errors.Is(err, io.EOF) {
		t.Fatalf("Send returned %v", err)
	}
	if msg, err := s.Recv(); err != nil || msg.GetText() != "first" {
		t.Fatalf("got %v, %v", msg, err)
	}
	for range 2 {
		_, err = s.Recv()
		wantError(t, err, codes.Aborted, "enough")
	}
	if err := s.CloseSend(); err != nil {
		t.Errorf("CloseSend returned %v", err)
	}
}

func TestSendAfterCloseSendIsAnErrorThatEndsTheCall(t *testing.T) {
	served := make(chan error, 1)
	s := chat(t.Context(), t, waitForTheEnd(served))
	if _, err := s.Header(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.CloseSend(), s.CloseSend()); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.Send(&talkv1.ChatRequest{}), codes.Internal, "SendMsg of talk.v1.TalkService/Chat called after the last message")
	_, err := s.Recv()
	wantError(t, err, codes.Internal, "called after the last message")
	if err := <-served; !errors.Is(err, context.Canceled) {
		t.Errorf("the handler saw %v", err)
	}
}

func TestAMessageThatCannotBeEncodedEndsTheCall(t *testing.T) {
	s := chat(t.Context(), t, func(s grpc.BidiStreamingServer[talkv1.ChatRequest, talkv1.ChatResponse]) error {
		<-s.Context().Done()
		return nil
	})
	wantError(t, s.SendMsg("no message"), codes.Internal, "encode string as proto")
	wantCode(t, s.RecvMsg(new(talkv1.ChatResponse)), codes.Internal)
}

func TestHeaderIsThereBeforeTheFirstMessage(t *testing.T) {
	s := chat(t.Context(), t, func(s grpc.BidiStreamingServer[talkv1.ChatRequest, talkv1.ChatResponse]) error {
		if err := s.SendHeader(metadata.Pairs("note", "here")); err != nil {
			return err
		}
		_, err := s.Recv() // so the header is not sent with a message
		return err
	})
	h, err := s.Header()
	if err != nil || wantNote(h) != nil {
		t.Fatalf("got %v, %v", h, err)
	}
	if at, ok := peer.FromContext(s.Context()); !ok || at.Addr == nil {
		t.Errorf("the peer is %v", at)
	}
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	_, err = s.Recv()
	wantError(t, err, codes.Unknown, "EOF")
}

func TestACallThatOnlyFailsHasATrailerAndNoErrorOfHeader(t *testing.T) {
	var header, trailer metadata.MD
	s := chat(t.Context(), t, func(s grpc.BidiStreamingServer[talkv1.ChatRequest, talkv1.ChatResponse]) error {
		s.SetTrailer(metadata.Pairs("note", "here"))
		return status.Error(codes.NotFound, "nothing here")
	}, grpc.Header(&header), grpc.Trailer(&trailer))
	if h, err := s.Header(); err != nil || len(h) > 0 {
		t.Errorf("got header %v, %v", h, err)
	}
	_, err := s.Recv()
	wantCode(t, err, codes.NotFound)
	if wantNote(s.Trailer()) != nil || wantNote(trailer) != nil || len(header) > 0 {
		t.Errorf("got trailer %v, filled in %v and %v", s.Trailer(), header, trailer)
	}
}

func TestHeaderOfACallThatCouldNotBeAnsweredIsNil(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := chat(ctx, t, func(s grpc.BidiStreamingServer[talkv1.ChatRequest, talkv1.ChatResponse]) error {
		<-s.Context().Done()
		return nil
	})
	cancel()
	if h, err := s.Header(); h != nil || err != nil {
		t.Errorf("got %v, %v", h, err)
	}
	wantCode(t, s.RecvMsg(new(talkv1.ChatResponse)), codes.Canceled)
}

// The application does not touch the stream again, and yet the call ends.
func TestCancelEndsAnUnusedCall(t *testing.T) {
	finished, served := make(chan error, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	s := chat(ctx, t, waitForTheEnd(served), grpc.OnFinish(func(err error) { finished <- err }))
	if _, err := s.Header(); err != nil {
		t.Fatal(err)
	}
	cancel()
	wantCode(t, <-finished, codes.Canceled)
	if err := <-served; !errors.Is(err, context.Canceled) {
		t.Errorf("the handler saw %v", err)
	}
}

func TestAHandlerWhoseCallerHasLeftIsCanceled(t *testing.T) {
	told := make(chan error, 2)
	ctx, cancel := context.WithCancel(t.Context())
	s := chat(ctx, t, func(s grpc.BidiStreamingServer[talkv1.ChatRequest, talkv1.ChatResponse]) error {
		if err := s.SendHeader(nil); err != nil {
			return err
		}
		_, err := s.Recv()
		told <- err
		told <- s.Send(new(talkv1.ChatResponse))
		return nil
	})
	if _, err := s.Header(); err != nil {
		t.Fatal(err)
	}
	cancel()
	wantCode(t, <-told, codes.Canceled)
	wantCode(t, <-told, codes.Canceled)
}

// A mistake of the application. It does not end the call.
func TestOneOfTwoConcurrentRecvsFails(t *testing.T) {
	send := make(chan struct{})
	s := chat(t.Context(), t, func(s grpc.BidiStreamingServer[talkv1.ChatRequest, talkv1.ChatResponse]) error {
		<-send
		return s.Send(&talkv1.ChatResponse{Text: "one"})
	})
	got := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := s.Recv()
			got <- err
		}()
	}
	wantCode(t, <-got, codes.FailedPrecondition)
	close(send)
	wantCode(t, <-got, codes.OK)
	_, err := drain(s.Recv)
	wantCode(t, err, codes.OK)
}

func TestWaitForReadyWaitsForAServer(t *testing.T) {
	srv := rpc.NewServer()
	talkv1.RegisterTalkServiceServer(grpcparley.NewRegistrar(srv), talker{})
	var attempts atomic.Int32
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if attempts.Add(1) < 3 {
			http.Error(w, "not yet", http.StatusBadGateway)
			return
		}
		srv.ServeHTTP(w, r)
	}))
	defer web.Close()
	defer srv.Close()
	stub := talkv1.NewTalkServiceClient(grpcparley.NewClientConn(connect(t, "ws"+strings.TrimPrefix(web.URL, "http"))))
	_, err := stub.Say(t.Context(), new(talkv1.SayRequest))
	wantCode(t, err, codes.Unavailable)
	if _, err := stub.Say(t.Context(), new(talkv1.SayRequest), grpc.WaitForReady(true)); err != nil {
		t.Error(err)
	}
}

// flaky fails the first call of each method.
type flaky struct {
	talker
	said, listened *atomic.Int32
}

func (f flaky) Say(ctx context.Context, req *talkv1.SayRequest) (*talkv1.SayResponse, error) {
	if f.said.Add(1) == 1 {
		return nil, status.Error(codes.Unavailable, "not now")
	}
	return f.talker.Say(ctx, req)
}

func (f flaky) Listen(req *talkv1.ListenRequest, s grpc.ServerStreamingServer[talkv1.ListenResponse]) error {
	if f.listened.Add(1) == 1 {
		return status.Error(codes.Unavailable, "not now")
	}
	return f.talker.Listen(req, s)
}

// The .proto says that the call may be repeated.
func TestHarmlessMethodsAreTriedAgain(t *testing.T) {
	f := flaky{said: new(atomic.Int32), listened: new(atomic.Int32)}
	srv := rpc.NewServer()
	talkv1.RegisterTalkServiceServer(grpcparley.NewRegistrar(srv), f)
	url := listen(t, srv)
	policy := rpc.RetryPolicy{MaxAttempts: 2, Codes: []rpc.Code{rpc.CodeUnavailable}, InitialBackoff: time.Millisecond, MaxBackoff: time.Millisecond}
	stub := talkv1.NewTalkServiceClient(grpcparley.NewClientConn(connect(t, url, rpc.WithRetry(policy))))
	if _, err := stub.Say(t.Context(), new(talkv1.SayRequest)); err != nil {
		t.Error(err)
	}
	s, err := stub.Listen(t.Context(), &talkv1.ListenRequest{Text: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if texts, err := drain(s.Recv); err != nil || len(texts) != 1 {
		t.Errorf("got %q, %v", texts, err)
	}
	f.said.Store(0)
	stub = talkv1.NewTalkServiceClient(grpcparley.NewClientConn(connect(t, url)))
	_, err = stub.Say(t.Context(), new(talkv1.SayRequest))
	wantCode(t, err, codes.Unavailable)
}

func TestDeadlinesTravel(t *testing.T) {
	impl := chatter{say: func(ctx context.Context, req *talkv1.SayRequest) (*talkv1.SayResponse, error) {
		at, _ := ctx.Deadline()
		if req.GetText() == "wait" {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return &talkv1.SayResponse{Text: time.Until(at).String()}, nil
	}}
	impl.chat = func(s grpc.BidiStreamingServer[talkv1.ChatRequest, talkv1.ChatResponse]) error {
		<-s.Context().Done()
		return s.Context().Err()
	}
	stub := talkv1.NewTalkServiceClient(grpcparley.NewClientConn(talk(t, impl)))
	long, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	res, err := stub.Say(long, &talkv1.SayRequest{})
	if left, parseErr := time.ParseDuration(res.GetText()); err != nil || parseErr != nil || left <= 0 || left > time.Hour {
		t.Errorf("the handler has %v, %v", res, err)
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	s, err := stub.Chat(short)
	if err != nil {
		t.Fatal(err)
	}
	_, err = stub.Say(short, &talkv1.SayRequest{Text: "wait"})
	wantCode(t, err, codes.DeadlineExceeded)
	wantCode(t, s.RecvMsg(new(talkv1.ChatResponse)), codes.DeadlineExceeded)
	_, err = stub.Say(short, &talkv1.SayRequest{}) // its deadline has passed already
	wantCode(t, err, codes.DeadlineExceeded)
}

func TestBadNamesAndKeysAreRefused(t *testing.T) {
	cc := grpcparley.NewClientConn(talk(t, talker{}))
	for _, name := range []string{"", "/", "Say", "/talk.v1.TalkService", "/talk.v1.TalkService/", "//Say", "/a/b/c"} {
		err := cc.Invoke(t.Context(), name, new(talkv1.SayRequest), new(talkv1.SayResponse))
		wantError(t, err, codes.InvalidArgument, `has not the form "/package.Service/Method"`)
	}
	stub := talkv1.NewTalkServiceClient(cc)
	for _, pair := range [][2]string{{"no key", "x"}, {"key", "\x00"}, {"parley-own", "x"}} {
		_, err := stub.Say(metadata.AppendToOutgoingContext(t.Context(), pair[:]...), &talkv1.SayRequest{})
		wantError(t, err, codes.InvalidArgument, "metadata")
	}
	err := cc.Invoke(t.Context(), "/talk.v1.TalkService/Shout", new(talkv1.SayRequest), new(talkv1.SayResponse))
	wantError(t, err, codes.Unimplemented, "unknown method Shout")
	err = cc.Invoke(t.Context(), "/talk.v1.Nobody/Say", new(talkv1.SayRequest), new(talkv1.SayResponse))
	wantError(t, err, codes.Unimplemented, "unknown service talk.v1.Nobody")
}

// The caller uses another kind than the method's: neither end waits forever.
func TestCallsOfTheWrongKindFail(t *testing.T) {
	cc := grpcparley.NewClientConn(talk(t, talker{}))
	err := cc.Invoke(t.Context(), "/talk.v1.TalkService/Listen", &talkv1.ListenRequest{Text: "a b"}, new(talkv1.ListenResponse))
	wantError(t, err, codes.Internal, "more than one message")
	s, err := cc.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true}, "/talk.v1.TalkService/Say")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.RecvMsg(new(talkv1.SayResponse)), codes.Internal, "takes one message, received none")
}

func TestWithoutAServerCallsAreUnavailable(t *testing.T) {
	finished := 0
	cc := grpcparley.NewClientConn(connect(t, "ws://127.0.0.1:1/rpc"), grpcparley.WithCallOptions(grpc.OnFinish(func(err error) {
		wantCode(t, err, codes.Unavailable)
		finished++
	})))
	stub := talkv1.NewTalkServiceClient(cc)
	_, err := stub.Say(t.Context(), &talkv1.SayRequest{})
	wantCode(t, err, codes.Unavailable)
	_, err = stub.Chat(t.Context())
	wantCode(t, err, codes.Unavailable)
	if finished != 2 {
		t.Errorf("%d calls finished", finished)
	}
}

// A server calls a service of grpc that its client serves, by a stub of grpc.
func TestTheServerCallsTheClient(t *testing.T) {
	services := rpc.NewMux()
	talkv1.RegisterTalkServiceServer(grpcparley.NewRegistrar(services), talker{})
	connected := make(chan *rpc.Conn, 1)
	url := listen(t, rpc.NewServer(rpc.OnConnect(func(c *rpc.Conn) { connected <- c })))
	if _, err := connect(t, url, rpc.WithServices(services)).Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	stub := talkv1.NewTalkServiceClient(grpcparley.NewClientConn(<-connected))
	res, err := stub.Say(t.Context(), &talkv1.SayRequest{Text: "hello"})
	if err != nil || res.GetText() != "hello" {
		t.Errorf("got %v, %v", res, err)
	}
}
