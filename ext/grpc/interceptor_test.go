package grpcparley_test

import (
	"context"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	grpcparley "github.com/parley-rpc/parley/ext/grpc"
	talkv1 "github.com/parley-rpc/parley/ext/grpc/internal/gen/talk/v1"
)

func TestClientInterceptorsRunInOrderAndMayChangeTheCall(t *testing.T) {
	var order []string
	mark := func(name string) grpc.UnaryClientInterceptor {
		return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			order = append(order, name+method+cc.Target())
			ctx = metadata.AppendToOutgoingContext(ctx, "note", name)
			return invoke(ctx, method, req, reply, cc, opts...)
		}
	}
	markStream := func(name string) grpc.StreamClientInterceptor {
		return func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			order = append(order, name+method)
			ctx = metadata.AppendToOutgoingContext(ctx, "note", name)
			return streamer(ctx, desc, cc, method, opts...)
		}
	}
	stub := talkv1.NewTalkServiceClient(grpcparley.NewClientConn(talk(t, talker{}),
		grpcparley.WithUnaryClientInterceptors(mark("one"), mark("two")), grpcparley.WithUnaryClientInterceptors(mark("three")),
		grpcparley.WithStreamClientInterceptors(markStream("one"), markStream("two"))))
	var header metadata.MD
	if _, err := stub.Say(t.Context(), &talkv1.SayRequest{}, grpc.Header(&header)); err != nil {
		t.Fatal(err)
	}
	const say, list = "/talk.v1.TalkService/Say", "/talk.v1.TalkService/Listen"
	if !slices.Equal(order, []string{"one" + say, "two" + say, "three" + say}) || !slices.Equal(header["note"], []string{"one", "two", "three"}) {
		t.Errorf("in order %q, header %v", order, header)
	}
	order = nil
	s, err := stub.Listen(t.Context(), &talkv1.ListenRequest{Text: "a b"})
	if err != nil {
		t.Fatal(err)
	}
	if texts, err := drain(s.Recv); err != nil || !slices.Equal(texts, []string{"a", "b"}) {
		t.Errorf("got %q, %v", texts, err)
	}
	if header, _ := s.Header(); !slices.Equal(order, []string{"one" + list, "two" + list}) || !slices.Equal(header["note"], []string{"one", "two"}) {
		t.Errorf("in order %q, header %v", order, header)
	}
}

// An interceptor of the server gets the method and the metadata, and may refuse
// the call.
func TestServerInterceptorsRunInOrderAndMayRefuseTheCall(t *testing.T) {
	mark := func(name string) grpc.UnaryServerInterceptor {
		return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			if method, ok := grpc.Method(ctx); !ok || method != info.FullMethod {
				return nil, status.Errorf(codes.Internal, "the method is %q, or %q", info.FullMethod, method)
			}
			if err := grpc.SetHeader(ctx, metadata.Pairs("order", name)); err != nil {
				return nil, err
			}
			return handler(ctx, req)
		}
	}
	markStream := func(name string) grpc.StreamServerInterceptor {
		return func(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			if _, ok := srv.(talker); !ok || !info.IsClientStream || !info.IsServerStream || info.FullMethod != "/talk.v1.TalkService/Chat" {
				return status.Errorf(codes.Internal, "%T serves %v", srv, info)
			}
			if err := s.SetHeader(metadata.Pairs("order", name)); err != nil {
				return err
			}
			return handler(srv, s)
		}
	}
	refuse := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		if len(metadata.ValueFromIncomingContext(ctx, "refuse")) > 0 {
			return nil, status.Error(codes.PermissionDenied, "refused")
		}
		return handler(ctx, req)
	}
	stub := talkv1.NewTalkServiceClient(grpcparley.NewClientConn(talk(t, talker{},
		grpcparley.WithUnaryServerInterceptors(mark("one"), mark("two"), refuse),
		grpcparley.WithStreamServerInterceptors(markStream("one"), markStream("two")))))
	for range 2 {
		var header metadata.MD
		res, err := stub.Say(t.Context(), &talkv1.SayRequest{Text: "hello"}, grpc.Header(&header))
		if err != nil || res.GetText() != "hello" || !slices.Equal(header["order"], []string{"one", "two"}) {
			t.Errorf("got %v, %v, header %v", res, err, header)
		}
	}
	_, err := stub.Say(metadata.AppendToOutgoingContext(t.Context(), "refuse", "yes"), &talkv1.SayRequest{})
	wantError(t, err, codes.PermissionDenied, "refused")
	s, err := stub.Chat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if header, err := s.Header(); err != nil || !slices.Equal(header["order"], []string{"one", "two"}) {
		t.Errorf("got header %v, %v", header, err)
	}
}
