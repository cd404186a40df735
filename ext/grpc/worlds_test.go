package grpcparley_test

import (
	"context"
	"errors"
	"io"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	grpcparley "github.com/parley-rpc/parley/ext/grpc"
	talkv1 "github.com/parley-rpc/parley/ext/grpc/internal/gen/talk/v1"
	"github.com/parley-rpc/parley/ext/grpc/internal/gen/talk/v1/talkv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// outcome is everything that a caller learns of a call, in types of neither
// grpc nor parley.
type outcome struct {
	texts           []string
	header, trailer map[string][]string
	code            uint32
	message         string
	details         []*anypb.Any
}

// caller makes a call of the TalkService. It sends texts and metadata.
type caller func(ctx context.Context, kind string, texts []string, md map[string][]string) outcome

// grpcCaller calls by a stub of grpc.
func grpcCaller(client *rpc.Client) caller {
	stub := talkv1.NewTalkServiceClient(grpcparley.NewClientConn(client))
	return func(ctx context.Context, kind string, texts []string, md map[string][]string) (o outcome) {
		ctx = metadata.NewOutgoingContext(ctx, md)
		var header, trailer metadata.MD
		opts := []grpc.CallOption{grpc.Header(&header), grpc.Trailer(&trailer)}
		var err error
		switch kind {
		case "unary":
			o.texts, err = one(stub.Say(ctx, &talkv1.SayRequest{Text: texts[0]}, opts...))
		case "server stream":
			var s grpc.ServerStreamingClient[talkv1.ListenResponse]
			if s, err = stub.Listen(ctx, &talkv1.ListenRequest{Text: strings.Join(texts, " ")}, opts...); err == nil {
				o.texts, err = drain(s.Recv)
			}
		case "client stream":
			var s grpc.ClientStreamingClient[talkv1.TellRequest, talkv1.TellResponse]
			if s, err = stub.Tell(ctx, opts...); err == nil {
				for _, text := range texts {
					if s.Send(&talkv1.TellRequest{Text: text}) != nil {
						break // the status says why
					}
				}
				o.texts, err = one(s.CloseAndRecv())
			}
		case "bidi":
			var s grpc.BidiStreamingClient[talkv1.ChatRequest, talkv1.ChatResponse]
			if s, err = stub.Chat(ctx, opts...); err == nil {
				for _, text := range texts {
					if s.Send(&talkv1.ChatRequest{Text: text}) != nil {
						break
					}
				}
				_ = s.CloseSend()
				o.texts, err = drain(s.Recv)
			}
		}
		st := status.Convert(err)
		o.header, o.trailer = header, trailer
		o.code, o.message, o.details = uint32(st.Code()), st.Message(), st.Proto().GetDetails()
		return o
	}
}

// parleyCaller calls by a stub of parley.
func parleyCaller(client *rpc.Client) caller {
	stub := talkv1parley.NewTalkServiceClient(client)
	return func(ctx context.Context, kind string, texts []string, md map[string][]string) (o outcome) {
		var header, trailer rpc.Metadata
		opts := []rpc.CallOption{rpc.ReadHeader(&header), rpc.ReadTrailer(&trailer)}
		for key, values := range md {
			opts = append(opts, rpc.WithMetadata(key, values...))
		}
		var err error
		switch kind {
		case "unary":
			o.texts, err = one(stub.Say(ctx, &talkv1.SayRequest{Text: texts[0]}, opts...))
		case "server stream":
			var s rpc.Receiver[talkv1.ListenResponse]
			if s, err = stub.Listen(ctx, &talkv1.ListenRequest{Text: strings.Join(texts, " ")}, opts...); err == nil {
				o.texts, err = drain(s.Recv)
			}
		case "client stream":
			var s rpc.Upload[talkv1.TellRequest, talkv1.TellResponse]
			if s, err = stub.Tell(ctx, opts...); err == nil {
				for _, text := range texts {
					if s.Send(&talkv1.TellRequest{Text: text}) != nil {
						break
					}
				}
				o.texts, err = one(s.CloseAndRecv())
			}
		case "bidi":
			var s rpc.Duplex[talkv1.ChatRequest, talkv1.ChatResponse]
			if s, err = stub.Chat(ctx, opts...); err == nil {
				for _, text := range texts {
					if s.Send(&talkv1.ChatRequest{Text: text}) != nil {
						break
					}
				}
				_ = s.CloseSend()
				o.texts, err = drain(s.Recv)
			}
		}
		o.header, o.trailer = header, trailer
		var e *rpc.Error
		if errors.As(err, &e) {
			o.code, o.message, o.details = uint32(e.Code()), e.Message(), e.Details()
		}
		return o
	}
}

type textual interface{ GetText() string }

// one returns the text of the only response.
func one[T textual](msg T, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	return []string{msg.GetText()}, nil
}

// drain receives all responses.
func drain[T textual](recv func() (T, error)) (texts []string, err error) {
	for {
		msg, err := recv()
		if errors.Is(err, io.EOF) {
			return texts, nil
		}
		if err != nil {
			return texts, err
		}
		texts = append(texts, msg.GetText())
	}
}

// parleyTalker is like talker, with parley's stubs.
type parleyTalker struct {
	talkv1parley.UnimplementedTalkServiceServer
}

// parleyAnswer does what answer returns for the caller's metadata.
func parleyAnswer(ctx context.Context) error {
	call := rpc.FromContext(ctx)
	back, failure := answer(metadata.MD(call.Header()))
	for key, values := range back {
		if err := errors.Join(call.SetHeader(key, values...), call.SetTrailer(key, values...)); err != nil {
			return err
		}
	}
	if failure == nil {
		return nil
	}
	st := status.Convert(failure)
	e := rpc.Errorf(rpc.Code(st.Code()), "%s", st.Message())
	for _, d := range st.Proto().GetDetails() {
		e = e.WithDetail(d)
	}
	return e
}

func (parleyTalker) Say(ctx context.Context, req *talkv1.SayRequest) (*talkv1.SayResponse, error) {
	return &talkv1.SayResponse{Text: req.GetText()}, parleyAnswer(ctx)
}

func (parleyTalker) Listen(ctx context.Context, req *talkv1.ListenRequest, out rpc.Sender[talkv1.ListenResponse]) error {
	failure := parleyAnswer(ctx)
	for word := range strings.SplitSeq(req.GetText(), " ") {
		if err := out.Send(&talkv1.ListenResponse{Text: word}); err != nil {
			return err
		}
	}
	return failure
}

func (parleyTalker) Tell(ctx context.Context, in rpc.Receiver[talkv1.TellRequest]) (*talkv1.TellResponse, error) {
	failure := parleyAnswer(ctx)
	words, err := drain(in.Recv)
	if err != nil {
		return nil, err
	}
	return &talkv1.TellResponse{Text: strings.Join(words, " ")}, failure
}

func (parleyTalker) Chat(ctx context.Context, in rpc.Receiver[talkv1.ChatRequest], out rpc.Sender[talkv1.ChatResponse]) error {
	failure := parleyAnswer(ctx)
	for req, err := range in.All() {
		if err != nil {
			return err
		}
		if err := out.Send(&talkv1.ChatResponse{Text: req.GetText()}); err != nil {
			return err
		}
	}
	return failure
}

// Four pairs of client and server, four kinds of calls: messages, metadata,
// statuses and details are the same.
func TestStubsOfEitherWorldReachServicesOfEitherWorld(t *testing.T) {
	servers := map[string]func(*rpc.Server){
		"grpc": func(srv *rpc.Server) {
			talkv1.RegisterTalkServiceServer(grpcparley.NewRegistrar(srv), talker{})
		},
		"parley": func(srv *rpc.Server) { talkv1parley.RegisterTalkServiceServer(srv, parleyTalker{}) },
	}
	callers := map[string]func(*rpc.Client) caller{"grpc": grpcCaller, "parley": parleyCaller}
	for server, register := range servers {
		srv := rpc.NewServer()
		register(srv)
		url := listen(t, srv)
		for client, newCaller := range callers {
			call := newCaller(connect(t, url))
			for _, kind := range []string{"unary", "server stream", "client stream", "bidi"} {
				t.Run(client+" calls "+server+", "+kind, func(t *testing.T) { checkOutcomes(t, call, kind) })
			}
		}
	}
}

func checkOutcomes(t *testing.T, call caller, kind string) {
	long := strings.Repeat("x", 300_000)
	texts, want := []string{"a", long, "c"}, []string{"a", long, "c"}
	switch kind {
	case "unary":
		texts, want = texts[1:2], want[1:2]
	case "client stream":
		want = []string{strings.Join(texts, " ")}
	}
	md := map[string][]string{"note": {"1", "2"}, "note-bin": {"\x00\xff"}}
	got := call(t.Context(), kind, texts, md)
	if got.code != 0 || !reflect.DeepEqual(got.texts, want) || !reflect.DeepEqual(got.header, md) || !reflect.DeepEqual(got.trailer, md) {
		t.Errorf("got %.200v", got)
	}
	detail, err := anypb.New(&talkv1.SayRequest{Text: "a detail"})
	if err != nil {
		t.Fatal(err)
	}
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		fails := map[string][]string{"fail": {strconv.Itoa(int(code))}, "note": {"3"}}
		back := map[string][]string{"note": {"3"}}
		got := call(t.Context(), kind, []string{"a"}, fails)
		if got.code != uint32(code) || got.message != "asked to fail: "+strconv.Itoa(int(code)) ||
			len(got.details) != 1 || !proto.Equal(got.details[0], detail) ||
			!reflect.DeepEqual(got.header, back) || !reflect.DeepEqual(got.trailer, back) {
			t.Errorf("%v: got %v", code, got)
		}
		if streams := kind == "server stream" || kind == "bidi"; streams != (len(got.texts) == 1) {
			t.Errorf("%v: got %q ahead of the status", code, got.texts)
		}
	}
}
