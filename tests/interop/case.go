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
	// stubs runs it as package interop has it. A fault ends the process.
	stubs func(context.Context, grpc.ClientConnInterface)
	// native is the same with calls of package rpc.
	native func(context.Context, rpc.Caller) error
}

// byStubs makes a case of a function of package interop.
func byStubs(do func(context.Context, testgrpc.TestServiceClient, ...grpc.CallOption)) func(context.Context, grpc.ClientConnInterface) {
	return func(ctx context.Context, cc grpc.ClientConnInterface) { do(ctx, testgrpc.NewTestServiceClient(cc)) }
}

var cases = []testCase{
	{"empty_unary", byStubs(interop.DoEmptyUnaryCall), emptyUnary},
	{"large_unary", byStubs(interop.DoLargeUnaryCall), largeUnary},
	{"client_streaming", byStubs(interop.DoClientStreaming), clientStreaming},
	{"server_streaming", byStubs(interop.DoServerStreaming), serverStreaming},
	{"ping_pong", byStubs(interop.DoPingPong), pingPong},
	{"empty_stream", byStubs(interop.DoEmptyStream), emptyStream},
	{"timeout_on_sleeping_server", byStubs(interop.DoTimeoutOnSleepingServer), timeoutOnSleepingServer},
	{"cancel_after_begin", byStubs(interop.DoCancelAfterBegin), cancelAfterBegin},
	{"cancel_after_first_response", byStubs(interop.DoCancelAfterFirstResponse), cancelAfterFirstResponse},
	{"custom_metadata", byStubs(interop.DoCustomMetadata), customMetadata},
	{"status_code_and_message", byStubs(interop.DoStatusCodeAndMessage), statusCodeAndMessage},
	{"special_status_message", byStubs(interop.DoSpecialStatusMessage), specialStatusMessage},
	{"unimplemented_method", unimplementedMethodByStubs, unimplementedMethod},
	{"unimplemented_service", func(ctx context.Context, cc grpc.ClientConnInterface) {
		interop.DoUnimplementedService(ctx, testgrpc.NewUnimplementedServiceClient(cc))
	}, unimplementedService},
}

// unimplementedMethodByStubs is what package interop has for a connection of grpc's own
// only.
func unimplementedMethodByStubs(ctx context.Context, cc grpc.ClientConnInterface) {
	err := cc.Invoke(ctx, "/grpc.testing.TestService/UnimplementedCall", nil, nil)
	if status.Code(err) != codes.Unimplemented {
		exit(status.Errorf(codes.Internal, "got %v, want code %v", err, codes.Unimplemented))
	}
}
