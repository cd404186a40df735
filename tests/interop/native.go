package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	testpb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/parley-rpc/parley/rpc"
)

// The cases of package interop with parley's generated code, with the same
// values and the same checks.

const service = "grpc.testing.TestService"

var (
	emptyCall       = &rpc.Method{Service: service, Name: "EmptyCall"}
	unaryCall       = &rpc.Method{Service: service, Name: "UnaryCall"}
	streamingOutput = &rpc.Method{Service: service, Name: "StreamingOutputCall", ServerStreams: true}
	streamingInput  = &rpc.Method{Service: service, Name: "StreamingInputCall", ClientStreams: true}
	fullDuplex      = &rpc.Method{Service: service, Name: "FullDuplexCall", ClientStreams: true, ServerStreams: true}
)

// Sizes that package interop uses, in bytes.
var (
	requestSizes  = []int{27182, 8, 1828, 45904}
	responseSizes = []int32{31415, 9, 2653, 58979}
)

const (
	largeRequest  = 271828
	largeResponse = 314159
)

func payload(size int) *testpb.Payload { return &testpb.Payload{Body: make([]byte, size)} }

// ask is a request for one response of a size.
func ask(request int, response int32) *testpb.StreamingOutputCallRequest {
	return &testpb.StreamingOutputCallRequest{
		ResponseParameters: []*testpb.ResponseParameters{{Size: response}},
		Payload:            payload(request),
	}
}

// duplex starts a call of FullDuplexCall.
func duplex(ctx context.Context, c rpc.Caller, opts ...rpc.CallOption) (rpc.Duplex[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse], error) {
	return rpc.CallBidi[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse](ctx, c, fullDuplex, opts...)
}

// wantSize checks the size of a response.
func wantSize(p *testpb.Payload, size int32) error {
	if p.GetType() != testpb.PayloadType_COMPRESSABLE || len(p.GetBody()) != int(size) {
		return fmt.Errorf("got type %v and %d bytes, want %d", p.GetType(), len(p.GetBody()), size)
	}
	return nil
}

func wantCode(err error, code rpc.Code) error {
	if rpc.CodeOf(err) != code {
		return fmt.Errorf("want code %s, got %w", code.String(), err)
	}
	return nil
}

// wantEnd checks that no message is left and the status is OK.
func wantEnd(err error) error {
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("want the end, got %w", err)
	}
	return nil
}

func emptyUnary(ctx context.Context, c rpc.Caller) error {
	_, err := rpc.CallUnary[testpb.Empty, testpb.Empty](ctx, c, emptyCall, new(testpb.Empty))
	return err
}

func largeUnary(ctx context.Context, c rpc.Caller) error {
	req := &testpb.SimpleRequest{ResponseSize: largeResponse, Payload: payload(largeRequest)}
	res, err := rpc.CallUnary[testpb.SimpleRequest, testpb.SimpleResponse](ctx, c, unaryCall, req)
	if err != nil {
		return err
	}
	return wantSize(res.GetPayload(), largeResponse)
}

func clientStreaming(ctx context.Context, c rpc.Caller) error {
	s, err := rpc.CallClientStream[testpb.StreamingInputCallRequest, testpb.StreamingInputCallResponse](ctx, c, streamingInput)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // Recv tells the status
	sum := 0
	for _, size := range requestSizes {
		if err := s.Send(&testpb.StreamingInputCallRequest{Payload: payload(size)}); err != nil {
			return err
		}
		sum += size
	}
	res, err := s.CloseAndRecv()
	if err != nil {
		return err
	}
	if int(res.GetAggregatedPayloadSize()) != sum {
		return fmt.Errorf("got the sum %d, want %d", res.GetAggregatedPayloadSize(), sum)
	}
	return nil
}

func serverStreaming(ctx context.Context, c rpc.Caller) error {
	req := new(testpb.StreamingOutputCallRequest)
	for _, size := range responseSizes {
		req.ResponseParameters = append(req.ResponseParameters, &testpb.ResponseParameters{Size: size})
	}
	s, err := rpc.CallServerStream[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse](ctx, c, streamingOutput, req)
	if err != nil {
		return err
	}
	left := responseSizes
	for res, err := range s.All() {
		switch {
		case err != nil:
			return err
		case len(left) == 0:
			return errors.New("got more answers than were asked for")
		}
		if err := wantSize(res.GetPayload(), left[0]); err != nil {
			return err
		}
		left = left[1:]
	}
	if len(left) > 0 {
		return fmt.Errorf("%d answers are missing", len(left))
	}
	return nil
}

