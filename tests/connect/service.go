package main

import (
	"context"
	"errors"
	"io"
	"net/url"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/parley-rpc/parley/rpc"
)

// register registers the service of the tests. Unimplemented has no handler.
func (s *schema) register(srv *rpc.Server) {
	svc := &rpc.Service{Name: string(s.service.FullName())}
	handlers := map[protoreflect.Name]func(*testCall) error{
		"Unary": (*testCall).respond, "IdempotentUnary": (*testCall).respond, "ClientStream": (*testCall).respond,
		"ServerStream": (*testCall).stream, "BidiStream": (*testCall).stream,
	}
	for name, handle := range handlers {
		d := s.service.Methods().ByName(name)
		m := &rpc.Method{
			Service: svc.Name, Name: string(name), ClientStreams: d.IsStreamingClient(), ServerStreams: d.IsStreamingServer(),
		}
		if name == "IdempotentUnary" {
			m.Idempotency = rpc.NoSideEffects
		}
		svc.Methods = append(svc.Methods, rpc.ServiceMethod{Method: m, Handler: func(ctx context.Context, st rpc.Stream) error {
			return handle(&testCall{schema: s, Stream: st, ctx: ctx, method: d})
		}})
	}
	srv.Register(svc)
}

// testCall is a call, which does what its first request says.
type testCall struct {
	*schema
	rpc.Stream
	ctx        context.Context
	method     protoreflect.MethodDescriptor
	definition *message   // of the response; nil: none
	fullDuplex bool       // each request has its response
	requests   []*message // that no response has reported
	sent       int        // messages
}

// receive receives the next request.
func (c *testCall) receive() error {
	req := &message{dynamicpb.NewMessage(c.method.Input())}
	if err := c.Recv(req.Message); err != nil {
		return err
	}
	if len(c.requests) == 0 && c.sent == 0 {
		c.definition = req.sub("response_definition")
		c.fullDuplex = c.method.Name() == "BidiStream" && req.value("full_duplex").Bool()
	}
	c.requests = append(c.requests, req)
	return nil
}

// receiveAll receives all requests.
func (c *testCall) receiveAll() error {
	for {
		if err := c.receive(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// respond answers all requests with one response.
func (c *testCall) respond() error {
	if err := c.receiveAll(); err != nil {
		return err
	}
	if c.definition == nil {
		return c.send(nil)
	}
	if err := c.setMetadata(); err != nil {
		return err
	}
	if err := c.wait(); err != nil {
		return err
	}
	if c.definition.has("error") {
		return c.fail()
	}
	return c.send(c.definition.value("response_data").Bytes())
}

// stream answers with any number of responses: after the only request or after
// all, or one after each.
func (c *testCall) stream() error {
	if err := c.receive(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if !c.fullDuplex {
		if err := c.receiveAll(); err != nil {
			return err
		}
	}
	if c.definition == nil {
		return nil
	}
	if err := errors.Join(c.setMetadata(), c.Call().SendHeader()); err != nil {
		return err
	}
	responses := c.definition.value("response_data").List()
	for i := range responses.Len() {
		if err := c.wait(); err != nil {
			return err
		}
		if err := c.send(responses.Get(i).Bytes()); err != nil {
			return err
		}
		if !c.fullDuplex {
			continue
		}
		c.requests = nil
		if err := c.receive(); errors.Is(err, io.EOF) {
			c.fullDuplex = false
		} else if err != nil {
			return err
		}
	}
	if c.definition.has("error") {
		return c.fail()
	}
	return nil
}

// setMetadata sets the header and the trailer of the response.
func (c *testCall) setMetadata() error {
	for name, set := range map[protoreflect.Name]func(string, ...string) error{
		"response_headers": c.Call().SetHeader, "response_trailers": c.Call().SetTrailer,
	} {
		for _, h := range c.definition.list(name) {
			values := h.value("value").List()
			for i := range values.Len() {
				if err := set(h.value("name").String(), decoded(h.value("name").String(), values.Get(i).String())); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// wait waits as long as the response is to take.
func (c *testCall) wait() error {
	delay := time.NewTimer(time.Duration(c.definition.value("response_delay_ms").Uint()) * time.Millisecond)
	defer delay.Stop()
	select {
	case <-delay.C:
		return nil
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}

// send sends a response.
func (c *testCall) send(data []byte) error {
	payload := c.newMessage("ConformancePayload")
	payload.set("data", data)
	if c.sent == 0 || len(c.requests) > 0 && c.fullDuplex {
		payload.setSub("request_info", c.requestInfo())
	}
	res := &message{dynamicpb.NewMessage(c.method.Output())}
	res.setSub("payload", payload)
	c.sent++
	return c.Stream.Send(res.Message)
}

// requestInfo returns what was received: everything in the first response, and
// only requests in others.
func (c *testCall) requestInfo() *message {
	info := c.newMessage("ConformancePayload.RequestInfo")
	for _, req := range c.requests {
		packed, err := anypb.New(req.Message)
		if err != nil {
			panic(err) // it was decoded
		}
		a := info.add("requests")
		a.set("type_url", packed.TypeUrl)
		a.set("value", packed.Value)
	}
	if c.sent > 0 {
		return info
	}
	for key, values := range c.Call().Header() {
		addHeader(info.add("request_headers"), key, values)
	}
	if deadline, ok := c.ctx.Deadline(); ok {
		info.set("timeout_ms", max(time.Until(deadline), 0).Milliseconds())
	}
	if at, err := url.ParseRequestURI(c.Call().Peer.RequestURI); err == nil && at.RawQuery != "" {
		get := c.newMessage("ConformancePayload.ConnectGetInfo")
		for name, values := range at.Query() {
			h := get.add("query_params")
			h.set("name", name)
			appendStrings(h, values)
		}
		info.setSub("connect_get_info", get)
	}
	return info
}

// fail returns the error of the definition. If nothing was sent, it has a detail
// with what was received.
func (c *testCall) fail() error {
	want := c.definition.sub("error")
	status := rpc.Errorf(rpc.Code(want.value("code").Enum()), "%s", want.value("message").String())
	for _, d := range want.list("details") {
		status = status.WithDetail(&anypb.Any{TypeUrl: d.value("type_url").String(), Value: d.value("value").Bytes()})
	}
	if c.sent == 0 {
		status = status.WithDetail(proto.Message(c.requestInfo().Message))
	}
	return status
}
