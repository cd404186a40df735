package main

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/rpc"
)

// testCase is one of gRPC's cases.
type testCase struct {
	name string
	// stubs runs the case of package interop. A fault ends the process.
	stubs func(context.Context, channels[grpc.ClientConnInterface])
	// native runs the same case with calls of package rpc.
	native func(context.Context, channels[rpc.Caller]) error
}

// channels are the connections of a case.
type channels[C any] struct {
	shared C
	// another makes one more, with a connection of its own.
	another func(context.Context) (c C, closeIt func() error, err error)
}

// byStubs makes a case from a function of package interop.
func byStubs(do func(context.Context, testgrpc.TestServiceClient, ...grpc.CallOption)) func(context.Context, channels[grpc.ClientConnInterface]) {
	return func(ctx context.Context, c channels[grpc.ClientConnInterface]) {
		do(ctx, testgrpc.NewTestServiceClient(c.shared))
	}
}

// byCalls makes a case from calls on the shared channel.
func byCalls(do func(context.Context, rpc.Caller) error) func(context.Context, channels[rpc.Caller]) error {
	return func(ctx context.Context, c channels[rpc.Caller]) error { return do(ctx, c.shared) }
}

var cases = []testCase{
	{"empty_unary", byStubs(interop.DoEmptyUnaryCall), byCalls(emptyUnary)},
	{"large_unary", byStubs(interop.DoLargeUnaryCall), byCalls(largeUnary)},
	{"client_streaming", byStubs(interop.DoClientStreaming), byCalls(clientStreaming)},
	{"server_streaming", byStubs(interop.DoServerStreaming), byCalls(serverStreaming)},
	{"ping_pong", byStubs(interop.DoPingPong), byCalls(pingPong)},
	{"empty_stream", byStubs(interop.DoEmptyStream), byCalls(emptyStream)},
	{"timeout_on_sleeping_server", byStubs(interop.DoTimeoutOnSleepingServer), byCalls(timeoutOnSleepingServer)},
	{"cancel_after_begin", byStubs(interop.DoCancelAfterBegin), byCalls(cancelAfterBegin)},
	{"cancel_after_first_response", byStubs(interop.DoCancelAfterFirstResponse), byCalls(cancelAfterFirstResponse)},
	{"custom_metadata", byStubs(interop.DoCustomMetadata), byCalls(customMetadata)},
	{"status_code_and_message", byStubs(interop.DoStatusCodeAndMessage), byCalls(statusCodeAndMessage)},
	{"special_status_message", byStubs(interop.DoSpecialStatusMessage), byCalls(specialStatusMessage)},
	{"unimplemented_method", unimplementedMethodByStubs, byCalls(unimplementedMethod)},
	{"unimplemented_service", func(ctx context.Context, c channels[grpc.ClientConnInterface]) {
		interop.DoUnimplementedService(ctx, testgrpc.NewUnimplementedServiceClient(c.shared))
	}, byCalls(unimplementedService)},
	{"pick_first_unary", func(ctx context.Context, c channels[grpc.ClientConnInterface]) {
		interop.DoPickFirstUnary(ctx, testgrpc.NewTestServiceClient(c.shared))
	}, byCalls(pickFirstUnary)},
	{"per_rpc_creds", perRPCCredsByStubs, byCalls(perRPCCreds)},
	{"rpc_soak", rpcSoakByStubs, rpcSoak},
	{"channel_soak", channelSoakByStubs, channelSoak},
}

// unimplementedMethodByStubs is a case that package interop has only for grpc's
// own connections.
func unimplementedMethodByStubs(ctx context.Context, c channels[grpc.ClientConnInterface]) {
	err := c.shared.Invoke(ctx, "/grpc.testing.TestService/UnimplementedCall", nil, nil)
	if status.Code(err) != codes.Unimplemented {
		exit(status.Errorf(codes.Internal, "got %v, want code %v", err, codes.Unimplemented))
	}
}