func pingPong(ctx context.Context, c rpc.Caller) error {
	s, err := duplex(ctx, c)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // Recv tells the status
	for i, size := range requestSizes {
		if err := s.Send(ask(size, responseSizes[i])); err != nil {
			return err
		}
		res, err := s.Recv()
		if err != nil {
			return err
		}
		if err := wantSize(res.GetPayload(), responseSizes[i]); err != nil {
			return err
		}
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	_, err = s.Recv()
	return wantEnd(err)
}

func emptyStream(ctx context.Context, c rpc.Caller) error {
	s, err := duplex(ctx, c)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // Recv tells the status
	if err := s.CloseSend(); err != nil {
		return err
	}
	_, err = s.Recv()
	return wantEnd(err)
}

func timeoutOnSleepingServer(ctx context.Context, c rpc.Caller) error {
	s, err := duplex(ctx, c, rpc.WithTimeout(time.Millisecond))
	if err != nil {
		return wantCode(err, rpc.CodeDeadlineExceeded)
	}
	defer s.Close() //nolint:errcheck // Recv tells the status
	if err := s.Send(&testpb.StreamingOutputCallRequest{Payload: payload(27182)}); err != nil {
		return wantCode(err, rpc.CodeDeadlineExceeded)
	}
	_, err = s.Recv()
	return wantCode(err, rpc.CodeDeadlineExceeded)
}

func cancelAfterBegin(ctx context.Context, c rpc.Caller) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := rpc.CallClientStream[testpb.StreamingInputCallRequest, testpb.StreamingInputCallResponse](ctx, c, streamingInput,
		rpc.WithMetadata("key1", "value1"), rpc.WithMetadata("key2", "value2"))
	if err != nil {
		return err
	}
	cancel()
	_, err = s.CloseAndRecv()
	return wantCode(err, rpc.CodeCanceled)
}

func cancelAfterFirstResponse(ctx context.Context, c rpc.Caller) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := duplex(ctx, c)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // Recv tells the status
	if err := s.Send(ask(27182, 31415)); err != nil {
		return err
	}
	if _, err := s.Recv(); err != nil {
		return err
	}
	cancel()
	_, err = s.Recv()
	return wantCode(err, rpc.CodeCanceled)
}

func customMetadata(ctx context.Context, c rpc.Caller) error {
	const inHeader, inTrailer = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"
	const first, last = "test_initial_metadata_value", "\x0a\x0b\x0a\x0b\x0a\x0b"
	var header, trailer rpc.Metadata
	opts := []rpc.CallOption{
		rpc.WithMetadata(inHeader, first), rpc.WithMetadata(inTrailer, last),
		rpc.ReadHeader(&header), rpc.ReadTrailer(&trailer),
	}
	check := func() error {
		if h, t := header[inHeader], trailer[inTrailer]; !slices.Equal(h, []string{first}) || !slices.Equal(t, []string{last}) {
			return fmt.Errorf("got the header %q and the trailer %q", header, trailer)
		}
		return nil
	}
	res, err := rpc.CallUnary[testpb.SimpleRequest, testpb.SimpleResponse](ctx, c, unaryCall,
		&testpb.SimpleRequest{ResponseSize: 1, Payload: payload(1)}, opts...)
	if err := errors.Join(err, wantSize(res.GetPayload(), 1), check()); err != nil {
		return err
	}
	header, trailer = nil, nil
	s, err := duplex(ctx, c, opts...)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // Recv tells the status
	if err := s.Send(ask(1, 1)); err != nil {
		return err
	}
	if _, err := s.Recv(); err != nil {
		return err
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	_, err = s.Recv()
	return errors.Join(wantEnd(err), check())
}

// wantStatus checks a status of code 2, UNKNOWN.
func wantStatus(err error, message string) error {
	var e *rpc.Error
	if !errors.As(err, &e) || e.Code() != rpc.CodeUnknown || e.Message() != message {
		return fmt.Errorf("want UNKNOWN: %q, got %w", message, err)
	}
	return nil
}

func statusCodeAndMessage(ctx context.Context, c rpc.Caller) error {
	const message = "test status message"
	st := &testpb.EchoStatus{Code: int32(rpc.CodeUnknown), Message: message}
	_, err := rpc.CallUnary[testpb.SimpleRequest, testpb.SimpleResponse](ctx, c, unaryCall, &testpb.SimpleRequest{ResponseStatus: st})
	if err := wantStatus(err, message); err != nil {
		return err
	}
	s, err := duplex(ctx, c)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // Recv tells the status
	if err := s.Send(&testpb.StreamingOutputCallRequest{ResponseStatus: st}); err != nil {
		return err
	}
	if err := s.CloseSend(); err != nil { // the status may have come
		return wantStatus(err, message)
	}
	_, err = s.Recv()
	return wantStatus(err, message)
}

func specialStatusMessage(ctx context.Context, c rpc.Caller) error {
	const message = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
	st := &testpb.EchoStatus{Code: int32(rpc.CodeUnknown), Message: message}
	_, err := rpc.CallUnary[testpb.SimpleRequest, testpb.SimpleResponse](ctx, c, unaryCall,
		&testpb.SimpleRequest{ResponseStatus: st}, rpc.WithTimeout(10*time.Second))
	return wantStatus(err, message)
}

func unimplementedMethod(ctx context.Context, c rpc.Caller) error {
	m := &rpc.Method{Service: service, Name: "UnimplementedCall"}
	_, err := rpc.CallUnary[testpb.Empty, testpb.Empty](ctx, c, m, new(testpb.Empty))
	return wantCode(err, rpc.CodeUnimplemented)
}

func unimplementedService(ctx context.Context, c rpc.Caller) error {
	m := &rpc.Method{Service: "grpc.testing.UnimplementedService", Name: "UnimplementedCall"}
	_, err := rpc.CallUnary[testpb.Empty, testpb.Empty](ctx, c, m, new(testpb.Empty))
	return wantCode(err, rpc.CodeUnimplemented)
}
