package main

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/rpc"
)

// server extends package interop's server with what the cases of credentials
// and balancers need: the identity of the caller, and the name of the server.
type server struct{ testpb.TestServiceServer }

func (s server) UnaryCall(ctx context.Context, in *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	res, err := s.TestServiceServer.UnaryCall(ctx, in)
	if err != nil {
		return nil, err
	}
	if in.GetFillServerId() {
		res.ServerId = fmt.Sprintf("%p", s.TestServiceServer)
	}
	if in.GetFillUsername() {
		for _, v := range metadata.ValueFromIncomingContext(ctx, "authorization") {
			res.Username += v
		}
	}
	return res, nil
}

// token is call credentials that do not need Google.
type token struct {
	value  string
	secure bool
}

func (t token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": t.value}, nil
}

func (t token) RequireTransportSecurity() bool { return t.secure }

// wantUser checks the user that a server has seen.
func wantUser(res *testpb.SimpleResponse, err error, user string) error {
	if err == nil && res.GetUsername() != user {
		err = fmt.Errorf("the server has seen %q, want %q", res.GetUsername(), user)
	}
	return err
}

// perRPCCredsByStubs makes calls with credentials of their own, one after the
// other over one connection. Credentials that require TLS are not sent without
// it.
func perRPCCredsByStubs(ctx context.Context, c channels[grpc.ClientConnInterface]) {
	client := testpb.NewTestServiceClient(c.shared)
	for _, user := range []string{"Bearer alice", "Bearer bob"} {
		res, err := client.UnaryCall(ctx, whoAmI(), grpc.PerRPCCredentials(token{value: user}))
		if err := wantUser(res, err, user); err != nil {
			exit(err)
		}
	}
	_, err := client.UnaryCall(ctx, whoAmI(), grpc.PerRPCCredentials(token{value: "Bearer carol", secure: true}))
	if status.Code(err) != codes.Unauthenticated {
		exit(fmt.Errorf("credentials that need TLS, without it: %w, want %v", err, codes.Unauthenticated))
	}
}

func whoAmI() *testpb.SimpleRequest {
	return &testpb.SimpleRequest{ResponseSize: largeResponse, Payload: payload(largeRequest), FillUsername: true}
}

func perRPCCreds(ctx context.Context, c rpc.Caller) error {
	for _, user := range []string{"Bearer alice", "Bearer bob"} {
		res, err := rpc.CallUnary[testpb.SimpleRequest, testpb.SimpleResponse](ctx, c, unaryCall, whoAmI(), rpc.WithMetadata("authorization", user))
		if err := wantUser(res, err, user); err != nil {
			return err
		}
	}
	return nil
}

// pickFirstUnary checks that the same server answers each of many calls.
func pickFirstUnary(ctx context.Context, c rpc.Caller) error {
	first := ""
	for range 100 {
		res, err := rpc.CallUnary[testpb.SimpleRequest, testpb.SimpleResponse](ctx, c, unaryCall,
			&testpb.SimpleRequest{ResponseSize: 1, Payload: payload(1), FillServerId: true})
		if err != nil {
			return err
		}
		if id := res.GetServerId(); id == "" || first != "" && id != first {
			return fmt.Errorf("server %q has answered, before it was %q", id, first)
		}
		first = res.GetServerId()
	}
	return nil
}
