package grpcparley_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	grpcparley "github.com/parley-rpc/parley/ext/grpc"
	talkv1 "github.com/parley-rpc/parley/ext/grpc/internal/gen/talk/v1"
)

// recorder is a stats.Handler that records its events.
type recorder struct {
	stats.Handler // its methods for connections are not called
	ended         chan struct{}

	mu     sync.Mutex
	events []string
}

func newRecorder() *recorder { return &recorder{ended: make(chan struct{}, 1)} }

type taggedKey struct{}

func (r *recorder) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	if md, ok := metadata.FromIncomingContext(ctx); ok { // a server gets what the client has added
		r.note("traced %q", md.Get("trace"))
		if _, ok := peer.FromContext(ctx); !ok {
			r.note("no peer")
		}
	} else {
		ctx = metadata.AppendToOutgoingContext(ctx, "trace", "7")
	}
	return context.WithValue(ctx, taggedKey{}, info.FullMethodName)
}

func (r *recorder) HandleRPC(ctx context.Context, s stats.RPCStats) {
	if ctx.Value(taggedKey{}) != "/talk.v1.TalkService/Say" && ctx.Value(taggedKey{}) != "/talk.v1.TalkService/Chat" {
		r.note("not tagged")
	}
	switch s := s.(type) {
	case *stats.Begin:
		r.note("begin %t %t", s.IsClientStream, s.IsServerStream)
	case *stats.OutHeader:
		r.note("out header %q", s.Header.Get("note"))
	case *stats.InHeader:
		r.note("in header %q", s.Header.Get("note"))
	case *stats.OutPayload:
		r.note("out payload %d", s.Length)
	case *stats.InPayload:
		r.note("in payload %d", s.Length)
	case *stats.OutTrailer:
		r.note("out trailer %q", s.Trailer.Get("note"))
	case *stats.InTrailer:
		r.note("in trailer %q", s.Trailer.Get("note"))
	case *stats.End:
		r.note("end %v %t", status.Code(s.Error), s.EndTime.Before(s.BeginTime))
		r.ended <- struct{}{}
	}
}

func (r *recorder) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, fmt.Sprintf(format, args...))
}

// want waits for the end of a call, and compares its events.
func (r *recorder) want(t *testing.T, events ...string) {
	t.Helper()
	<-r.ended
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.events, events) {
		t.Errorf("got %q, want %q", r.events, events)
	}
	r.events = nil
}

func TestStatsHandlersSeeEachCallAtBothEnds(t *testing.T) {
	client, server := newRecorder(), newRecorder()
	cc := grpcparley.NewClientConn(talk(t, talker{}, grpcparley.WithStatsHandler(server)), grpcparley.WithStatsHandler(client))
	stub := talkv1.NewTalkServiceClient(cc)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "note", "n")

	if _, err := stub.Say(ctx, &talkv1.SayRequest{Text: "hello"}); err != nil {
		t.Fatal(err)
	}
	client.want(t, "begin false false", `out header ["n"]`, "out payload 7", `in header ["n"]`, "in payload 7", `in trailer ["n"]`, "end OK false")
	server.want(t, `traced ["7"]`, `in header ["n"]`, "begin false false", "in payload 7", `out header ["n"]`, "out payload 7", `out trailer ["n"]`, "end OK false")

	_, err := stub.Say(metadata.AppendToOutgoingContext(ctx, "fail", "5"), &talkv1.SayRequest{})
	wantCode(t, err, codes.NotFound)
	client.want(t, "begin false false", `out header ["n"]`, "out payload 0", `in header ["n"]`, `in trailer ["n"]`, "end NotFound false")
	server.want(t, `traced ["7"]`, `in header ["n"]`, "begin false false", "in payload 0", `out header ["n"]`, `out trailer ["n"]`, "end NotFound false")

	s, err := stub.Chat(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"a", "bc"} {
		if err := s.Send(&talkv1.ChatRequest{Text: text}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := drain(s.Recv); err != nil {
		t.Fatal(err)
	}
	client.want(t, "begin true true", `out header ["n"]`, "out payload 3", `in header ["n"]`, "in payload 3", "out payload 4", "in payload 4", `in trailer ["n"]`, "end OK false")
	server.want(t, `traced ["7"]`, `in header ["n"]`, "begin true true", "in payload 3", `out header ["n"]`, "out payload 3", "in payload 4", "out payload 4", `out trailer ["n"]`, "end OK false")
}

func TestACallThatCouldNotStartIsReportedToo(t *testing.T) {
	client := newRecorder()
	stub := talkv1.NewTalkServiceClient(grpcparley.NewClientConn(connect(t, "ws://127.0.0.1:1/rpc"), grpcparley.WithStatsHandler(client)))
	_, err := stub.Say(t.Context(), &talkv1.SayRequest{})
	wantCode(t, err, codes.Unavailable)
	client.want(t, "begin false false", "end Unavailable false")
}

func TestAHandlerThatPanicsHasAnEnd(t *testing.T) {
	server := newRecorder()
	impl := chatter{chat: func(grpc.BidiStreamingServer[talkv1.ChatRequest, talkv1.ChatResponse]) error { panic("on purpose") }}
	stub := talkv1.NewTalkServiceClient(grpcparley.NewClientConn(talk(t, impl, grpcparley.WithStatsHandler(server))))
	s, err := stub.Chat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, s.RecvMsg(new(talkv1.ChatResponse)), codes.Internal, "panicked")
	server.want(t, "traced []", "in header []", "begin true true", "out trailer []", "end Internal false")
}
