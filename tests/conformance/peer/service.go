package main

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/parley-rpc/parley/rpc"
	conformancev1 "github.com/parley-rpc/parley/tests/conformance/gen/conformance/v1"
	"github.com/parley-rpc/parley/tests/conformance/gen/conformance/v1/conformancev1parley"
)

// register adds what an implementation under test serves: ConformanceService,
// and a/b of the session vectors.
func register(r rpc.Registrar, reports *reporter) {
	conformancev1parley.RegisterConformanceServiceServer(r, &service{reports: reports})
	r.Register(&rpc.Service{Name: "a", Methods: []rpc.ServiceMethod{{
		Method: &rpc.Method{Service: "a", Name: "b", ClientStreams: true, ServerStreams: true},
		Handler: func(ctx context.Context, _ rpc.Stream) error {
			<-ctx.Done() // reads nothing and sends nothing
			return ctx.Err()
		},
	}}})
}

type service struct{ reports *reporter }

func (s *service) Unary(ctx context.Context, req *conformancev1.Work) (*conformancev1.Result, error) {
	if err := s.start(ctx, req, "Unary"); err != nil {
		return nil, err
	}
	return result(ctx, req, req.GetText()), ending(req)
}

func (s *service) Upload(ctx context.Context, in rpc.Receiver[conformancev1.Work]) (*conformancev1.Result, error) {
	var first *conformancev1.Work
	var texts strings.Builder
	for req, err := range in.All() {
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = req
			if err := s.start(ctx, req, "Upload"); err != nil {
				return nil, err
			}
		}
		texts.WriteString(req.GetText())
	}
	return result(ctx, first, texts.String()), ending(first)
}

func (s *service) Download(ctx context.Context, req *conformancev1.Work, out rpc.Sender[conformancev1.Result]) error {
	if err := s.start(ctx, req, "Download"); err != nil {
		return err
	}
	for range req.GetResults() {
		if err := out.Send(result(ctx, req, req.GetText())); err != nil {
			return err
		}
	}
	return ending(req)
}

func (s *service) Bidi(ctx context.Context, in rpc.Receiver[conformancev1.Work], out rpc.Sender[conformancev1.Result]) error {
	var first *conformancev1.Work
	for {
		req, err := in.Recv()
		if errors.Is(err, io.EOF) {
			return ending(first)
		}
		if err != nil {
			return err
		}
		if first == nil {
			first = req
			if err := s.start(ctx, req, "Bidi"); err != nil {
				return err
			}
		}
		if err := out.Send(result(ctx, first, req.GetText())); err != nil {
			return err
		}
	}
}

// start does what the request says before there is a Result.
func (s *service) start(ctx context.Context, req *conformancev1.Work, method string) error {
	switch req.GetThen() {
	case conformancev1.Then_THEN_WAIT:
		<-ctx.Done()
		s.reports.handlerEnd(method)
		return ctx.Err()
	case conformancev1.Then_THEN_CRASH:
		panic("swordfish")
	}
	call := rpc.FromContext(ctx)
	for key, values := range grouped(req.GetHeader()) {
		if err := call.SetHeader(key, values...); err != nil {
			return err
		}
	}
	for key, values := range grouped(req.GetTrailer()) {
		if err := call.SetTrailer(key, values...); err != nil {
			return err
		}
	}
	return nil
}

// grouped returns pairs as metadata.
func grouped(pairs []*conformancev1.Pair) rpc.Metadata {
	m := make(rpc.Metadata)
	for _, p := range pairs {
		m.Append(p.GetKey(), value(p))
	}
	return m
}

func result(ctx context.Context, req *conformancev1.Work, text string) *conformancev1.Result {
	r := &conformancev1.Result{Text: text, Padding: make([]byte, req.GetSize())}
	if req.GetShow() {
		r.Metadata = pairs(rpc.FromContext(ctx).Header())
	}
	return r
}

// ending returns the status that a request asks for.
func ending(req *conformancev1.Work) error {
	if req.GetStatus() == 0 {
		return nil
	}
	err := rpc.Errorf(rpc.Code(req.GetStatus()), "%s", req.GetMessage())
	for _, d := range req.GetDetails() {
		var detail anypb.Any
		if parseErr := proto.Unmarshal(d, &detail); parseErr != nil {
			return parseErr
		}
		m, parseErr := detail.UnmarshalNew()
		if parseErr != nil {
			return parseErr
		}
		err = err.WithDetail(m)
	}
	return err
}

// value returns the value of a pair as package rpc takes it.
func value(p *conformancev1.Pair) string {
	if !strings.HasSuffix(p.GetKey(), "-bin") {
		return p.GetValue()
	}
	b, err := base64.RawStdEncoding.DecodeString(p.GetValue())
	if err != nil {
		panic(err) // the runner writes it
	}
	return string(b)
}

// pairs returns the pairs that belong to the tests, ordered by key.
func pairs(m rpc.Metadata) (list []*conformancev1.Pair) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if !strings.HasPrefix(key, "x-") && !strings.HasPrefix(key, "parley-") {
			continue
		}
		for _, v := range m[key] {
			if strings.HasSuffix(key, "-bin") {
				v = base64.RawStdEncoding.EncodeToString([]byte(v))
			}
			list = append(list, &conformancev1.Pair{Key: key, Value: v})
		}
	}
	return list
}
